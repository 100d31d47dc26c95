"""`glad audit` and `glad catalogue rebuild`: bucket and database compared, and the one restored from the other.

Exit codes: 0 nothing is amiss (any more), 1 something is, or the store or the database could not be asked, 2 (by
`UsageError`) the request cannot be right.
"""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json
from glad_pipeline.cli.progress import Progress
from glad_pipeline.cli.runtime import Runtime, belonging, say
from glad_pipeline.errors import UsageError
from glad_pipeline.records import values_of
from glad_pipeline.redaction import redact

if TYPE_CHECKING:
    from glad_pipeline.operations.audit.rebuild import Rebuilt
    from glad_pipeline.operations.audit.report import Report

TELL_EVERY = 3.0  # seconds between lines of progress
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

catalogue_commands = group("The table images: rebuild it from the bucket.")


AtMost = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="with --fix: how many pictures and objects may be moved, deleted or drawn again where it is over a tenth",
    ),
]
Urls = Annotated[
    str | None,
    typer.Option(
        metavar="all|sample|none",
        help="visit published pictures by their addresses; absent: a sample, none with GLAD_PUBLIC_CHECK=off",
    ),
]


def audit(
    context: typer.Context,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="mend what can be mended safely")] = False,
    at_most: AtMost = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="read pictures and renditions whole, compare their SHA-256")
    ] = False,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="spare objects without a row that are younger: 90s, 30m, 1h, 2d")
    ] = "1h",
    urls: Urls = None,
    json: Json = False,
) -> int:
    """Walk bucket and database both ways and say what is amiss; changes nothing without --fix."""
    from glad_pipeline.operations.audit.addresses import visits_of
    from glad_pipeline.operations.audit.whole import Asked, audit_all

    runtime = Runtime.of(context)
    asked = Asked(fix=fix, at_most=at_most, deep=deep, grace=duration(grace), urls=urls)
    if at_most is not None and (at_most < 0 or not fix):
        raise UsageError(f"--at-most {at_most} goes with --fix, and is not negative")
    visits_of(urls, runtime.settings.public_check)  # refused before any server is started
    with (
        runtime.database(name="glad audit", patient=True) as database,
        Progress(every=TELL_EVERY, quiet=TELL_EVERY) as progress,
    ):
        done = audit_all(
            database,
            runtime.store(),
            asked,
            public_check=runtime.settings.public_check,
            tell=lambda report: progress.tell(lambda: f"… {_compared(report)}"),
            warn=say,
        )
    if json:
        print_json(done.as_dict())
    else:
        print(done.report)
    if done.unseen:
        print(f"glad: {redact(done.unseen)}", file=sys.stderr)
    return 0 if done.is_clean else 1


def _compared(report: Report) -> str:
    visited = f", {report.visited:,} addresses visited" if report.visited else ""
    return f"{report.objects:,} objects and {report.pictures:,} pictures compared{visited}"


@catalogue_commands.command("rebuild")
def rebuild(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="believe the objects' metadata; read their first 16 KB alone")
    ] = False,
    json: Json = False,
) -> int:
    """Restore the table images from the bucket alone; may be stopped and repeated."""
    from glad_pipeline.operations.audit.rebuild import EXAMPLES, rebuild

    runtime = Runtime.of(context)
    examples: list[dict[str, str]] = []

    def skipped(key: str, why: str) -> None:
        if len(examples) < EXAMPLES:
            examples.append({"key": key, "why": why})
        print(f"skipped {key}: {why}", file=sys.stderr if json else sys.stdout)

    with (
        runtime.database(name="glad audit", patient=True) as database,
        Progress(every=TELL_EVERY, quiet=TELL_EVERY) as progress,
    ):
        store = runtime.store()
        store = belonging(database, store, writes=True)
        done = rebuild(
            database, store, quick=quick, skipped=skipped, tell=lambda done: progress.tell(lambda: _so_far(done))
        )
    if json:
        print_json(values_of(done) | {"examples": examples})
    else:
        barred = f" ({done.barred:,} of them taken down, as before)" if done.barred else ""
        print(
            f"bucket {store.bucket}: {done.looked_at:,} originals read, {done.recorded:,} recorded{barred}"
            f"{f', with {done.renditions:,} renditions' if done.renditions else ''}, {done.skipped:,} skipped"
        )
    return 1 if done.skipped else 0


def _so_far(done: Rebuilt) -> str:
    return f"… {done.looked_at:,} originals read, {done.recorded:,} recorded, {done.skipped:,} skipped"


def duration(text: str) -> timedelta:
    """`90s`, `30m`, `1h`, `2d` or `0`. Raises `UsageError`."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if found is None or (not found[2] and int(found[1])):
        raise UsageError(f"--grace {text!r} is no time: write a number and s, m, h or d, for example 30m or 1h")
    return timedelta(seconds=int(found[1]) * _UNITS.get(found[2], 1))
