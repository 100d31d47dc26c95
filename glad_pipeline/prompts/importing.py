"""Putting files of prompts into the queue: of any size, in any of the formats of `files`, all of them or nothing.

The rows stream through a temporary table, so memory stays flat for a million of them; what is wrong between rows, or
with what is in the queue already, is found out there. Knows the `prompts` table (its statements are in `intake.sql`)
and the rules in `validation`. Knows nothing of claims, pictures or posts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, LiteralString

from glad_pipeline.database import Connection, Database, value
from glad_pipeline.database.blog import has_posts
from glad_pipeline.database.content_tasks import NO_SUCH_TASK, OTHERWISE, look_at_tasks
from glad_pipeline.display import one_line, quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.exported import ExportedRows
from glad_pipeline.prompts.files.reading import STANDARD_INPUT, new_reading, read_records
from glad_pipeline.prompts.files.record import Reading, ReadOptions, Record
from glad_pipeline.prompts.intake import QUERIES, as_given, as_row, ids_of_posts, key_of
from glad_pipeline.prompts.refusals import SHOWN, Refusals
from glad_pipeline.prompts.sources import kept_to_limits
from glad_pipeline.prompts.syntax import notices
from glad_pipeline.prompts.validation import new_prompt
from glad_pipeline.records import FIELDS, NewPrompt, PostIdKind

PREVIEWED = 5  # rows that a dry run shows
_AT_ONCE = 10_000  # lines taken out by one statement
_TAKEN = {  # the statement that finds them → the reason, made from its row
    "task_ids_twice": "task_id {value!r} is on {first} already, with other fields",
    "keys_twice": "idempotency_key {value!r} is on {first} already, with other fields",
    "keys_of_prompts": "idempotency_key {value!r} belongs to prompt {prompt_id} already, which asks for something else",
    "slugs_twice": "slug {value!r} is on {first} already: choose another, or none",
    "slugs_of_prompts": "slug {value!r} belongs to prompt {prompt_id} already: choose another, or none",
    "slugs_of_posts": "slug {value!r} belongs to the post {post_id} already: "
    "choose another, or set post_id to illustrate it",
    "unknown_posts": "post_id {value!r}: no post has this id",
}
_OF_POSTS = ("slugs_of_posts", "unknown_posts")
_LINE_BITS = 40  # a place is the number of the file above the line in it: places are in the order of reading


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportOptions:
    """How to import; the defaults import all rows of the files or none."""

    read: ReadOptions = field(default_factory=ReadOptions)
    dry_run: bool = False  # nothing is written; the report says what would be, and shows the first rows
    skip_bad: bool = False  # rows that are refused are left out, the others are imported
    errors: Path | None = None  # where refused rows are written, with result_line and result_reason
    most: int | None = None  # rows: more are refused, before they are written
    zone: tzinfo = UTC  # of times without one
    syntax: str = "plain"  # how a prompt that names no `prompt_syntax` will be read
    otherwise: Mapping[str, str] = field(default_factory=dict)  # fields of rows that say nothing of them
    always: Mapping[str, str] = field(
        default_factory=dict
    )  # fields of all rows: one that says another thing is refused
    keys_of: str | None = None  # whose own the idempotency keys are, see `intake.key_of`


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A row of a file as it would be in the queue."""

    where: str  # file and line
    prompt: NewPrompt  # with its seed
    notices: tuple[str, ...]  # what is drawn in another way than it seems to be meant


@dataclass(kw_only=True, slots=True)
class Noticed:
    """What in many rows is drawn in another way than it seems to be meant, see `syntax`."""

    kind: str
    rows: int = 0
    where: list[str] = field(default_factory=list)  # the first few
    example: str = ""  # of the first


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What an import did, or with `dry_run` would do."""

    added: int  # rows that are new in the queue
    existing: int  # lines that were there already, by their key, task_id or content, or that the files repeat
    differing: int  # of `existing`: the task_id was there with other fields, which were kept
    refused: int = 0  # rows that are wrong: with `skip_bad` they were left out, else nothing would be imported
    read: tuple[str, ...] = ()  # how each file was read, where that is not as plain as can be
    noticed: tuple[Noticed, ...] = ()
    first: tuple[Preview, ...] = ()  # with `dry_run`
    first_time: datetime | None = None  # the earliest `publish_at` of the rows
    last_time: datetime | None = None
    faults: str = ""  # what is wrong with the refused rows, in words
    reasons: tuple[tuple[str, str], ...] = ()  # where, and what is wrong there: the first SHOWN
    unknown: tuple[str, ...] = ()  # what records name that is no field of a prompt: they are refused for it


class ImportRefusedError(UsageError):
    """Rows are wrong, and nothing was imported."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__(report.faults)
        self.report = report


Progress = Callable[[str, int], None]
"""Told what is being done and the rows it has done, or is doing, so far."""


def import_file(
    database: Database, path: Path, *, zone: tzinfo = UTC, progress: Progress | None = None
) -> ImportReport:
    """Put every row of a file into the queue, or, if one of them is wrong, none; see `import_files`.

    >>> import_file(database, Path("examples/prompts.csv"))
    ImportReport(added=14, existing=0, differing=0, refused=0, read=(), noticed=(), first=(),
                 first_time=None, last_time=None, faults='', reasons=(), unknown=())
    """
    return import_files(database, [path], ImportOptions(zone=zone), progress=progress)


def import_files(
    database: Database,
    paths: Sequence[Path],
    options: ImportOptions | None = None,
    *,
    progress: Progress | None = None,
) -> ImportReport:
    """Put every row of these files into the queue, or, if one of them is wrong, none.

    Idempotent: a row is the same prompt as an earlier one by its `task_id`, or without one by all its fields, as they
    are or as they were before an edit. An `idempotency_key` of a prompt with other fields is refused.
    Raises `ImportRefusedError` that names each bad row (the first 50) by line and reason, and another `UsageError`
    where a file as a whole cannot be read.

    Args:
        paths: of files, or `-` for standard input.
        options: how to read them, and what to do with bad rows.
        progress: told of each thousand rows.
    """
    options = options or ImportOptions()
    _refuse_confusion(paths, options)
    read = replace(options.read, files=tuple(map(str, paths)))
    readings = [new_reading(path, read) for path in paths]
    job = _Import(paths, readings, options, progress or (lambda _doing, _rows: None), ExportedRows(database))
    with Refusals(job.where, options.errors) as refusals, database.connect() as connection:
        report = job.run(connection, refusals)
        refusals.write()
        if report.refused and not (options.dry_run or options.skip_bad):
            raise ImportRefusedError(report)
        if options.dry_run:
            connection.rollback()
    return report


def _refuse_confusion(paths: Sequence[Path], options: ImportOptions) -> None:
    if not paths:
        raise UsageError("name at least one file, or - for standard input")
    whole = [path if path == STANDARD_INPUT else path.absolute() for path in paths]
    if twice := [path for path in whole if whole.count(path) > 1]:
        raise UsageError(f"{twice[0]} is named twice: name each file once")
    if options.errors is not None and options.errors.absolute() in whole:
        raise UsageError(f"--errors {options.errors} is one of the files to import: name another")


class _Import:
    """One import, from the files to the queue, on one connection."""

    def __init__(
        self,
        paths: Sequence[Path],
        readings: Sequence[Reading],
        options: ImportOptions,
        progress: Progress,
        exported: ExportedRows,
    ) -> None:
        self._paths = paths
        self._readings = readings
        self._options = options
        self._tell = progress
        self._exported = exported
        self._first: list[Preview] = []
        self._noticed: dict[str, Noticed] = {}
        self._ids: PostIdKind = "uuid"  # what the ids of the blog's posts are

    def where(self, place: int) -> str:
        """A place in words: `line 7`, or with its file where there are several."""
        reading, line = self._readings[place >> _LINE_BITS], place & ((1 << _LINE_BITS) - 1)
        at = f"{'row' if reading.format in ('json', 'parquet') else 'line'} {line}"
        return at if len(self._paths) == 1 else f"{one_line(reading.name, 200)}, {at}"

    def run(self, connection: Connection, refusals: Refusals) -> ImportReport:
        connection.execute(QUERIES["begin_staging"])
        connection.execute(QUERIES["create_staging"])
        connection.execute(QUERIES["create_fresh"])
        self._ids = ids_of_posts(connection)
        staged = self._stage(connection, refusals)
        self._refuse_unused_maps(staged + refusals.count + self._exported.count)
        self._tell("looking for duplicates among", staged)
        connection.execute(QUERIES["analyze_staging"])
        connection.execute(QUERIES["one_at_a_time"])
        connection.execute(QUERIES["take_out_known"])
        staged -= self._find_duplicates(connection, refusals)
        report = ImportReport(
            added=0,
            existing=0,
            differing=0,
            refused=refusals.count,
            read=tuple(filter(None, (reading.described() for reading in self._readings))),
            noticed=tuple(self._noticed.values()),
            first=tuple(self._first),
            faults=self._faults(refusals) if refusals.count else "",
            reasons=refusals.first(),
            unknown=tuple(dict.fromkeys(name for reading in self._readings for name in reading.unknown)),
        )
        if report.refused and not self._options.skip_bad:
            return report
        differing = value(connection, QUERIES["count_differing"])
        times = connection.execute(QUERIES["times"]).fetchone() or {}
        self._tell("trying" if self._options.dry_run else "writing", staged)
        with kept_to_limits():  # also of a dry run, which is rolled back: triggers refuse what no check of ours knows
            added = connection.execute(QUERIES["insert_staged"]).rowcount
        return replace(
            report, added=added, existing=staged - added + self._exported.count, differing=differing, **times
        )

    def _stage(self, connection: Connection, refusals: Refusals) -> int:
        """Copy the good rows to `incoming`, note the bad ones, and return how many were good."""
        staged = number = 0
        with connection.cursor() as cursor, cursor.copy(QUERIES["copy_staging"]) as copy:
            for index, path in enumerate(self._paths):
                for record in self._exported.without(read_records(path, self._readings[index])):
                    number += 1
                    if self._options.most is not None and number > self._options.most:
                        raise UsageError(f"these are over {self._options.most:,} rows: import them in several files")
                    if number % 1_000 == 0:
                        self._tell("checked", number)
                    place = index << _LINE_BITS | record.line
                    if record.fault:
                        self._refuse_lost_rows(self._readings[index], record)
                        refusals.add(place, record.fault, *record.given)
                        continue
                    try:
                        prompt = new_prompt(self._whole(record.fields), zone=self._options.zone, ids=self._ids)
                    except UsageError as error:
                        refusals.add(place, str(error), *record.given)
                        continue
                    row = as_row(prompt)
                    copy.write_row((*row, place))
                    staged += 1
                    self._look_at(place, prompt, row, first=staged <= PREVIEWED)
        return staged

    def _whole(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row with what was said for all rows, where it says nothing itself, and with the client's own key."""
        said = {**self._options.otherwise, **self._options.always}
        missing = {name: value for name, value in said.items() if fields.get(name) in (None, "")}
        for name, only in self._options.always.items():
            if name not in missing and fields[name] != only:
                raise UsageError(f"{name} {quoted(fields[name])} may not be given: it is {quoted(only)} of all rows")
        key, source = fields.get("idempotency_key"), self._options.keys_of
        if source is not None and isinstance(key, str):
            missing["idempotency_key"] = key_of(source, key)
        return {**fields, **missing} if missing else fields

    def _look_at(self, place: int, prompt: NewPrompt, row: Sequence[Any], *, first: bool) -> None:
        """Note what is to be said of a row; with `first` also the row, for a dry run."""
        syntax = prompt.prompt_syntax or self._options.syntax
        found = notices(prompt.prompt, prompt.negative_prompt, syntax=syntax)
        for kind, text in {notice.kind: notice.text for notice in found}.items():
            noticed = self._noticed.setdefault(kind, Noticed(kind=kind, example=text))
            noticed.rows += 1
            if len(noticed.where) < PREVIEWED:
                noticed.where.append(self.where(place))
        if first and self._options.dry_run:
            texts = tuple(notice.text for notice in found)
            self._first.append(Preview(where=self.where(place), prompt=_prompt_of(row), notices=texts))

    def _refuse_lost_rows(self, reading: Reading, record: Record) -> None:
        """A quote that is never closed has good rows behind it, which `--skip-bad` would leave out uncounted."""
        if self._options.skip_bad and record.last > record.line:
            raise UsageError(
                f"{reading.name}, line {record.line}: {record.fault}, so nothing was imported: --skip-bad leaves out "
                "single rows, and which these are cannot be said. Mend the quote"
            )

    def _refuse_unused_maps(self, rows: int) -> None:
        """A column of `--map` that no file has is a mistake: its values would be missed."""
        unused = set.intersection(*(set(reading.columns.unused()) for reading in self._readings))
        if rows and unused:
            raise UsageError(f"--map: no file has the column {', '.join(map(quoted, sorted(unused)))}: check its name")

    def _faults(self, refusals: Refusals) -> str:
        alone = len(self._paths) == 1
        subject = f"{one_line(self._readings[0].name, 500)} has" if alone else f"{len(self._paths)} files have"
        cures = [reading.cure() for reading in self._readings if reading.mapped or reading.ignored]
        return refusals.message(subject, left_out=self._options.skip_bad, cures=cures)

    # ---- what is wrong between rows, or with what is there already

    def _find_duplicates(self, connection: Connection, refusals: Refusals) -> int:
        """Refuse what repeats a key or slug, or is for a post or task that there is not.

        Returns how many rows were taken out for it.
        """
        no_posts = () if has_posts(connection) else _OF_POSTS
        checks = {name: reason for name, reason in _TAKEN.items() if name not in no_posts}
        taken = sum(self._check(connection, QUERIES[name], reason, refusals) for name, reason in checks.items())
        if not value(connection, QUERIES["asks_for_tasks"]):
            return taken
        tasks = look_at_tasks(connection)
        tasks.require_rights()
        unknown = "unknown_uuid_tasks" if tasks.type == "uuid" else "unknown_tasks"
        query = QUERIES[unknown if tasks.problem is None else "for_tasks"]
        reason = f"task_id {{value!r}}: {tasks.problem or NO_SUCH_TASK}. {OTHERWISE}"
        return taken + self._check(connection, query, reason, refusals)

    def _check(self, connection: Connection, query: LiteralString, reason: str, refusals: Refusals) -> int:
        if not (self._options.skip_bad or refusals.wants_all):
            rows = connection.execute(query, {"limit": SHOWN}).fetchall()
            if rows:
                refusals.add_first([(row["line"], self._reason(reason, row)) for row in rows], of=rows[0]["faults"])
            return 0
        taken = 0
        for rows in _batches(connection, query):
            reasons = {row["line"]: self._reason(reason, row) for row in rows}
            for row in connection.execute(QUERIES["take_out"], {"lines": list(reasons)}):
                place = row["line"]
                given = self._readings[place >> _LINE_BITS].columns.as_in_file(as_given(row))
                refusals.add(place, reasons[place], list(given), list(given.values()))
                taken += 1
        return taken

    def _reason(self, reason: str, row: dict[str, Any]) -> str:
        first = self.where(row["first_line"]) if "first_line" in row else ""
        return reason.format(**row, first=first)


def _prompt_of(row: Sequence[Any]) -> NewPrompt:
    return NewPrompt(**dict(zip(FIELDS, row, strict=False)))


def _batches(connection: Connection, query: LiteralString) -> Iterator[list[dict[str, Any]]]:
    """All rows of a query, some at a time."""
    with connection.cursor(name="found") as cursor:
        cursor.execute(query, {"limit": None})
        while rows := cursor.fetchmany(_AT_ONCE):
            yield rows
