"""`glad prompts pause|resume|sources|limit`: who gets how much of the queue, and whether it moves at all.

Exit codes: 0 done (also where it was so already), 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated

import click
import typer

from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json, print_table
from glad_pipeline.cli.prompts import commands
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import in_zone, one_line

if TYPE_CHECKING:
    from glad_pipeline.prompts.sources import Source

HEADERS = ("source", "waiting", "in work", "added in 24 h", "published in 24 h", "limits", "paused")
OneSource = Annotated[
    str | None, typer.Option("--source", metavar="S", help="only prompts of this source; absent: all of them")
]


@commands.command("pause")
def pause(
    context: typer.Context,
    source: OneSource = None,
    reason: Annotated[str | None, typer.Option(metavar="R", help="shown wherever the pause is")] = None,
) -> int:
    """Let runs finish the batch in hand and begin no more; what is drawn is published. Until `resume`."""
    from glad_pipeline.prompts import sources

    runtime = Runtime.of(context)
    with runtime.database() as database:
        before = sources.pause(database, _name(source), reason=reason)
    what = _words(source)
    if before is not None:
        print(f"{what} was paused already, since {in_zone(before, runtime.settings.zone)}")
        return 0
    print(f"{what} is paused: batches in hand are finished, what else waits is not begun")
    option = "" if source is None else f" --source {source!r}"
    print(f"go on with: glad prompts resume{option}")
    return 0


@commands.command("resume")
def resume(context: typer.Context, source: OneSource = None) -> int:
    """End a pause."""
    from glad_pipeline.prompts import sources
    from glad_pipeline.prompts.pauses import pauses

    runtime = Runtime.of(context)
    with runtime.database() as database:
        before = sources.resume(database, _name(source))
        left = database.read(pauses)
    if before is None:
        print(f"{_words(source)} was not paused")
    else:
        print(f"{_words(source)} goes on; it was paused since {in_zone(before, runtime.settings.zone)}")
    if left:
        print(f"still paused: {one_line(left.in_words(), 500)}")
    return 0


@commands.command("sources")
def sources_(context: typer.Context, json: Json = False) -> int:
    """Who has how many prompts in the queue, with limits and pauses."""
    from glad_pipeline.database import jsonable
    from glad_pipeline.prompts import sources

    runtime = Runtime.of(context)
    with runtime.database() as database:
        found = sources.list_sources(database)
    if json:
        print_json([jsonable(each) for each in found])
    elif found:
        print_table(HEADERS, [_summary(each, runtime.settings.zone) for each in found])
    else:
        print("no source has prompts in the queue, limits or a pause")
    return 0


@commands.command("limit")
def limit(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="'*': every source without limits of its own", show_default=False)
    ],
    queued: Annotated[int | None, typer.Option(metavar="N", help="prompts that may wait at once")] = None,
    daily: Annotated[int | None, typer.Option(metavar="N", help="prompts that may be added in 24 hours")] = None,
    none: Annotated[bool, typer.Option("--none", help="no limits")] = False,
) -> int:
    """Limit what a source may put into the queue. More is refused, by whatever way it comes."""
    from glad_pipeline.prompts import sources

    given = {"queued_limit": queued, "daily_limit": daily}
    limits = given if none else {name: most for name, most in given.items() if most is not None}
    if none is bool(queued is not None or daily is not None):
        raise click.UsageError("say --queued N, --daily N or both, or --none", ctx=context)
    with Runtime.of(context).database() as database:
        sources.limit(database, source, limits)
    named = ((queued, "waiting"), (daily, "added in 24 hours"))
    said = [f"{most:,} {words}" for most, words in named if most is not None]
    print(f"{_words(source)}: {'at most ' + ', '.join(said) if said else 'no limits of its own'}")
    return 0


def _name(source: str | None) -> str:
    from glad_pipeline.prompts.pauses import ALL

    return ALL if source is None else source


def _words(source: str | None) -> str:
    if source in (None, "*"):
        return "the queue" if source is None else "every source without limits of its own"
    return f"the source {source!r}" if source else "what has no source"


def _summary(row: Source, zone: tzinfo) -> tuple[str, ...]:
    named = ((row.queued_limit, "waiting"), (row.daily_limit, "in 24 h"))
    limits = [f"{most:,} {words}" for most, words in named if most is not None]
    paused = "" if row.paused_since is None else f"since {in_zone(row.paused_since, zone)}"
    if row.pause_reason:
        paused += f": {one_line(row.pause_reason, 80)}"
    return (
        "* (all)" if row.source == "*" else row.source or "(none)",
        f"{row.waiting:,}",
        f"{row.in_work:,}",
        "" if row.added is None else f"{row.added:,}",
        f"{row.published:,}",
        ", ".join(limits),
        paused,
    )
