"""`glad prompts publish` and `discard`: what becomes of prompts that asked for a picture alone.

Exit codes: 0 done, 1 some prompt could not be found or changed, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import sys
from typing import Annotated

import click
import typer

from glad_pipeline.cli.options import Ids
from glad_pipeline.cli.prompts import commands, report
from glad_pipeline.cli.prompts_edit import NEXT
from glad_pipeline.cli.runtime import Runtime

AFTERWARDS = {
    **NEXT,
    "generated": "the next run publishes it",
    "pending": "it becomes a post once it is drawn",
    "claimed": "it becomes a post once it is drawn",
}


@commands.command("publish")
def publish(
    context: typer.Context,
    ids: Ids,
    title: Annotated[str | None, typer.Option(metavar="…", help="the post's title, for one prompt")] = None,
) -> int:
    """Make posts of pictures that were asked for alone."""
    from glad_pipeline.prompts import editing

    if title is not None and len(set(ids)) > 1:
        raise click.UsageError("--title is for one prompt: give each its own", ctx=context)
    with Runtime.of(context).database() as database:
        done, refused = editing.ask_to_publish(database, ids, title=title)
    for prompt_id, edit in done.items():
        print(f"prompt {prompt_id}: {AFTERWARDS[edit.status].format(id=prompt_id)}")
    for prompt_id, reason in refused.items():
        print(f"prompt {prompt_id} was left as it is: {reason}", file=sys.stderr)
    return 1 if refused else 0


@commands.command("discard")
def discard(
    context: typer.Context,
    ids: Ids,
    reason: Annotated[str, typer.Option(metavar="R", help="kept with the prompt")] = "not wanted",
    delete_picture: Annotated[
        bool, typer.Option("--delete-picture", help="take the picture down for good, as `glad images delete` does")
    ] = False,
) -> int:
    """Put aside pictures that were asked for alone: no post is made of them."""
    from glad_pipeline.cli.posts import follow_up
    from glad_pipeline.operations import takedown
    from glad_pipeline.prompts import management

    runtime = Runtime.of(context)
    with runtime.database() as database:
        if not delete_picture:
            return report("discarded", management.discard(database, ids, reason=reason))
        codes = []
        for prompt_id, taken in takedown.discard_each(database, ids, reason=reason):
            if isinstance(taken, str):
                print(f"prompt {prompt_id} was left as it is: {taken}", file=sys.stderr)
                codes.append(1)
            else:
                codes.append(follow_up(runtime, database, taken))
    return max(codes)
