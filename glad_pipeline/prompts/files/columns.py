"""Which column of somebody's file is which field of a prompt: by name, by a well-known other name, or as one is told.

Nothing is passed over in silence: a column that is no field is an error that proposes the `--map` or `--ignore`, and
whatever was read under another name is listed in `renamed`. Knows names, and no values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.records import FIELDS

SIZE = "size"  # width and height in one, see `spellings`
KNOWN = (*FIELDS, SIZE)
MOST = 1_000  # columns of one file
RESULTS = (  # what `glad prompts export` writes beside the fields, and import passes over
    "result_id",
    "result_status",
    "result_reason",
    "result_seed",
    "result_image_url",
    "result_post",
    "result_published_at",
)
REFUSED = ("result_line", "result_reason")  # what an import writes beside the cells of a row that it refuses
PASSED_OVER = frozenset((*RESULTS, *REFUSED))
EVERYTHING = "*"
# Names that mean one thing in every tool that writes them; read without being told to, and reported
ALIASES = {
    "positive_prompt": "prompt",
    "negative": "negative_prompt",
    "neg_prompt": "negative_prompt",
    "negativeprompt": "negative_prompt",
    "name": "title",  # styles.csv
    "step": "num_inference_steps",
    "steps": "num_inference_steps",
    "sampling_steps": "num_inference_steps",
    "inference_steps": "num_inference_steps",
    "num_steps": "num_inference_steps",
    "cfg": "guidance_scale",
    "cfg_scale": "guidance_scale",
    "cfgscale": "guidance_scale",
    "guidance": "guidance_scale",
    "sampler": "scheduler",
    "sampler_name": "scheduler",
    "sampling_method": "scheduler",
    "resolution": SIZE,
    "dimensions": SIZE,
    "image_size": SIZE,
    "aspect_ratio": SIZE,
}
# Names that may mean it: only proposed
_PERHAPS = {
    "text": "prompt",
    "caption": "prompt",
    "description": "prompt",
    "sentence": "prompt",
    "instruction": "prompt",
    "heading": "title",
    "headline": "title",
    "tag": "category",
}
_NAMELESS = re.compile(r"(unnamed: ?\d+(_level_\d+)?)?", re.IGNORECASE)  # "Unnamed: 0": pandas has read and written it
_SHOWN = 30  # names in the command that is proposed


class ColumnsRefused(UsageError):
    """The columns of a file, or the keys of one record, cannot be those of a prompt."""


class UnknownColumns(ColumnsRefused):
    """Some columns are no field; `mapped` and `ignored` are what to do with them."""

    def __init__(self, names: Sequence[str], mapped: Mapping[str, str], ignored: Sequence[str]) -> None:
        meant = {name: near for name in names[:10] if (near := _near(name))}
        shown = [quoted(name) + (f" (did you mean {meant[name]}?)" if name in meant else "") for name in names[:10]]
        more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
        super().__init__(f"unknown {', '.join(shown)}{more}")
        self.names = names
        self.mapped = mapped
        self.ignored = ignored


class Columns:
    """The columns of one file, one row's names after the other: a table has the same in each, JSON need not."""

    def __init__(self, mapped: Mapping[str, str], ignored: Sequence[str]) -> None:
        for column, target in mapped.items():
            if target not in KNOWN:
                fields = ", ".join(KNOWN)
                raise UsageError(
                    f"--map {quoted(column)}={quoted(target)}: there is no field {quoted(target)}. Fields: {fields}"
                )
        self._mapped = {**{normal(column): target for column, target in mapped.items()}, **mapped}
        self._ignored = {*ignored, *map(normal, ignored)}
        self._known: dict[tuple[str, ...], tuple[str | None, ...]] = {}
        self._unused = dict.fromkeys(mapped)
        self.renamed: dict[str, str] = {}  # the file's own name → field, where they differ
        self.passed_over: dict[str, None] = {}

    def fields_of(self, names: Sequence[str]) -> tuple[str | None, ...]:
        """The field of each column; None for one to pass over, "" for one that has no name.

        Raises `ColumnsRefused` where a column is no field, or two are the same.
        """
        key = tuple(names)
        if (found := self._known.get(key)) is None:
            found = self._resolve(key)
            if len(self._known) >= MOST:  # every row has names of its own: nothing is gained, but memory is lost
                self._known.clear()
            self._known[key] = found
        return found

    def unused(self) -> list[str]:
        """Columns of `--map` that no row has had."""
        return list(self._unused)

    def as_in_file(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """These fields under the file's own names."""
        own = {field: name for name, field in self.renamed.items()}
        return {own.get(field, field): value for field, value in fields.items()}

    def _resolve(self, names: tuple[str, ...]) -> tuple[str | None, ...]:
        if len(names) > MOST:
            raise ColumnsRefused(f"{len(names):,} columns, where at most {MOST:,} can be read: is the separator right?")
        found: list[str | None] = [self._by_name(name) for name in names]
        for at, name in enumerate(names):  # after all others: a column of the very name goes first
            alias = ALIASES.get(normal(name))
            if found[at] == "?" and alias and alias not in found and not self._is_ignored(name):
                found[at] = alias
        _refuse_twice(names, found)
        unknown = [name for name, field in zip(names, found, strict=True) if field == "?"]
        if EVERYTHING in self._ignored:
            found = [None if field == "?" else field for field in found]
        elif unknown:
            raise UnknownColumns(unknown, *_proposal(unknown, found))
        self._note(names, found)
        return tuple(found)

    def _by_name(self, name: str) -> str | None:
        """The field of this name, "?" if there is none."""
        plain = normal(name)
        if field := self._mapped.get(name) or self._mapped.get(plain):
            return field
        if self._is_ignored(name) or name in PASSED_OVER:
            return None
        if _NAMELESS.fullmatch(name.strip()):
            return ""
        return plain if plain in KNOWN else "?"

    def _is_ignored(self, name: str) -> bool:
        return name in self._ignored or normal(name) in self._ignored

    def _note(self, names: Sequence[str], found: Sequence[str | None]) -> None:
        for name in [*self._unused]:
            if name in names or normal(name) in map(normal, names):
                del self._unused[name]
        for name, field in zip(names, found, strict=True):
            noted = len(self.renamed) + len(self.passed_over)
            if field is None and noted < MOST:
                self.passed_over[name] = None
            elif field and name != field and noted < MOST:
                self.renamed[name] = field


def normal(name: str) -> str:
    """`Negative prompt`, `negativePrompt` and `negative-prompt` are `negative_prompt`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s_.-]+", "_", words).lower()


def _refuse_twice(names: Sequence[str], found: Sequence[str | None]) -> None:
    first: dict[str, str] = {}
    for name, field in zip(names, found, strict=True):
        if not field or field == "?":
            continue
        if field in first:
            both = "" if first[field] == name == field else f": {quoted(first[field])} and {quoted(name)}"
            raise ColumnsRefused(f"the column {field} appears twice{both}. Pass one over with --ignore, or rename it")
        first[field] = name


def _proposal(unknown: Sequence[str], found: Sequence[str | None]) -> tuple[dict[str, str], list[str]]:
    """What to map and what to ignore, so that the file can be read."""
    mapped: dict[str, str] = {}
    for name in unknown[:_SHOWN]:
        target = _near(name)
        if target and target not in found and target not in mapped.values() and _can_be_typed(name):
            mapped[name] = target
    others = [name for name in unknown if name not in mapped]
    if len(others) > _SHOWN or not all(map(_can_be_typed, others)):
        others = [EVERYTHING]
    return mapped, others


def _near(name: str) -> str | None:
    """The field that this name may mean."""
    near = difflib.get_close_matches(normal(name)[:60], KNOWN, n=1, cutoff=0.75)
    return _PERHAPS.get(normal(name)) or (near[0] if near else None)


def _can_be_typed(name: str) -> bool:
    return name.isprintable() and len(name) <= 60 and "," not in name
