"""Texts for people: cut, counted, harmless in a terminal, and without secrets."""

import pytest

from glad_pipeline.display import counted, first_line, in_bytes, in_time, one_line, quoted, tail, visible
from glad_pipeline.redaction import hide


@pytest.mark.parametrize(
    ("text", "most", "line"),
    [
        ("a\n b\t c", 9, "a b c"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("\x1b[31mred\x07\u202e", 20, "·[31mred··"),
        ("", 5, ""),
    ],
)
def test_any_text_is_one_line_that_steers_no_terminal(text, most, line):
    assert one_line(text, most) == line


def test_line_breaks_stay_visible_and_nothing_else_moves_the_cursor():
    assert visible("a\r\nb\x1b[2J\tc") == "a \nb·[2J c"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a'b\n", '"a\'b\\n"'),
        ("x" * 41, f"'{'x' * 40}'… (41 characters)"),
        (7.5, "7.5"),
        (None, "None"),
        pytest.param(10**5000, "a whole number of 16,610 bits", id="unprintable"),
    ],
)
def test_a_refused_value_is_quoted_and_never_long(value, shown):
    assert quoted(value) == shown


def test_the_first_line_of_an_error_has_no_secret_and_is_never_empty():
    hide("hunter2-hunter2")
    assert first_line(ValueError("\n  no hunter2-hunter2 here\nmore")) == "no *** here"
    assert first_line(KeyError()) == "KeyError"


def test_numbers_are_counted_and_measured():
    assert counted({"pending": 1_204, "failed": 0, "published": 3}) == "1,204 pending, 3 published"
    assert counted({"failed": 0}, none="empty") == "empty"
    assert [in_bytes(size) for size in (12, 4_000, 17_300_000, 6_900_000_000)] == [
        "12 bytes",
        "4.0 kB",
        "17.3 MB",
        "6.9 GB",
    ]
    assert [in_time(seconds) for seconds in (0.4, 119, 120, 600)] == ["0 s", "119 s", "2 min", "10 min"]


def test_the_end_of_a_log_is_indented_and_a_missing_one_is_said(tmp_path):
    log = tmp_path / "log"
    assert tail(log) == "  (no log)"
    log.write_text("")
    assert tail(log) == "  (the log is empty)"
    log.write_text("\n".join(map(str, range(100))))
    assert tail(log, 2) == "  | 98\n  | 99"
