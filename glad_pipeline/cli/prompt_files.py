"""`glad prompts import` and `export`: files of prompts, from a terminal.

Exit codes: 0 done, 2 (by `UsageError`) some row or file cannot be right.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from glad_pipeline.cli.progress import Progress
from glad_pipeline.cli.prompts import STATUSES
from glad_pipeline.cli.prompts import commands as of_prompts
from glad_pipeline.cli.runtime import Runtime, warn_of_volume
from glad_pipeline.display import in_zone, one_line, visible

if TYPE_CHECKING:
    from glad_pipeline.engine_options import EngineOptions
    from glad_pipeline.prompts.importing import ImportOptions, ImportReport

FORMATS = "csv, tsv, jsonl, json, parquet, txt"

commands = of_prompts  # the same group


Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", parser=Path, show_default=False, help=f"{FORMATS}; - is standard input"),
]
Format = Annotated[str | None, typer.Option("--format", metavar="F", help=f"{FORMATS}; absent: by name and content")]
Encoding = Annotated[str | None, typer.Option(metavar="E", help="utf-8, utf-16, cp1252 …; absent: found out")]
Separator = Annotated[str | None, typer.Option(metavar="C", help="between cells: ; or tab, say; absent: found out")]
Maps = Annotated[
    list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD", help="read this column as that field; repeatable")
]
Ignored = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN,...", help="pass these columns over; * is all that are no field; repeatable"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="change nothing; show the first rows as they would be")]
Errors = Annotated[
    Path | None, typer.Option(metavar="FILE.csv", parser=Path, help="write refused rows there, with line and reason")
]
Publish = Annotated[str | None, typer.Option(metavar="post|picture", help="of rows that do not say it")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="leave refused rows out and import the others")]


@commands.command("import")
def import_(
    context: typer.Context,
    files: Files,
    *,
    format_: Format = None,
    encoding: Encoding = None,
    separator: Separator = None,
    maps: Maps = None,
    ignore: Ignored = None,
    dry_run: DryRun = False,
    errors: Errors = None,
    skip_bad: SkipBad = False,
    publish: Publish = None,
) -> int:
    """Put every row of files into the queue, or none if one of them is wrong."""
    from glad_pipeline.prompts.files.record import ReadOptions
    from glad_pipeline.prompts.importing import ImportOptions, import_files

    read = ReadOptions(
        format=format_,
        encoding=encoding,
        separator=separator,
        mapped=_mapped(context, maps or ()),
        ignored=_names(ignore or ()),
    )
    runtime = Runtime.of(context)
    engine, zone = runtime.settings.engine, runtime.settings.zone
    options = ImportOptions(
        read=read,
        dry_run=dry_run,
        skip_bad=skip_bad,
        errors=errors,
        zone=zone,
        syntax=engine.prompt_syntax,
        otherwise={} if publish is None else {"publish": publish},
    )
    with runtime.database() as database, Progress(every=5.0) as progress:
        warn_of_volume(runtime.settings, database)
        report = import_files(database, files, options, progress=ImportProgress(progress))
    if dry_run:
        _preview(report, engine)
    return _tell(files, options, report)


def _mapped(context: typer.Context, maps: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in maps:
        column, equals, field = text.rpartition("=")
        if not equals:
            raise click.UsageError(f"--map {text} must be COLUMN=FIELD, such as Text=prompt", ctx=context)
        found[column] = field.strip()
    return found


def _names(texts: Sequence[str]) -> list[str]:
    """Names that commas separate; one with a comma in it is in double quotes."""
    return [name for text in texts for row in csv.reader([text], skipinitialspace=True) for name in row or [""]]


def _tell(files: Sequence[Path], options: ImportOptions, report: ImportReport) -> int:
    for line in report.read:
        print(line, file=sys.stderr)
    for noticed in report.noticed:
        rows = "1 row" if noticed.rows == 1 else f"{noticed.rows:,} rows"
        more = " …" if noticed.rows > len(noticed.where) else ""
        places = ", ".join(noticed.where) + more
        print(f"{noticed.kind} in {rows} ({places}): {noticed.example}", file=sys.stderr)
    if report.faults:
        print(report.faults, file=sys.stderr)
    if report.faults and not options.skip_bad:
        print("nothing would be imported")
        return 2
    what = visible(str(files[0])) if len(files) == 1 else f"{len(files)} files"
    would = "would be " if options.dry_run else ""
    print(f"{what}: {report.added:,} {would}added, {report.existing:,} there already", end="")
    print(f", {report.refused:,} left out" if report.refused else "")
    if report.first_time and report.last_time:
        times = [in_zone(time, options.zone) for time in (report.first_time, report.last_time)]
        print(f"to be published from {times[0]} to {times[1]}")
    if report.differing:
        print(f"{report.differing:,} of these have a task_id that is in the queue with other fields, which were kept")
    if options.dry_run:
        print(f"nothing was written; the cost would be {report.added:,} pictures")
    return 0


def _preview(report: ImportReport, engine: EngineOptions) -> None:
    """The first rows, each field that is set on a line of its own."""
    from glad_pipeline.cli.output import print_fields
    from glad_pipeline.operations.prompt_texts import tokens_of
    from glad_pipeline.records import NewPrompt, values_of

    plain = values_of(NewPrompt(prompt=""))
    tokens = tokens_of([row.prompt for row in report.first], engine)
    for row, counted in zip(report.first, tokens, strict=True):
        print(f"{row.where}:")
        given = {name: value for name, value in values_of(row.prompt).items() if value not in ("", plain[name])}
        fields = [(name, one_line(str(value), 500)) for name, value in given.items()]
        notes = [("notice", text) for text in row.notices]
        print_fields([(f"  {name}", text) for name, text in (*fields, ("tokens", counted), *notes)])


class ImportProgress:
    """How far an import is; the step from checking to writing is told at once if there are many rows."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._doing = "checked"

    def __call__(self, doing: str, rows: int) -> None:
        at_once = doing != self._doing and rows >= 10_000
        self._doing = doing
        self._progress.tell(lambda: f"{doing} {rows:,} rows", at_once=at_once)


@commands.command("export")
def export(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", parser=Path, show_default=False, help="absent or -: standard output"),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="F", help=f"{FORMATS}; absent: by the name, else csv")
    ] = None,
    status: Annotated[str | None, typer.Option(metavar="S", help=STATUSES)] = None,
) -> int:
    """Write all prompts to a file, with what became of them; `import` takes it again."""
    from glad_pipeline.prompts.export import export_file

    with Runtime.of(context).database() as database:
        count = export_file(database, file, format=format_, status=status)
    print(f"{file or 'standard output'}: {count:,} prompts", file=sys.stderr)
    return 0
