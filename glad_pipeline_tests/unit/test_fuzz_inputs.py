"""Whatever comes in, nothing crashes, and what is refused is refused in words: fields, files, objects, texts.

CASES inputs in all, the same each time; `GLAD_FUZZ=20` tries twenty times as many new ones.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from glad_pipeline.display import markdown_links, markdown_table, one_line
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import UsageError
from glad_pipeline.generation.defaults import recipe_of
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.limits import PRESETS, SCHEDULERS
from glad_pipeline.media.encoding import encode_png
from glad_pipeline.media.png_text import read_texts
from glad_pipeline.pipeline.catalogue import PromptWithObject, catalogue_entry, problem_of
from glad_pipeline.pipeline.upload import described_in_short
from glad_pipeline.prompts.files.columns import KNOWN
from glad_pipeline.prompts.files.reading import read_records
from glad_pipeline.prompts.intake import content_hash
from glad_pipeline.prompts.spellings import understood
from glad_pipeline.prompts.validation import new_prompt, reasons_against
from glad_pipeline.publishing.slugs import slugify
from glad_pipeline.records import FIELDS, Prompt, values_of
from glad_pipeline.storage.keys import original_key, thumbnail_key
from glad_pipeline.storage.protocol import StoredObject
from glad_pipeline.storage.s3 import S3Store

FACTOR = int(os.environ.get("GLAD_FUZZ", "0"))
CASES = {"fields": 3_000, "files": 3_000, "objects": 2_000, "pngs": 1_000, "markdown": 1_000, "slugs": 1_000}
assert sum(CASES.values()) >= 10_000
HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def tried(name):
    """As many inputs as CASES says."""
    return settings(
        max_examples=CASES[name] * (FACTOR or 1),
        derandomize=not FACTOR,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def text(size=60):
    """Any characters, half surrogate pairs and NUL included, and what others have tripped over."""
    nasty = ["\0", "\ud800", "\u202e", "é", "\r\n", "' OR 1=1; --", "%s%(x)s{0}", "\x1b[2J", "](javascript:alert(1))"]
    nasty += ["<script>", "\u2028", "a|b", "\ufeff", "Set-Cookie: a=b", "../..", "$(reboot)", "\U0001f9d1\u200d", "NaN"]
    return st.text(st.characters(codec=None), max_size=size) | st.lists(st.sampled_from(nasty), max_size=4).map("".join)


ANYTHING = (
    text()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=8)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.none(), max_size=1)
    | st.datetimes()
    | st.uuids()
    | st.sampled_from([10**400, -(2**63), 2**63, float("inf"), "1e999", "0x10", "٣", "9" * 30, "-0", "512.0", "1_000"])
)
RIGHT = {
    "prompt": st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    "seed": st.integers(0, 2**32 - 1),
    "width": st.sampled_from([64, "512", 512.0]),
    "height": st.sampled_from([64, 512]),
    "num_inference_steps": st.integers(1, 200),
    "guidance_scale": st.floats(0, 30),
    "scheduler": st.sampled_from(SCHEDULERS),
    "preset": st.sampled_from(PRESETS),
}
FIELDS_OF_ANY_TYPE = st.dictionaries(st.sampled_from([*FIELDS, "size"]), ANYTHING, max_size=6)
PROFILE = resolve_model(EngineOptions())


def is_readable(reason):
    return bool(reason) and not HIDDEN.search(reason) and "\n" not in reason and len(reason) < 2_000


@tried("fields")
@given(wrong=FIELDS_OF_ANY_TYPE, right=st.fixed_dictionaries(RIGHT))
def test_fields_of_any_type_are_a_prompt_with_a_recipe_or_are_refused_in_words(wrong, right):
    fields = {**right, **wrong}
    reasons = reasons_against(understood(fields))
    try:
        prompt = new_prompt(fields)
    except UsageError as error:
        prompt, told = None, str(error)
    if prompt is None:
        assert reasons
        assert all(map(is_readable, reasons)), reasons
        assert is_readable(told)
        return
    assert reasons == []
    for name in FIELDS:
        value = getattr(prompt, name)
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()  # as PostgreSQL is sent it
        assert not isinstance(value, datetime) or 1900 <= value.year < 9999
    assert len(content_hash(prompt)) == 64
    row = Prompt(**{**values_of(prompt), "id": 1, "seed": prompt.seed or 0})
    try:
        found = original_key(recipe_of(row, PROFILE, EngineOptions()).hash)
    except UsageError as too_long:
        found = str(too_long)
    assert re.fullmatch(r"generated/[0-9a-f]{2}/[0-9a-f]{32}\.png", found) or is_readable(found)


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("post_id", "publish_at")])
@pytest.mark.parametrize("value", ["x" * 10_000_000, "\ud800" * 10_000_000, "9" * 10_000_000])
def test_ten_megabytes_in_any_field_are_refused_in_a_short_message(name, value):
    (reason,) = reasons_against({"prompt": "a hill", name: value})
    assert is_readable(reason)
    assert len(reason) < 400


CSV = b'prompt,title,seed,publish_at,content\r\n"a hill, far",Hill,7,2026-01-01,"line\nline ""quoted"""\r\nb,,,,\r\n'
JSONL = (
    b'{"prompt": "a hill", "seed": 7, "needs_approval": true}\n\n{"prompt": "b", "width": 512, "title": "\\u00e9"}\n'
)
BODIES = {
    ".jsonl": JSONL,
    ".tsv": CSV.replace(b",", b"\t"),
    ".json": b"[" + JSONL.replace(b"\n\n", b",\n") + b"]",
    ".txt": b'a hill\n\n--prompt "a hill" --steps 20 --cfg_scale=7\n',
    ".parquet": b"PAR1" + CSV + b"PAR1",
}


@st.composite
def files(draw):
    """A valid file with some bytes taken out, put in and changed; or any bytes."""
    suffix = draw(st.sampled_from([".csv", ".jsonl", ".tsv", ".json", ".txt", ".parquet", ""]))
    if draw(st.integers(0, 4)) == 0:
        return suffix, draw(st.binary(max_size=200))
    body = bytearray(BODIES.get(suffix, CSV))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 6))
        body[start:end] = draw(
            st.binary(max_size=4)
            | st.sampled_from(
                [b'"', b"\n", b"\r", b",", b"{", b"}", b"\0", b"\\ud800", b"\xff", b"1e999", b"[" * 3_000]
            )
            | text(6).map(lambda found: found.encode("utf-8", "surrogatepass"))
        )
    return suffix, bytes(body)


@tried("files")
@given(file=files())
def test_a_file_of_any_bytes_is_read_or_refused_by_line_in_words(tmp_path_factory, file):
    suffix, body = file
    path = tmp_path_factory.getbasetemp() / f"fuzzed{suffix}"
    path.write_bytes(body)
    try:
        for record in read_records(path):
            assert record.line >= 1
            if record.fault:
                assert is_readable(record.fault), record.fault
                continue
            assert all(name in KNOWN for name in record.fields)
            assert all(map(is_readable, reasons_against(record.fields)))
    except UsageError as error:
        told = str(error)
    else:
        told = "all of it was read"
    assert is_readable(told), told


RECIPE = Recipe(
    prompt="a hill",
    seed=7,
    width=256,
    height=256,
    num_inference_steps=20,
    guidance_scale=3.0,
    scheduler="euler",
    model="demo",
    model_revision="sha256:0",
)
METADATA = {
    "recipe-hash": RECIPE.hash,
    "sha256": "a" * 64,
    "pixels-sha256": "b" * 64,
    "bytes": "1000",
    "width": "256",
    "height": "256",
    "seconds": "0.1",
    "contrast": "60.5",
    "thumbnail": thumbnail_key(RECIPE.hash),
    "provenance": '{"device": "cuda"}',
}
WORDS = [
    "nan",
    "-inf",
    "1e999",
    "-1",
    "0",
    "9" * 400,
    "１２",
    " 256 ",
    "\r\nX: y",
    '{"a": "\\u0000"}',
    '{"a": NaN}',
    "[]",
]
WORDS += ['{"a": "\\ud800"}', '{"a": 1e999}', "[" * 5_000, '{"a":' * 5_000, "\\u0000", "javascript:alert(1)", "a" * 64]
HOSTILE = text(300) | st.sampled_from(WORDS)
URL = "https://pictures.example/{}".format


@tried("objects")
@given(
    changed=st.dictionaries(st.sampled_from(sorted(METADATA)), HOSTILE | st.none(), max_size=3),
    content_type=st.sampled_from(["image/png"] * 5 + ["text/html", "", "image/\r\n"]),
    carried=st.none() | HOSTILE,
)
def test_an_object_with_any_metadata_is_catalogued_or_refused_in_words(changed, content_type, carried):
    metadata = {name: value for name, value in {**METADATA, **changed}.items() if value is not None}
    stored = StoredObject(key=original_key(RECIPE.hash), bytes=1_000, content_type=content_type, metadata=metadata)
    found = PromptWithObject(
        prompt=Prompt(id=1, prompt="a hill", seed=1), recipe=RECIPE, object=stored, provenance=carried
    )
    if problem := problem_of(found, drawn=False):
        assert is_readable(problem), problem
        return
    entry = catalogue_entry(found, URL)
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.pixels_sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.pixels_sha256)
    assert 0 < entry.width < 100_000
    assert entry.thumbnail_key in (None, thumbnail_key(RECIPE.hash))
    for number in (entry.seconds, entry.contrast):
        assert number is None or np.isfinite(number)
    kept = json.dumps(entry.provenance, ensure_ascii=False, allow_nan=False)
    kept.encode()
    assert r"\u0000" not in kept
    assert Jsonb(entry.provenance)


PNG = encode_png(np.zeros((8, 8, 3), np.uint8), text={"glad_provenance": '{"a": 1}', "parameters": "é"})


@tried("pngs")
@given(st.data())
def test_a_png_of_any_bytes_has_texts_or_none(data):
    body = bytearray(PNG)
    for _ in range(data.draw(st.integers(0, 5))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    body = bytes(body[: data.draw(st.integers(0, len(body)))])
    found = read_texts(body)
    assert found.needed == 0 or found.needed > len(body)
    for value in found.found.values():
        value.encode()


@tried("markdown")
@given(title=text(), url=st.just("https://pictures.example/generated/ab/cd.png"))
def test_somebodys_text_stays_text_in_markdown_in_a_terminal_and_in_a_header(title, url):
    (link,) = markdown_links([(title, url)]).splitlines()
    plain = re.fullmatch(rf"- \[(.*)\]\({re.escape(url)}\)", link)
    assert plain, link
    assert not re.search(r"(?<!\\)(\\\\)*[\[\]()<>`]", plain.group(1).replace("\\\\", ""))
    assert len(markdown_table([Prompt(id=1, prompt=title, seed=1)], ("id", "prompt")).splitlines()) == 3
    assert one_line(title, 40).isprintable()
    drawn = Drawn(
        recipe=RECIPE.__class__(**{**RECIPE.as_dict(), "model": title}),
        pixels=np.zeros((8, 8, 3), np.uint8),
        provenance={},
    )
    room = S3Store(bucket="b").metadata_room
    metadata = described_in_short(
        drawn,
        {"pixels_sha256": "b" * 64},
        b"body",
        run_id=str(uuid4()),
        drawn_at="2026-01-01T00:00:00+00:00",
        room=room,
    )
    assert all(value.isascii() and value.isprintable() for value in metadata.values()), metadata
    assert room(metadata) >= 0


@tried("slugs")
@given(title=text(300))
def test_any_title_has_a_slug_of_letters_digits_and_hyphens(title):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slugify(title))
    assert len(slugify(title)) <= 200
