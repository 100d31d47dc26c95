"""Posts in pieces for sitemaps: by year where they are few, finer where many came out at once."""

import pytest

from glad_pipeline.publishing.post_chunks import MOST, UNDATED, Span, chunks_of, span_of


def names(days):
    return [(each.chunk, each.posts) for each in chunks_of(days)]


def test_a_year_is_one_chunk_until_it_has_too_many_posts():
    few = [("2025-12-31", 3), ("2024-02-29", 1), ("2025-01-01", MOST - 3)]
    assert names(few) == [("2024", 1), ("2025", MOST)]
    assert names([*few, ("2025-03-01", 1)]) == [("2024", 1), ("2025-01", MOST - 3), ("2025-03", 1), ("2025-12", 3)]


def test_what_came_out_on_one_day_is_cut_into_parts_and_the_other_days_stay():
    days = [("2025-01-01", 2 * MOST + 1), ("2025-01-02", 5), ("2025-02-01", 7), ("2026-01-01", 1)]
    parts = [(f"2025-01-01.{number}", posts) for number, posts in ((1, MOST), (2, MOST), (3, 1))]
    assert names(days) == [*parts, ("2025-01-02", 5), ("2025-02", 7), ("2026", 1)]


def test_days_that_no_name_can_have_are_together():
    odd = [(None, 1), ("infinity", 2), ("-infinity", 3), ("0044-03-15 BC", 4), ("12026-01-01", 5), ("9999-12-31", 6)]
    assert names(odd) == [(UNDATED, 21)]
    assert names([(None, MOST + 1)]) == [(f"{UNDATED}.1", MOST), (f"{UNDATED}.2", 1)]
    assert names([]) == []


@pytest.mark.parametrize(
    ("chunk", "start", "end", "skip"),
    [
        ("2024", "2024-01-01", "2025-01-01", 0),
        ("2023", "2023-01-01", "2024-01-01", 0),
        ("2024-02", "2024-02-01", "2024-03-01", 0),
        ("2024-12", "2024-12-01", "2025-01-01", 0),
        ("2024-02-29", "2024-02-29", "2024-03-01", 0),
        ("9998-12-31", "9998-12-31", "9999-01-01", 0),
        ("2024-02-29.3", "2024-02-29", "2024-03-01", 2 * MOST),
        (UNDATED, "", "", 0),
        (f"{UNDATED}.2", "", "", MOST),
    ],
)
def test_a_name_means_its_days(chunk, start, end, skip):
    assert span_of(chunk) == Span(start=start, end=end, skip=skip)


@pytest.mark.parametrize(
    "chunk",
    ["", "24", "2023-02-29", "2024-13", "2024-00", "0999", "9999", "2024-1", "2024.0", "2024.01", "2024.9999999", "x"],
)
def test_what_is_no_name_means_nothing(chunk):
    assert span_of(chunk) is None
