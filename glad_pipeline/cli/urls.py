"""`glad urls rewrite`: published addresses of pictures, when the public address has changed.

Exit codes: 0 done, or nothing to do; 1 it was not confirmed, or a row could not be changed; 2 (by `UsageError`) what
was asked cannot be right.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json, Yes
from glad_pipeline.cli.output import print_json, print_told
from glad_pipeline.cli.progress import Progress
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import counted, one_line
from glad_pipeline.errors import GladError
from glad_pipeline.records import values_of
from glad_pipeline.redaction import redact

if TYPE_CHECKING:
    from glad_pipeline.operations.rewrite_urls import Rewritten
    from glad_pipeline.settings import Settings

commands = group("Published addresses of pictures: rewrite them where the public address has changed.")


@commands.command("rewrite")
def rewrite(
    context: typer.Context,
    *,
    old: Annotated[str, typer.Option("--from", metavar="BASE", help="what precedes the keys now")],
    new: Annotated[str, typer.Option("--to", metavar="BASE", help="what is to precede them")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="without a visit to the new address")] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Put another base before the keys of our pictures, wherever the blog shows them, and tell the site; asks first."""
    from glad_pipeline.operations import rewrite_urls as operation

    runtime = Runtime.of(context)
    move = operation.move_of(old, new)
    with (
        runtime.database(name="glad urls", patient=True) as database,
        Progress(every=3.0, quiet=3.0) as progress,
    ):

        def tell(done: Rewritten) -> None:
            progress.tell(lambda: f"… {done.total:,} rows")

        problem = None if unchecked else operation.problem_of_visit(database, move)
        if problem and not dry_run:
            raise GladError(problem)
        plan = operation.rewrite(database, move, dry_run=True, tell=tell)
        if dry_run or not plan.total:
            _tell_of_plan(plan, json=json)
            if problem:
                print(f"glad: {redact(problem)}", file=sys.stderr)
            return 1 if plan.refused or problem else 0
        if not yes:
            _tell_of_plan(plan, json=json)
            if not (sys.stdin.isatty() and click.confirm("rewrite them?", err=True)):
                print("nothing was changed; --yes rewrites them", file=sys.stderr)
                return 1
        done = operation.rewrite(database, move, dry_run=False, tell=tell)
    _tell_what_was_done(done, runtime.settings, json=json and yes)
    base = runtime.store().url("").rstrip("/")
    if base != move.new:
        print(f"glad: new pictures get addresses of {base}, as the settings have it, not {move.new}", file=sys.stderr)
    return 1 if done.refused else 0


def _tell_of_plan(plan: Rewritten, *, json: bool) -> None:
    if json:
        print_json(_as_json(plan))
        return
    places = counted({f"in {name}": rows for name, rows in plan.rows.items()})
    print(f"{plan.total:,} rows have addresses of {plan.move.old}{f': {places}' if places else ''}")
    if plan.already:
        print(f"{plan.already:,} addresses are of {plan.move.new} already: the way back would take them along")
    _tell_of_refused(plan)


def _tell_what_was_done(done: Rewritten, settings: Settings, *, json: bool) -> None:
    if json:
        print_json(_as_json(done))
        return
    print(f"rewritten: {counted({f'in {name}': rows for name, rows in done.rows.items()}, none='nothing')}")
    print_told(settings, done.told)
    _tell_of_refused(done)


def _as_json(rewritten: Rewritten) -> dict[str, Any]:
    return values_of(rewritten) | {"move": values_of(rewritten.move)}


def _tell_of_refused(done: Rewritten) -> None:
    if done.refused:
        lines = [one_line(reason, 300) for reason in done.reasons]
        print("\n  ".join([f"{done.refused:,} rows cannot be changed:", *lines]), file=sys.stderr)
