"""Attention weights as AUTOMATIC1111's web UI documents them, and what is said of texts written for other tools."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glad_pipeline.media.png_text import parameters
from glad_pipeline.prompts.spellings import understood
from glad_pipeline.prompts.syntax import notices, text_notices
from glad_pipeline.prompts.validation import reasons_against
from glad_pipeline.weighted_text import read_weights, reasons_against_weights


def parts(text: str) -> list[tuple[str, float]]:
    (section,) = read_weights(text).sections
    return [(part.text, part.weight) for part in section]


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # text and outcome as its documentation has them
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0),
                ("house", 1.5730000000000004),
                (" ", 1.1),
                ("on", 1.0),
                (" a ", 1.1),
                ("hill", 0.55),
                (", sun, ", 1.1),
                ("sky", 1.4641000000000006),
                (".", 1.1),
            ],
        ),
        # and what people write besides
        ("[less]", [("less", 1 / 1.1)]),
        ("(a:0) (b:-1)", [("a", 0.0), (" ", 1.0), ("b", -1.0)]),
        ("(a:b:c)", [("a:b:c", 1.1)]),
        ("(a:b:1.2)", [("a:b", 1.2)]),
        ("a: b) c]", [("a: b) c]", 1.0)]),
        ("(a [b) c]", [("a ", 1.1), ("b", 1.0), (" c", 1 / 1.1)]),
        (r"a \\ b \c", [(r"a \ b \c", 1.0)]),
        ("", []),
        ("()", []),
    ],
)
def test_texts_are_weighted_as_the_reference_documents_it(text: str, expected: list[tuple[str, float]]) -> None:
    assert parts(text) == expected


def test_break_begins_a_new_section_also_within_brackets_and_a_word_with_it_does_not() -> None:
    sections = read_weights("a BREAK (b BREAK c:2), DAYBREAK BREAKING").sections
    assert [[(part.text, part.weight) for part in section] for section in sections] == [
        [("a", 1.0)],
        [("b", 2.0)],
        [("c", 2.0), (", DAYBREAK BREAKING", 1.0)],
    ]
    assert [len(section) for section in read_weights("BREAK a BREAK BREAK b").sections] == [0, 1, 0, 1]


@given(st.text(alphabet="ab :.,12()[]\\", max_size=60))
def test_no_text_is_refused_and_no_letter_of_it_lost(text: str) -> None:
    kept = "".join(part.text for section in read_weights(text).sections for part in section)
    assert [c for c in text if c in "ab,"] == [c for c in kept if c in "ab,"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(x:99)", "gives 'x' the weight 99: weights are from -10 to 10"),
        ("((((x:9))))", "the weight 11.979"),
        ("(" * 20_000, "within more than 100 others"),
        ("a BREAK " * 400, "has 400 BREAKs: at most 31"),
    ],
)
def test_impossible_weights_are_refused_with_the_value_and_the_range(text: str, said: str) -> None:
    found = "; ".join(reasons_against_weights(text))
    assert said in found
    assert len(found) < 500
    for column in ("prompt", "negative_prompt"):
        row = {"prompt": "a hill", column: text, "prompt_syntax": "a1111"}
        assert [reason.startswith(column) for reason in reasons_against(row)] == [True] * len(reasons_against(row))
        assert said in "; ".join(reasons_against(row))
        assert reasons_against({**row, "prompt_syntax": None}) == []


def test_an_unknown_syntax_is_refused_with_the_known_ones() -> None:
    assert reasons_against({"prompt": "a hill", "prompt_syntax": "compel"}) == [
        "prompt_syntax 'compel' must be one of plain, a1111"
    ]


@pytest.mark.parametrize(
    ("text", "plain", "a1111"),
    [
        ("a quiet harbour (Kiel), 12:30 [sic], snake__case__name, 3.5 in. wide", [], []),
        ("a (red:1.4) hat", ["weight"], []),
        ("((masterpiece))", ["weight"], []),
        ("[[noise]]", ["weight"], []),
        (r"a \(cat\)", ["weight"], []),
        ("a hill BREAK a house", ["break"], []),
        ("[day:night:0.5]", ["change"], ["change"]),
        ("[cow|horse] in a field", ["change"], ["change"]),
        ("<lora:add_detail:0.8> a hill", ["lora"], ["lora"]),
        ("<lyco:x>, <hypernet:y:1>", ["lora"], ["lora"]),
        ("a __colour__ car", ["wildcard"], ["wildcard"]),
        ("a {red|blue} car", ["wildcard"], ["wildcard"]),
        ("easynegative, ugly", ["embedding"], ["embedding"]),
        ("embedding:EasyNegative.pt", ["embedding"], ["embedding"]),
        ("my_style.safetensors", ["embedding"], ["embedding"]),
        ("(a", [], ["bracket"]),
        ("a]", [], ["bracket"]),
        ("(a:b:c)", [], []),
    ],
)
def test_what_was_written_for_another_tool_is_said_by_kind(text: str, plain: list[str], a1111: list[str]) -> None:
    for column in ("prompt", "negative_prompt"):
        texts = {"prompt": "a hill", column: text}
        assert [each.kind for each in notices(**texts)] == plain
        assert [each.kind for each in notices(**texts, syntax="a1111")] == a1111
        assert all(sentence.startswith(f"{column}: ") for sentence in text_notices(**texts))


@pytest.mark.parametrize(
    "text",
    [
        *("_" * 20_000, "__a" * 6_000, "(" * 20_000, "[a:1" * 5_000, "{|" * 10_000, "<lora" * 4_000, "a-" * 10_000),
        *("(:" + "1" * 20_000, "[:" + "1" * 20_000, "[a" + "|" * 20_000, "[" + ":1 " * 7_000, "(" + " " * 20_000),
    ],
    ids=lambda text: text[:4],
)
def test_a_long_text_of_marks_is_read_as_fast_as_any(text: str) -> None:
    """Were one of the patterns quadratic, or the parser, this would take minutes or hours."""
    assert len(text_notices(text * 5, text * 5)) + len(text_notices(text, syntax="a1111")) < 10
    assert len(read_weights(text).sections) == 1
    assert parameters({**dict.fromkeys(SETTINGS, 1), "prompt": text * 5, "negative_prompt": "\n" * 100_000}, {})
    for name in ("size", "guidance_scale", "publish_at"):
        value = "1" + text[2:] * 5 + "y"
        assert understood({name: value}) == {name: value}
        assert len(reasons_against({"prompt": "a hill", name: value})) == 1


SETTINGS = ("num_inference_steps", "scheduler", "guidance_scale", "seed", "width", "height", "model", "preset", "vae",
            "refiner", "lora")  # fmt: skip
