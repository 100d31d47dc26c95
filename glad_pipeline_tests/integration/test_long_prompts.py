"""Prompts of any length, and with weights, as the demo model draws them: nothing of them is lost in silence."""

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UnavailableError, UsageError
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.texts import TextEmbeddings
from glad_pipeline.generation.tokens import counter_of, fits_surely
from glad_pipeline.operations.prompt_texts import notices_of, tokens_of
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.records import Prompt
from glad_pipeline_tests.hub_server import Hub, serving

DEMO = resolve_model(EngineOptions())
SMALL = {"device": "cpu", "gpu_batch": 2, "width": 64, "height": 64, "steps": 2}
LONG = "the sea in winter " * 40  # 4 tokens and more each time
FAMILY = "👩‍👩‍👧‍👦"


@pytest.fixture(scope="module")
def engine():
    return Engine(DEMO, EngineOptions(**SMALL))


def recipe_of(prompt="a red sunset", negative_prompt="", *, syntax=None, seed=1, **options):
    row = Prompt(id=1, prompt=prompt, negative_prompt=negative_prompt, prompt_syntax=syntax, seed=seed)
    return Sdxl(options=EngineOptions(**SMALL | options), log=logging.getLogger()).recipe(row)


def drawn_by(engine, *recipes):
    drawn = {each.recipe: each for each in engine.generate(recipes)}
    assert [drawn[recipe].error for recipe in recipes] == [None] * len(recipes)
    return [drawn[recipe] for recipe in recipes]


def same(one, other):
    return np.array_equal(one.pixels, other.pixels)


def test_prompts_that_differ_only_after_token_150_give_different_pictures_and_so_do_negative_ones(engine):
    counter = counter_of(DEMO)
    assert counter.tokens(LONG) > 150
    pairs = [("at dawn", "at night"), ("", "with a red boat")]
    for first, second in pairs:
        one, other = recipe_of(LONG + first), recipe_of(LONG + second)
        assert one.hash != other.hash
        assert one.text_pieces == counter.pieces(LONG + first) > 2
        drawn = drawn_by(engine, one, other)
        assert not same(*drawn)
        assert [each.provenance["prompt_tokens_dropped"] for each in drawn] == [0, 0]
    one, other = recipe_of(negative_prompt=LONG + "red"), recipe_of(negative_prompt=LONG + "blue and green")
    assert one.text_pieces > 2
    drawn = drawn_by(engine, one, other)
    assert not same(*drawn)
    assert [each.provenance["negative_prompt_tokens_dropped"] for each in drawn] == [0, 0]


def test_cut_as_a_setting_gives_the_recipes_and_pictures_of_earlier_versions_and_counts_both_texts(engine):
    kept = counter_of(DEMO).tokens(LONG)
    one, other = (recipe_of(LONG + end, LONG + end, long_prompts="cut") for end in ("dawn", "night"))
    assert one.text_pieces == other.text_pieces == 1
    drawn = drawn_by(engine, one, other)
    assert same(*drawn)
    for each in drawn:
        assert each.provenance["prompt_tokens_dropped"] >= kept - 75
        assert each.provenance["negative_prompt_tokens_dropped"] >= kept - 75
    whole, cut = (
        notices_of(Prompt(id=1, seed=1, prompt=LONG, negative_prompt=LONG), EngineOptions(long_prompts=mode))
        for mode in ("whole", "cut")
    )
    assert whole == ()
    assert [f"{kept:,} tokens: what follows the first 75 is not drawn" in said for said in cut] == [True, True]


def test_of_a_text_with_break_that_is_cut_the_note_says_where_it_ends():
    row = Prompt(id=1, seed=1, prompt="a cat BREAK a dog", negative_prompt="BREAKFAST", prompt_syntax="a1111")
    (said,) = notices_of(row, EngineOptions(long_prompts="cut"))
    assert "what follows the first BREAK, and the first 75 tokens, is not drawn" in said
    assert notices_of(row, EngineOptions()) == ()


def test_a_text_of_one_piece_is_embedded_with_the_very_bits_of_diffusers_own_encoding(engine):
    """What was drawn before texts could have pieces is drawn again as it was: also a text that was cut."""
    engine.load()
    pipeline = engine._open.base
    for texts in (["a red sunset", "mer 🌊 agitée"], ["", "a<|endoftext|>b"], [LONG, f"{FAMILY} " * 50]):
        theirs, _, pooled, _ = pipeline.encode_prompt(texts, do_classifier_free_guidance=False)
        plain = [replace(recipe_of(), prompt=text, negative_prompt=text[::-1]) for text in texts]
        ours = TextEmbeddings(pipeline, batch=2).arguments(plain)
        assert torch.equal(ours["prompt_embeds"], theirs)
        assert torch.equal(ours["pooled_prompt_embeds"], pooled)


def test_a_piece_has_the_same_bits_whatever_it_is_encoded_with_and_both_sides_the_same_length(engine):
    engine.load()
    recipes = [replace(recipe_of(LONG, "green"), text_pieces=3), replace(recipe_of(LONG + "x", LONG), text_pieces=3)]
    texts = TextEmbeddings(engine._open.base, batch=2)
    together = texts.arguments(recipes)
    assert {tuple(each.shape[:2]) for name, each in together.items() if "pooled" not in name} == {(2, 3 * 77)}
    for place, recipe in enumerate(recipes):
        alone = TextEmbeddings(engine._open.base, batch=2).arguments([recipe])
        assert all(torch.equal(alone[name][0], together[name][place]) for name in together)
    first = texts.arguments([replace(recipes[0], text_pieces=1)])
    assert torch.equal(first["pooled_prompt_embeds"][0], together["pooled_prompt_embeds"][0])
    assert torch.equal(first["prompt_embeds"][0], together["prompt_embeds"][0][:77])


def test_weights_multiply_the_embeddings_of_their_tokens_and_of_no_other(engine):
    engine.load()
    texts = TextEmbeddings(engine._open.base, batch=1)

    def embedded(text, syntax):
        return texts.arguments([replace(recipe_of(), prompt=text, prompt_syntax=syntax)])["prompt_embeds"][0]

    plain = embedded("a red cat", "plain")
    red = len(counter_of(DEMO)._read("a", "plain")[0][0].ids) + 1
    behind = red + counter_of(DEMO).tokens("red")
    for written, weight in [
        ("(red:1.4)", 1.4),
        ("[red]", 1 / 1.1),
        ("((red))", 1.1 * 1.1),
        ("(red:0)", 0),
        ("(red:-1)", -1),
    ]:
        weighted = embedded(f"a {written} cat", "a1111")
        assert torch.equal(weighted[red:behind], plain[red:behind] * torch.tensor(weight))
        assert torch.equal(weighted[:red], plain[:red])
        assert torch.equal(weighted[behind:], plain[behind:])


def test_weights_change_the_picture_and_the_syntax_alone_changes_neither_picture_nor_key(engine):
    written = ["a red cat", "a (red:1.8) cat", "a (red:0) cat", "a (red:-1) cat", "a (red cat", r"a red cat BREAK red"]
    recipes = [recipe_of(text, syntax="a1111") for text in written]
    assert recipes[0].hash == recipe_of("a red cat").hash
    for text in ("BREAKFAST", "a ) b ]", "a: b"):
        assert recipe_of(text, text, syntax="a1111").hash == recipe_of(text, text).hash
    assert len({recipe_of(text, syntax="a1111").prompt_syntax for text in (r"a \(b\)", "(a:1)", "()", "a BREAK")}) == 1
    assert [recipe.text_pieces for recipe in recipes] == [1, 1, 1, 1, 1, 2]
    drawn = drawn_by(
        engine, *recipes, recipe_of("a (red:1.8) cat"), recipe_of(prompt_syntax="a1111", prompt="a [red] cat")
    )
    assert len({each.pixels.tobytes() for each in drawn}) == len(drawn)
    unweighted = recipe_of("a (red:1) cat", syntax="a1111")
    assert same(*drawn_by(engine, recipes[0], unweighted))
    against = [recipe_of(negative_prompt=text, syntax="a1111") for text in ("red", "(red:1.8)")]
    assert not same(*drawn_by(engine, *against))


@pytest.mark.parametrize(
    ("text", "syntax", "said"),
    [
        ("a BREAK " * 400, "a1111", "prompt has 400 BREAKs: at most 31"),
        ("the sea in winter " * 1_000, "plain", "prompt has 7,000 tokens, 94 pieces of 75: at most 32 pieces are drawn"),
        ("ugly, " * 1_000 + "(sea:99)", "a1111", "prompt gives 'sea' the weight 99: weights are from -10 to 10"),
        (FAMILY * 500, "plain", "tokens, .* pieces of 75: at most 32"),
    ],
    ids=["400 breaks", "18,000 characters", "weight of 99", "500 emoji sequences"],
)  # fmt: skip
def test_what_is_too_long_or_weighted_impossibly_is_refused_with_value_and_limit(text, syntax, said):
    for texts in ({"prompt": text}, {"negative_prompt": text}):
        column = next(iter(texts))
        with pytest.raises(UsageError, match=said.replace("prompt ", f"{column} ", 1)):
            recipe_of(**texts, syntax=syntax)
        row = Prompt(id=1, seed=1, **{"prompt": "a hill", **texts}, prompt_syntax=syntax)
        assert any("will be rejected" in notice for notice in notices_of(row, EngineOptions()))
    without_effect = recipe_of(negative_prompt=text, syntax=syntax, guidance_scale=0.0)
    assert without_effect.text_pieces == 1


def test_20000_characters_and_one_emoji_sequence_draw(engine):
    letters = "winterlandscape" * 100 + " " * 18_500  # 20,000 characters
    recipes = [recipe_of(letters), recipe_of(FAMILY), recipe_of(FAMILY * 12), recipe_of("(a:b:c) ((", syntax="a1111")]
    assert len(letters) == 20_000
    assert recipes[0].text_pieces > 1
    assert [recipe.text_pieces for recipe in recipes[1:]] == [1, counter_of(DEMO).pieces(FAMILY * 12), 1]
    drawn = drawn_by(engine, *recipes)
    assert [each.provenance["prompt_tokens_dropped"] for each in drawn] == [0] * len(drawn)


def test_the_largest_number_of_pieces_draws(engine):
    words = "sea " * (75 * 32 // counter_of(DEMO).tokens("sea"))
    recipe = recipe_of(words)
    assert recipe.text_pieces == 32
    drawn_by(engine, recipe)


@pytest.mark.few(2)
@pytest.mark.parametrize("text", ["İ" * 37, "Ⱥ" * 37, "\u0958" * 12, "ﬀ" * 25, "x" * 75, "…" * 25])
def test_no_text_that_is_taken_for_short_without_counting_is_long(text):
    """Small letters may take more bytes than capital ones, and composed ones more than what they are made of."""
    if fits_surely(text, "plain"):
        assert counter_of(DEMO).tokens(text) <= 75


def test_a_tokenizer_that_cannot_be_had_ends_the_run_and_is_asked_for_by_long_texts_only(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub = {"model": "stabilityai/stable-diffusion-xl-base-1.0"}
    assert recipe_of("a hill", **hub).text_pieces == 1
    with pytest.raises(UnavailableError, match="HF_HUB_OFFLINE"):
        recipe_of(LONG, **hub)
    part = Artifact(kind="model", name="x", source=str(tmp_path), revision="sha256:0", is_local=True)
    with pytest.raises(Exception, match="no tokenizer: the checkpoint is incomplete"):
        counter_of(replace(DEMO, source=part.source))


def test_a_damaged_tokenizer_is_said_and_no_stack_trace(tmp_path):
    model = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "model")
    for file in model.glob("tokenizer*/tokenizer.json"):
        file.write_text("{")
    options = EngineOptions(model=str(model))
    row = Prompt(id=1, seed=1, prompt="the sea in winter " * 1_000)
    assert notices_of(row, options) == ()  # the run says what is wrong
    (said,) = tokens_of([row], options)
    assert said.startswith(f"not counted: the tokenizer in {model}/tokenizer cannot be read (")
    with pytest.raises(UnavailableError, match=r"the tokenizer in .* cannot be read"):
        recipe_of(LONG, model=str(model))


def test_tokenizers_that_a_row_names_in_vain_are_asked_for_once_in_a_run(monkeypatch, tmp_path):
    with serving(Hub(refusal=(404, "RepoNotFound"))) as hub:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        sdxl = Sdxl(options=EngineOptions(**SMALL, allowed_models="someone/*"), log=logging.getLogger())
        row = Prompt(id=1, prompt=LONG, seed=1, model="someone/model", model_revision="c" * 40)
        reasons = []
        for _ in range(3):
            with pytest.raises(GladError, match="the hub shows no repository someone/model") as raised:
                sdxl.recipe(row)
            reasons.append((str(raised.value), len(hub.asked)))
        assert reasons[0][1] > 0
        assert len(set(reasons)) == 1
        assert sdxl.recipe(replace(row, prompt="a hill")).text_pieces == 1
