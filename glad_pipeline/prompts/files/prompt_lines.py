"""TXT: a prompt a line, or options as the usual UIs' "prompts from file" has them: `--prompt "a lake" --steps 20`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import BinaryIO

from glad_pipeline.display import quoted
from glad_pipeline.prompts.files.json_records import record_of
from glad_pipeline.prompts.files.lines import text_lines
from glad_pipeline.prompts.files.record import Reading, Record

_TEXTS = ("prompt", "negative_prompt")  # whose words need no quotes


def prompt_line_records(reading: Reading, stream: BinaryIO) -> Iterator[Record]:
    """One record a line: options where it begins with `--`, else the prompt as it stands."""
    for number, line in enumerate(text_lines(reading, stream), start=1):
        text = line.strip()
        if not text:
            reading.empty += 1
        elif text.startswith("--"):
            yield _with_options(reading, number, text)
        else:
            yield Record(number, {"prompt": text}, None, (("prompt",), (text,)))


def _with_options(reading: Reading, line: int, text: str) -> Record:
    given = (("prompt",), (text,))
    try:
        words = shlex.split(text)
    except ValueError:
        return Record(line, {}, "opens a quote that is never closed: put the prompt in double quotes", given)
    found: dict[str, str] = {}
    at = 0
    while at < len(words):
        if not words[at].startswith("--"):
            return Record(line, {}, f"has {quoted(words[at])} where an option such as --steps must be", given)
        name, equals, value = words[at].removeprefix("--").partition("=")
        at += 1
        if not equals:
            begun = at
            while at < len(words) and not words[at].startswith("--") and (at == begun or name in _TEXTS):
                at += 1
            value = " ".join(words[begun:at])
            if at == begun:
                return Record(line, {}, f"has {quoted(f'--{name}')} without a value", given)
        if name in found:
            return Record(line, {}, f"has {quoted(f'--{name}')} twice", given)
        found[name] = value
    return record_of(reading, line, found)
