"""`glad redraw --stale`: draw pictures anew that the settings would draw in another way today.

Exit codes: 0 done, or nothing to do; 1 it was not confirmed; 2 (by `UsageError`) what was asked cannot be right.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import click
import typer

from glad_pipeline.cli.options import Json, Yes
from glad_pipeline.cli.output import print_json
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import in_bytes, in_time

if TYPE_CHECKING:
    from glad_pipeline.operations import redraw as operation


def redraw(
    context: typer.Context,
    stale: Annotated[bool, typer.Option("--stale", help="those whose recipe would be another one today")] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Put published prompts back into the queue whose picture the settings would draw in another way today."""
    from glad_pipeline.operations import redraw as operation
    from glad_pipeline.records import values_of

    if not stale:
        raise click.UsageError("say which pictures: --stale", ctx=context)
    runtime = Runtime.of(context)
    with runtime.database(name="glad redraw") as database:
        found = operation.stale(database, runtime.settings)
        if json:
            print_json(values_of(found))
        else:
            _tell(found)
        if not found.prompts:
            return 0
        if not yes and not _confirmed():
            print("nothing was changed; --yes puts them into the queue", file=sys.stderr)
            return 1
        count = len(operation.requeue(database, found.prompts))
    print(f"back in the queue: {count:,} prompts", file=sys.stderr if json else sys.stdout)
    return 0


def _tell(found: operation.Stale) -> None:
    print(f"{len(found.prompts):,} of {found.looked_at:,} published pictures would be drawn in another way today")
    if found.prompts:
        took, large = in_time(found.seconds), in_bytes(found.bytes)
        print(f"last time they took {took} to draw, and {large} in the store, where the old ones stay")
    for prompt_id, reason in found.refused.items():
        print(f"prompt {prompt_id} could not be drawn today: {reason}", file=sys.stderr)


def _confirmed() -> bool:
    return sys.stdin.isatty() and click.confirm("draw them anew?", err=True)
