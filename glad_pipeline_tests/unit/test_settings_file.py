"""The file of settings where a command writes into it: what it sets is read back as it is, all else stays."""

import pytest
from dotenv import dotenv_values

from glad_pipeline.errors import GladError
from glad_pipeline.local.settings_file import differing, write_settings

VALUES = [
    "plain",
    "",
    "it's",
    "a b",
    "https://a.b/#c",
    'say "no"',
    "back\\slash",
    "\\'",
    "a\\nb",
    "two\nlines",
    "日本 🦊",
    "$HOME",
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("before", ["", "A=1\n", "B=2\nA=1", "\n# about B\n\nexport B='x' # why\n"])
def test_whatever_is_written_is_read_back_and_written_once(tmp_path, before, value):
    file = tmp_path / ".env"
    file.write_text(before)
    write_settings(file, {"B": value})
    assert dotenv_values(file)["B"] == value
    assert dotenv_values(file).get("A") == dotenv_values(stream=file.open()).get("A")
    assert differing(file, {"B": value}) == {}
    once = file.read_bytes()
    assert write_settings(file, {"B": value}) == {}
    assert file.read_bytes() == once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# head\n\n\nexport B=2\nC='x'\nB=3\n", "# head\n\n\nexport B='it\\'s'\nC='x'\n"),
        ("A=1\r\nB=2\r\n", "A=1\r\nB='it\\'s'\r\n"),
        ("A=1\r\n", "A=1\r\nB='it\\'s'\r\n"),
        ("\ufeffB=2\n", "\ufeffB='it\\'s'\n"),
        ("B\nX=1\n", "B='it\\'s'\nX=1\n"),
    ],
)
def test_all_else_stays_as_it_is(tmp_path, before, after):
    file = tmp_path / ".env"
    file.write_bytes(before.encode())
    write_settings(file, {"B": "it's"})
    assert file.read_bytes().decode() == after


def test_a_value_that_the_file_cannot_say_is_refused_and_nothing_is_written(tmp_path):
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    with pytest.raises(GladError, match=r"B cannot be written to .*nothing was written"):
        write_settings(file, {"B": "${A}"})
    assert file.read_text() == "A=1\n"
