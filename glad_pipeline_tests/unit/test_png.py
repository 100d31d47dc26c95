"""The stored picture: lossless, and what it says about itself, read back by others and from its first bytes."""

import hashlib
import io
import json
import re
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import CLIPTokenizer

from glad_pipeline import __version__, limits
from glad_pipeline.generation.models import DEMO_CHECKPOINT
from glad_pipeline.generation.provenance import SHORT, Difference, compared, completed, shortened
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media.encoding import decode_png, encode_png, pixels_sha256, thumbnail
from glad_pipeline.media.png_text import PROVENANCE, RECIPE, SAMPLERS, parameters, read_texts, texts_of
from glad_pipeline.pipeline import upload as delivery
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.weighted_text import read_weights

VALUES = {
    "prompt": "a red fox",
    "seed": 7,
    "width": 1024,
    "height": 768,
    "num_inference_steps": 30,
    "guidance_scale": 7.0,
    "scheduler": "euler",
    "model": "demo",
    "model_revision": "sha256:" + "0" * 64,
}
TOKENIZER = CLIPTokenizer.from_pretrained(DEMO_CHECKPOINT / "tokenizer", local_files_only=True)
WEIGHTS = {"weights": {"unet": "0123456789abcdef" * 4, "vae": "f" * 64}}


def recipe(**changes):
    return Recipe(**{**VALUES, **changes})


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 99), smooth=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_png_gives_back_every_pixel_of_any_size(height, width, seed, smooth):
    pixels = noise(height, width, seed)
    if smooth:
        pixels = np.sort(pixels, axis=1) // 3 * 3
    image = opened(encode_png(pixels, text={}))
    assert (image.format, image.mode) == ("PNG", "RGB")
    assert np.array_equal(np.asarray(image), pixels)
    assert np.array_equal(decode_png(encode_png(pixels, text={})), pixels)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 254, 255])
def test_extremes_beside_one_another_survive_the_filter(value):
    pixels = np.full((9, 11, 3), value, np.uint8)
    pixels[::2, ::2] = 255 - value
    assert np.array_equal(np.asarray(opened(encode_png(pixels, text={}))), pixels)


def test_pixels_that_are_a_view_of_others_are_encoded_and_hashed_as_they_look():
    view = noise(40, 60)[::2, ::-3]
    assert np.array_equal(np.asarray(opened(encode_png(view, text={}))), view)
    assert pixels_sha256(view) == pixels_sha256(view.copy())


def test_other_decoders_find_nothing_to_complain_about():
    """Pillow checks neither the checksum of a text nor what follows the pixels: zlib and the chunks are walked here."""
    import zlib

    data = encode_png(noise(5, 7), text={"a": "b", "c": "狐"})
    kinds, place = [], 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        chunk = data[place + 4 : place + 8 + length]
        assert zlib.crc32(chunk) == int.from_bytes(data[place + 8 + length : place + 12 + length])
        kinds.append(chunk[:4])
        if chunk[:4] == b"IDAT":
            assert len(zlib.decompress(chunk[4:])) == 5 * (1 + 3 * 7)
        place += 12 + length
    assert kinds == [b"IHDR", b"tEXt", b"iTXt", b"IDAT", b"IEND"]


@pytest.mark.parametrize("key", ["", "x" * 80, "狐", "line\nbreak", "nul\0"])
def test_a_keyword_that_png_does_not_allow_is_refused(key):
    with pytest.raises(ValueError, match="1 to 79 printable Latin-1"):
        encode_png(noise(2, 2), text={key: "x"})


def test_what_is_no_whole_png_cannot_be_decoded():
    whole = encode_png(noise(30, 30), text={})
    for data in (b"", b"GIF89a", whole[:30], whole[:200], whole[:60] + b"\0" * 40 + whole[100:]):
        with pytest.raises(ValueError, match="not a whole PNG"):
            decode_png(data)


def test_the_pixel_hash_is_of_height_width_and_rgb_bytes_and_of_nothing_else():
    pixels = noise(3, 4)
    by_hand = hashlib.sha256(b"\0\0\0\3" + b"\0\0\0\4" + pixels.tobytes()).hexdigest()
    assert pixels_sha256(pixels) == by_hand
    assert pixels_sha256(decode_png(encode_png(pixels, text={"a": "b"}))) == by_hand
    assert pixels_sha256(pixels.reshape(4, 3, 3)) != by_hand
    assert pixels_sha256(pixels ^ 1) != by_hand


@pytest.mark.parametrize(("shape", "size"), [((1024, 768), (192, 256)), ((257, 40), (40, 256)), ((64, 4096), (256, 4))])
def test_a_thumbnail_is_a_webp_of_256_pixels_on_its_longer_side(shape, size):
    image = opened(thumbnail(noise(*shape)))
    assert (image.format, image.size) == ("WEBP", size)


@pytest.mark.parametrize("shape", [(256, 256), (18, 18), (256, 1)])
def test_a_picture_that_is_no_larger_needs_no_thumbnail(shape):
    assert thumbnail(noise(*shape)) is None


# --- parameters, as the usual tools read them


def parsed(text):
    """AUTOMATIC1111's own way of reading `parameters` (parse_generation_parameters of its infotext module)."""
    pattern = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
    *lines, last = text.strip().split("\n")
    if len(pattern.findall(last)) < 3:
        lines, last = [*lines, last], ""
    prompt, negative, done = [], [], False
    for line in (line.strip() for line in lines):
        if line.startswith("Negative prompt:"):
            done, line = True, line[16:].strip()  # noqa: PLW2901
        (negative if done else prompt).append(line)
    settings = {name: json.loads(value) if value[:1] == '"' else value for name, value in pattern.findall(last)}
    return "\n".join(prompt), "\n".join(negative), settings


def stored_parameters(a_recipe):
    return opened(encode_png(noise(8, 8), text=texts_of(a_recipe.as_dict(), WEIGHTS))).text["parameters"]


def test_parameters_are_read_back_by_the_usual_tools_parser():
    text = stored_parameters(recipe(negative_prompt="blurry, dark"))
    assert text == (
        "a red fox\nNegative prompt: blurry, dark\nSteps: 30, Sampler: Euler, CFG scale: 7, Seed: 7, Size: 1024x768, "
        f"Model hash: 0123456789, Model: demo, Version: glad_pipeline {__version__}"
    )
    prompt, negative, settings = parsed(text)
    assert (prompt, negative) == ("a red fox", "blurry, dark")
    assert settings["Seed"] == "7"
    assert settings["Size"] == "1024x768"


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox\nSteps: 1, Sampler: DDIM, Seed: 9, Size: 8x8",
        "Steps: 1, Sampler: DDIM, CFG scale: 1, Seed: 9",
        "Steps: 1,",
        "a fox 🦊🌅, caf\u00e9\nשלום\n狐",
        'quotes " and \\ and \t, colons: too',
        "a\n\n\nb",
        "(weighted:1.3), <lora:x:0.8>",
    ],
)
def test_a_hostile_prompt_is_read_as_prompt_and_as_nothing_else(prompt):
    a_recipe = recipe(prompt=prompt, negative_prompt=prompt)
    read, negative, settings = parsed(stored_parameters(a_recipe))
    assert read == negative
    assert as_those_tools_read(read).replace("< lora", "<lora") == prompt
    assert (settings["Steps"], settings["Seed"], settings["Sampler"]) == ("30", "7", "Euler")
    texts = opened(encode_png(noise(8, 8), text=texts_of(a_recipe.as_dict(), WEIGHTS))).text
    assert Recipe.from_dict(json.loads(texts[RECIPE])) == a_recipe
    assert json.loads(texts[PROVENANCE]) == WEIGHTS


def as_those_tools_read(text):
    """Brackets as weights: what is left is what they draw. Fails where anything is weighted or divided."""
    (section,) = read_weights(text).sections
    assert {part.weight for part in section} <= {1.0}
    return "".join(part.text for part in section)


@given(
    prompt=st.lists(
        st.sampled_from(
            [*"()[]\\ ,:_", "red", "1.4", "BREAK", "AND", "<lora:x:1>", "__hue__", "embedding:bad", "É", "\n", "🦊"]
        ),
        max_size=12,
    ).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_a_plain_prompt_is_written_so_that_other_tools_read_the_tokens_that_were_drawn(prompt):
    """Not as weights, tags, wildcards or BREAK: and with none of them, exactly as it is."""
    read, negative, _ = parsed(parameters(recipe(prompt="a" + prompt, negative_prompt="b" + prompt).as_dict(), {}))
    for text, drawn in ((read, "a" + prompt), (negative, "b" + prompt)):
        assert not re.search(r"\b(BREAK|AND)\b|<\w+:|(?<!\w)__[^\W_]\w*__|\bembedding:", text)
        # `parsed` strips lines, which CLIP does too
        assert TOKENIZER(as_those_tools_read(text)).input_ids == TOKENIZER(drawn).input_ids


def test_weights_that_were_drawn_as_weights_stay_weights_and_prose_stays_as_it_is():
    written = {"prompt": r"a (red:1.4) [hat] \(x\) BREAK __y__", "prompt_syntax": "a1111"}
    assert parsed(parameters(recipe(**written).as_dict(), {}))[0] == written["prompt"]
    old = {name: value for name, value in recipe(prompt="(a)").as_dict().items() if name != "prompt_syntax"}
    assert parsed(parameters(old, {}))[0] == r"\(a\)"
    prose = "a snake__case_name, 3 < 4, break and brand, 12:30"
    assert parsed(parameters(recipe(prompt=prose).as_dict(), {}))[0] == prose


def test_a_prompt_cannot_pass_for_the_negative_prompt():
    read, negative, _ = parsed(parameters(recipe(prompt="Negative prompt: a\n Negative prompt: b").as_dict(), {}))
    assert negative == ""
    assert read.replace("\u200b", "") == "Negative prompt: a\nNegative prompt: b"


def test_what_else_shapes_a_picture_is_told_and_quoted_where_it_would_break_the_line():
    more = {"preset": "fast", "vae": "owner/vae@01", "lora": "a/b@01*0.8, c/d@02*1", "model": "my model, v2: final"}
    settings = parsed(parameters(recipe(**more, guidance_scale=0.0, seed=0).as_dict(), {}))[2]
    assert settings["Preset"] == "fast"
    assert settings["VAE"] == "owner/vae@01"
    assert settings["Lora"] == "a/b@01*0.8, c/d@02*1"
    assert settings["Model"] == "my model, v2: final"
    assert (settings["CFG scale"], settings["Seed"]) == ("0", "0")
    assert "Model hash" not in settings


def test_every_scheduler_has_the_name_those_tools_know():
    assert tuple(SAMPLERS) == limits.SCHEDULERS


# --- texts from the first bytes


def test_texts_are_read_from_the_first_bytes_and_say_how_many_more_are_needed():
    texts = {"a": "x" * 100, "b": "狐" * 100, "c": "z"}
    data = encode_png(noise(64, 64), text=texts)
    assert read_texts(data).found == texts
    length, rounds = 20, 0
    while needed := read_texts(data[:length]).needed:
        assert needed > length
        length, rounds = needed, rounds + 1
    assert rounds <= 2 * len(texts) + 4
    assert read_texts(data[:length]).found == texts
    assert length < data.index(b"IDAT") + 5


@pytest.mark.parametrize("start", [b"", b"\x89PNG", b"GIF89a and more", b"<html>", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40])
def test_what_is_no_png_has_no_texts(start):
    assert read_texts(start).found == {}


@given(st.binary(max_size=300), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_reader_fail(junk, place):
    data = encode_png(noise(3, 3), text={"a": "b" * 40, "c": "狐"})
    assert isinstance(read_texts(data[:place] + junk).needed, int)


# --- provenance


def test_a_completed_record_has_the_pixels_hash_and_our_version():
    pixels = noise(4, 4)
    assert completed({"device": "H200"}, pixels) == {
        "device": "H200",
        "pixels_sha256": pixels_sha256(pixels),
        "glad_pipeline": __version__,
    }


def test_records_are_compared_entry_by_entry():
    then = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "gone": 0, "slot": 1, "seconds": {"text": 1}}
    now = {"a": {"x": 2, "y": [1, 2], "z": 0}, "b": 1, "new": {"p": 1}, "slot": 2, "seconds": {"text": 2}}
    found = compared(then, now)
    assert found.differing == (
        Difference(name="a.x", recorded=1, now=2),
        Difference(name="gone", recorded=0, now=None),
    )
    assert found.not_recorded == ("a.z", "new")


def worst(long):
    """A record, and a recipe with two LoRAs, whose every text is long."""
    record = dict.fromkeys(SHORT, long * 300) | {
        "bucket": 256,
        "slot": 255,
        "weights": dict.fromkeys(("text_encoder", "text_encoder_2", "unet", "vae"), "f" * 64),
        "scheduler": {f"option_{n}": long * 20 for n in range(40)},
    }
    a_recipe = recipe(
        prompt=long * 1000,
        model=long * 96,
        lora=", ".join(f"owner/{long * 90}/file.safetensors@{'a' * 40}*0.85" for _ in range(2)),
        seed=limits.SEED.high,
        preset="lightning-4",
    )
    return record, a_recipe


@pytest.mark.parametrize("long", ["x", '"', "é", "狐", "🦊"])
def test_metadata_never_exceeds_what_s3_allows_and_is_ascii(long):
    record, a_recipe = worst(long)
    drawn = types.SimpleNamespace(recipe=a_recipe, pixels=noise(8, 8), seconds=1234.5)
    full = completed(record, drawn.pixels)
    room = S3Store(bucket="b").metadata_room
    assert room({}) == 2_048  # S3's limit
    metadata = delivery.described_in_short(
        drawn, full, b"x" * 10**6, run_id="r" * 36, drawn_at="2026-01-01T00:00:00+00:00", room=room
    )
    metadata["thumbnail"] = "generated/ab/" + "a" * 32 + "-256.webp"
    assert room(metadata) >= 0
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    told = json.loads(metadata["provenance"])
    assert (told["bucket"], told["slot"]) == (256, 255)
    assert told["device"] == (long * 300)[:80]
    assert metadata["pixels-sha256"] == full["pixels_sha256"]


def test_the_short_form_of_a_usual_record_has_all_but_the_branches():
    usual = {"device": "NVIDIA H200", "dtype": "bfloat16", "torch": "2.13.0+cu130", "compile": "regional", "bucket": 8}
    told = json.loads(shortened({**usual, "scheduler": {"class": "x"}, "weights": {}}, 600))
    assert told == usual
    assert json.loads(shortened(usual, 2)) == {}
