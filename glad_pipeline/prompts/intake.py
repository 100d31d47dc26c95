"""Putting prompts into the queue: one at a time, or a file of any size, all of it or nothing.

Knows the `prompts` table (its statements are in `intake.sql`) and the rules in `validation`. Knows nothing
of claims, pictures or posts. A file streams through a temporary table, so memory stays flat for a million rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, LiteralString

from glad_pipeline.database import Connection, Database, has_table, named_queries, value
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.readers import read_records
from glad_pipeline.prompts.validation import new_prompt
from glad_pipeline.records import FIELDS, NewPrompt, values_of

WRITTEN = (*FIELDS, "content_hash")
QUERIES = named_queries("glad_pipeline.prompts", "intake.sql", WRITTEN)
SHOWN = 50  # faults a person reads before mending the file
_DEFAULTS = {field.name: field.default for field in fields(NewPrompt)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What an import did."""

    added: int  # rows that are new in the queue
    existing: int  # lines that were there already, by task_id or content, or that the file repeats
    differing: int  # of `existing`: the task_id was there with other fields, which were kept
    first_time: datetime | None = None  # the earliest `publish_at` of the lines
    last_time: datetime | None = None


Progress = Callable[[str, int], None]
"""Told what is being done and the rows it has done, or is doing, so far."""


class _Faults:
    """The bad rows of a file: all are counted, the first of every check are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[tuple[int, str]] = []

    def add(self, found: Sequence[tuple[int, str]], *, of: int | None = None) -> None:
        """Note these bad lines, the first ones of `of` in all."""
        self.count += len(found) if of is None else of
        self._kept.extend(found)
        if len(self._kept) > 10 * SHOWN:
            self._kept = sorted(self._kept)[:SHOWN]

    def message(self, path: Path) -> str:
        shown = [f"  line {line}: {reason}" for line, reason in sorted(self._kept)[:SHOWN]]
        if self.count > len(shown):
            shown.append(f"  … and {self.count - len(shown):,} more")
        what = "1 fault" if self.count == 1 else f"{self.count:,} faults"
        return "\n".join([f"{path} has {what}, so nothing was imported:", *shown, "Mend the file and import it again."])


def content_hash(prompt: NewPrompt) -> str:
    """What makes two prompts the same: sha256 over every field that was set, in one canonical form.

    A field left at its default does not count, so that a new column never changes an old row's hash.
    """
    given = {name: found for name, found in values_of(prompt).items() if found != _DEFAULTS[name]}
    text = json.dumps(given, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_canonical)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(found: object) -> str:
    return found.isoformat() if isinstance(found, datetime) else str(found)


def add_prompt(database: Database, given: Mapping[str, Any], *, zone: tzinfo = UTC) -> tuple[int, bool]:
    """Put one prompt into the queue; return its id and whether it is new.

    The same `task_id`, or without one the same fields, is the same prompt: its id, and False. `zone`: that of a time
    without one.
    Raises `UsageError` with every reason if the fields break a rule or the slug is taken.
    """
    prompt = new_prompt(given, zone=zone)
    row = dict(zip(WRITTEN, _as_row(prompt), strict=True))
    with database.transaction() as connection:
        connection.execute(QUERIES["one_at_a_time"])
        if same := value(connection, QUERIES["same_prompt"], row):
            return int(same), False
        if prompt.slug is not None:
            refuse_taken_slug(connection, prompt)
        added = value(connection, QUERIES["insert_one"], row)
        if added is None:  # inserted by plain SQL since we looked
            return int(value(connection, QUERIES["same_prompt"], row)), False
        return int(added), True


def refuse_taken_slug(connection: Connection, prompt: NewPrompt) -> None:
    """Raises `UsageError` where another prompt or post has the slug that this new one asks for."""
    sought = {"slug": prompt.slug, "post_id": prompt.post_id}
    if found := value(connection, QUERIES["slug_of_prompt"], sought):
        raise UsageError(f"slug {prompt.slug!r} belongs to prompt {found} already: choose another, or none")
    if has_table(connection, "posts") and (found := value(connection, QUERIES["slug_of_post"], sought)):
        raise UsageError(
            f"slug {prompt.slug!r} belongs to the post {found} already: "
            "choose another, or set post_id to illustrate that post"
        )


def import_file(
    database: Database, path: Path, *, zone: tzinfo = UTC, progress: Progress | None = None
) -> ImportReport:
    """Put every row of a `.csv` or `.jsonl` file into the queue, or, if one of them is wrong, none.

    Idempotent: a row is the same prompt as an earlier one by its `task_id`, or without one by all its fields, as they
    are or as they were before an edit. `zone`: that of times without one.
    Raises `UsageError` that names each bad row (the first 50) by line and reason.

    >>> import_file(database, Path("examples/prompts.csv"))
    ImportReport(added=14, existing=0, differing=0)
    """
    tell = progress or (lambda _doing, _rows: None)
    faults = _Faults()
    with database.connect() as connection:
        connection.execute(QUERIES["begin_staging"])
        connection.execute(QUERIES["create_staging"])
        staged = _stage(connection, path, zone, faults, tell)
        tell("looking for duplicates among", staged)
        connection.execute(QUERIES["analyze_staging"])
        connection.execute(QUERIES["one_at_a_time"])
        _find_duplicates(connection, faults)
        if faults.count:
            raise UsageError(faults.message(path))
        tell("writing", staged)
        differing = value(connection, QUERIES["count_differing"])
        times = connection.execute(QUERIES["times"]).fetchone() or {}
        added = connection.execute(QUERIES["insert_staged"]).rowcount
    return ImportReport(added=added, existing=staged - added, differing=differing, **times)


def _stage(connection: Connection, path: Path, zone: tzinfo, faults: _Faults, tell: Progress) -> int:
    """Copy the good rows to `incoming`, note the bad ones, and return how many were good."""
    staged = 0
    with connection.cursor() as cursor, cursor.copy(QUERIES["copy_staging"]) as copy:
        for number, record in enumerate(read_records(path), start=1):
            if number % 1_000 == 0:
                tell("checked", number)
            if record.fault:
                faults.add([(record.line, record.fault)])
                continue
            try:
                prompt = new_prompt(record.fields, zone=zone)
            except UsageError as error:
                faults.add([(record.line, str(error))])
                continue
            copy.write_row((*_as_row(prompt), record.line))
            staged += 1
    return staged


def _as_row(prompt: NewPrompt) -> tuple[Any, ...]:
    """The values of WRITTEN. Without a seed, the content decides it: the same everywhere."""
    identity = content_hash(prompt)
    if prompt.seed is None:
        prompt = replace(prompt, seed=chosen_seed(identity))
    return (*values_of(prompt).values(), identity)


def chosen_seed(identity: str) -> int:
    """The seed of a prompt that names none, by its content hash."""
    return int(identity[:8], 16)


def _find_duplicates(connection: Connection, faults: _Faults) -> None:
    def check(query: LiteralString, reason: str) -> None:
        rows = connection.execute(query, {"limit": SHOWN}).fetchall()
        if rows:
            faults.add([(row["line"], reason.format(**row)) for row in rows], of=rows[0]["faults"])

    check(QUERIES["task_ids_twice"], "task_id {value!r} is on line {first_line} already, with other fields")
    check(QUERIES["slugs_twice"], "slug {value!r} is on line {first_line} already: choose another, or none")
    check(QUERIES["slugs_of_prompts"], "slug {value!r} belongs to prompt {prompt_id} already: choose another, or none")
    if has_table(connection, "posts"):
        check(
            QUERIES["slugs_of_posts"],
            "slug {value!r} belongs to the post {post_id} already: choose another, or set post_id to illustrate it",
        )
