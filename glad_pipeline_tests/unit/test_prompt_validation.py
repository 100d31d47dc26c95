"""The rules for a prompt's fields and the making of slugs: pure functions, no server."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.validation import new_prompt, reasons_against
from glad_pipeline.records import FIELDS, NewPrompt

ANY_TEXT = st.text(st.characters(codec=None), max_size=400)  # half surrogate pairs too
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GOOD_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def reasons(**fields: Any) -> list[str]:
    return reasons_against({"prompt": "a lake", **fields})


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t ", "\u200b\u200e\ufeff", "\u3000"])
def test_a_prompt_without_a_visible_character_is_blank(prompt: str) -> None:
    [reason] = reasons(prompt=prompt)
    assert reason.startswith("prompt ")
    assert "is blank" in reason


def test_a_missing_prompt_is_said_to_be_missing() -> None:
    assert "prompt is missing" in reasons_against({"title": "A lake"})[0]
    assert "prompt is missing" in reasons_against({"prompt": None})[0]


def test_a_prompt_of_20000_characters_is_good_and_one_more_is_too_long() -> None:
    assert reasons(prompt="x" * 20_000) == []
    [reason] = reasons(prompt="x" * 20_001)
    assert "too long" in reason
    assert "at most 20,000" in reason


def test_a_prompt_of_200000_characters_is_refused_in_a_short_message() -> None:
    [reason] = reasons(prompt="é" * 200_000)
    assert "200,000 characters" in reason
    assert len(reason) < 200


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a\0b", "NUL"),
        ("a\x1b[31mred", "U+001B"),
        ("a\x85b", "U+0085"),
        ("a\rb", "carriage return"),
        ("a\ud800b", "surrogate"),
    ],
)
@pytest.mark.parametrize(
    "field", ["prompt", "negative_prompt", "title", "excerpt", "content", "alt_text", "task_id", "idempotency_key"]
)
def test_a_character_that_no_text_may_hold_is_named_with_its_field(field: str, text: str, named: str) -> None:
    [reason] = reasons(**{field: text})
    assert reason.startswith(f"{field} ")
    assert named in reason
    reason.encode()  # the message itself can be printed


@pytest.mark.parametrize(
    "prompt",
    [
        "غروب الشمس فوق الجبال",
        "שקיעה מעל ההרים",
        "山の上の夕日",
        "👩‍👩‍👧‍👦 at the 🏖️",
        "line one\nline two\tand a tab",
        "e\u0301",
    ],
)
def test_right_to_left_emoji_and_every_script_are_fine(prompt: str) -> None:
    assert new_prompt({"prompt": prompt}).prompt == prompt


def test_line_breaks_of_windows_become_plain_ones() -> None:
    assert new_prompt({"prompt": "one\r\ntwo"}).prompt == "one\ntwo"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("negative_prompt", "x" * 20_001),
        ("title", "x" * 256),
        ("title", " "),
        ("title", "two\nlines"),
        ("slug", "Upper-Case"),
        ("slug", "two--hyphens"),
        ("slug", "-edge"),
        ("slug", "edge-"),
        ("slug", "ends-with-newline\n"),
        ("slug", "ünder"),
        ("slug", "a" * 256),
        ("slug", ""),
        ("excerpt", "x" * 501),
        ("alt_text", "x" * 256),
        ("category", "x" * 256),
        ("category", ""),
        ("author", "x" * 256),
        ("content", "x" * 1_000_001),
        ("task_id", "x" * 256),
        ("task_id", " t1"),
        ("task_id", "t1\n"),
        ("task_id", 17),
        ("idempotency_key", "é" * 1_001),
        ("idempotency_key", " "),
        ("idempotency_key", "a\nb"),
        ("replace", "perhaps"),
        ("post_id", "not-a-uuid"),
        ("post_id", "0b7d4f6e3c1a4f5e9a550d6f3a1c2b4"),
        ("width", "100"),
        ("width", 56),
        ("width", 4104),
        ("height", "-512"),
        ("height", "1e3"),
        ("height", "٥١٢"),
        ("height", True),
        ("height", 512.5),
        ("height", float("inf")),
        ("height", "9" * 5_000),
        ("num_inference_steps", -5),
        ("num_inference_steps", 0),
        ("num_inference_steps", 201),
        ("guidance_scale", "nan"),
        ("guidance_scale", float("nan")),
        ("guidance_scale", "inf"),
        ("guidance_scale", -0.1),
        ("guidance_scale", "30.01"),
        ("guidance_scale", "1_0"),
        ("guidance_scale", True),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", "12abc"),
        ("scheduler", "Euler"),
        ("scheduler", ["euler"]),
        ("preset", "Fast"),
        ("preset", 4),
        ("lora", ""),
        ("lora", "x" * 501),
        ("lora", "two\nlines"),
        ("lora", 1),
        ("model", "x" * 256),
        ("model_revision", "main"),
        ("model_revision", "A" * 40),
        ("priority", 2**31),
        ("priority", "high"),
        ("publish_at", "tomorrow"),
        ("publish_at", "2026-02-30"),
        ("publish_at", 1_700_000_000),
        ("publish_at", "0001-01-01T00:00:00+14:00"),
        ("needs_approval", "maybe"),
        ("needs_approval", 2),
        ("needs_approval", 0.0),
        ("publish", "Picture"),
        ("publish", True),
        ("prompt", 5),
        ("prompt", {"nested": "object"}),
    ],
)
def test_a_bad_value_is_one_short_reason_that_begins_with_its_field(field: str, value: Any) -> None:
    [reason] = reasons(**{field: value})
    assert reason.startswith(f"{field} ")
    assert len(reason) < 300


def test_every_fault_of_a_row_is_reported_at_once() -> None:
    found = reasons(prompt="", width=100, seed=-2)
    assert [reason.split()[0] for reason in found] == ["prompt", "seed", "width"]
    with pytest.raises(UsageError, match=r"prompt .*; seed .*; width "):
        new_prompt({"prompt": "", "width": 100, "seed": -2})


def test_cells_of_a_file_become_typed_values() -> None:
    found = new_prompt(
        {
            "prompt": " a lake ",
            "post_id": "0B7D4F6E-3C1A-4F5E-9A55-0D6F3A1C2B4D",
            "seed": str(2**63 - 1),
            "width": "512.0",
            "height": 768.0,
            "guidance_scale": "7",
            "priority": "-3",
            "needs_approval": "Yes",
        }
    )
    assert found == NewPrompt(
        prompt="a lake",
        post_id=UUID("0b7d4f6e-3c1a-4f5e-9a55-0d6f3a1c2b4d"),
        seed=2**63 - 1,
        width=512,
        height=768,
        guidance_scale=7.0,
        priority=-3,
        needs_approval=True,
    )


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ({"seed": ""}, {}),
        ({"seed": "-1"}, {}),
        ({"seed": -1}, {}),
        ({"seed": "random"}, {}),
        ({"size": "1024x768"}, {"width": 1024, "height": 768}),
        ({"size": " 1024 × 768 px"}, {"width": 1024, "height": 768}),
        ({"size": "832*1216"}, {"width": 832, "height": 1216}),
        ({"size": "Portrait"}, {"width": 832, "height": 1216}),
        ({"size": "landscape"}, {"width": 1216, "height": 832}),
        ({"size": "square"}, {"width": 1024, "height": 1024}),
        ({"size": "16:9"}, {"width": 1344, "height": 768}),
        ({"size": "512x768", "width": "512"}, {"width": 512, "height": 768}),
        ({"size": ""}, {}),
        ({"priority": "High"}, {"priority": 10}),
        ({"priority": "normal"}, {}),
        ({"priority": "low"}, {"priority": -10}),
        ({"priority": ""}, {}),
        ({"scheduler": "Euler a"}, {"scheduler": "euler_a"}),
        ({"scheduler": "k_euler_ancestral"}, {"scheduler": "euler_a"}),
        ({"scheduler": "DPM++ 2M"}, {"scheduler": "dpmpp_2m"}),
        ({"guidance_scale": "7,5"}, {"guidance_scale": 7.5}),
        ({"needs_approval": "WAHR"}, {"needs_approval": True}),
        ({"publish_at": "1.3.2026 9:05"}, {"publish_at": datetime(2026, 3, 1, 9, 5, tzinfo=UTC)}),
    ],
)
def test_values_are_understood_as_people_and_other_tools_write_them(
    given: dict[str, Any], understood: dict[str, Any]
) -> None:
    assert new_prompt({"prompt": "x", **given}) == NewPrompt(prompt="x", **understood)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"size": "big"},
            r"size 'big' must be such as 1024x768 \(width x height\), or square, portrait, landscape, 1:1",
        ),
        ({"size": "1024"}, "size '1024' must be such as"),
        ({"size": [1024, 768]}, "must be such as"),
        ({"size": "100x100"}, "width 100 must be a whole number from 64 to 4,096, a multiple of 8; height 100"),
        ({"size": "512x768", "height": 512}, "size '512x768' and height 512 are both given: leave one out"),
        ({"priority": "urgent"}, "priority 'urgent' must be a whole number .*, or high, normal, low"),
        ({"seed": "-2"}, "seed '-2' must be .*; empty or -1 to have one chosen"),
        ({"seed": "1,23457E+09"}, "seed '1,23457E"),
        ({"scheduler": "DPM++ 2M Karras"}, "scheduler 'DPM.* must be one of euler"),
        ({"guidance_scale": "7,500"}, "guidance_scale '7,500' must be a number"),
        ({"width": "1.024"}, "width '1.024' must be"),
        ({"publish_at": "31.02.2026"}, "publish_at '.*' must be a time"),
        ({"publish_at": "3/1/2026"}, "must be a time"),
    ],
)
def test_what_may_mean_two_things_is_refused_with_what_is_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        new_prompt({"prompt": "x", **given})


def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_is_brought_to_utc() -> None:
    nine = datetime(2026, 3, 1, 9, tzinfo=UTC)
    for text in ("2026-03-01T09:00:00", "2026-03-01 09:00", "2026-03-01T09:00:00Z", "2026-03-01T10:00:00+01:00"):
        assert new_prompt({"prompt": "x", "publish_at": text}).publish_at == nine


def test_a_row_of_the_table_is_judged_whatever_its_other_columns_are() -> None:
    row = dict.fromkeys(FIELDS) | {
        "id": 7,
        "status": "claimed",
        "prompt": "a lake",
        "negative_prompt": "",
        "seed": 5,
        "priority": 0,
        "needs_approval": False,
        "publish_at": datetime.now(UTC),
        "post_id": UUID(int=1),
        "image_id": None,
    }
    assert reasons_against(row) == []
    assert reasons_against(row | {"width": 100, "title": "\t"})[0].startswith("title ")


@patient
@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | ANY_TEXT | st.integers() | st.floats() | st.booleans()))
def test_whatever_the_values_there_is_a_prompt_or_there_are_reasons(fields: dict[str, Any]) -> None:
    found = reasons_against(fields)
    if found:
        assert all(len(reason) < 400 and "\n" not in reason for reason in found)
        return
    again = {name: getattr(new_prompt(fields), name) for name in FIELDS}
    assert reasons_against(again) == []  # what has passed passes again, as a row of the table
