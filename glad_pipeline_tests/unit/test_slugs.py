"""Slugs from titles in any script."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glad_pipeline.publishing.slugs import MAX_LENGTH, free_slug, slugify


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Sunset over Þingvellir", "sunset-over-thingvellir"),
        ("Don’t Stop!", "dont-stop"),
        ("日本", "riben"),
        ("Закат", "zakat"),
        ("🌅", "sunrise"),
        ("", "post"),
        ("!!! …", "post"),
    ],
)
def test_a_slug_is_made_from_any_script(title: str, slug: str) -> None:
    assert slugify(title) == slug


def test_a_long_title_is_cut_at_a_word() -> None:
    assert slugify("word " * 100) == "-".join(["word"] * 40)
    assert slugify("x" * 300) == "x" * 200


@given(st.text())
def test_every_text_has_a_good_slug(text: str) -> None:
    slug = slugify(text)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= MAX_LENGTH


def test_a_taken_slug_gets_the_prompts_id() -> None:
    assert free_slug("Sunset", 7, set()) == "sunset"
    assert free_slug("Sunset", 7, {"sunset"}) == "sunset-7"
    assert free_slug("Sunset", 7, {"sunset", "sunset-7"}) is None
