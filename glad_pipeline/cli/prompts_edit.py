"""`glad prompts edit`: change a prompt that is not published yet.

Exit codes: 0 done, 1 there is no such prompt or it is published, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from glad_pipeline.cli.prompts import commands, with_fields
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import in_zone
from glad_pipeline.limits import CHARS

if TYPE_CHECKING:
    from glad_pipeline.prompts.editing import Edit

NEXT = {  # what there is to do after an edit, by the state that the prompt is in then
    "awaiting_approval": "it waits for approval: glad prompts approve {id}",
    "ready": "its picture is ready; to make it a post: glad prompts publish {id}",
    "rejected": "it is rejected; back into the queue: glad prompts retry {id}",
    "failed": "it is failed; back into the queue: glad prompts retry {id}",
    "cancelled": "it is cancelled; back into the queue: glad prompts retry {id}",
}


@commands.command("edit")
@with_fields
def edit(
    context: typer.Context,
    prompt_id: Annotated[int, typer.Argument(metavar="ID", show_default=False)],
    prompt: Annotated[
        str | None, typer.Option(metavar="…", help=f"what to draw (≤ {CHARS['prompt']:,} characters)")
    ] = None,
    needs_approval: Annotated[
        bool | None, typer.Option("--needs-approval/--no-needs-approval", help="wait for `glad prompts approve`")
    ] = None,
    replace: Annotated[
        bool | None,
        typer.Option("--replace/--no-replace", help="also where the post shows a picture that is not ours"),
    ] = None,
    **fields: str | None,
) -> int:
    """Change a prompt that is not published yet: with another text or recipe its picture is drawn (again). An empty
    value takes a field out; the seed stays unless it is given."""
    from glad_pipeline.prompts import editing, management

    given: dict[str, Any] = {"prompt": prompt, "needs_approval": needs_approval, "replace": replace, **fields}
    given = {name: None if value == "" else value for name, value in given.items() if value is not None}
    if not given:
        raise click.UsageError("say what to change, for example --title TEXT", ctx=context)
    runtime = Runtime.of(context)
    with runtime.database() as database:
        done = editing.edit_prompt(database, prompt_id, editing.with_post(database, given), zone=runtime.settings.zone)
        known = management.show_prompt(database, prompt_id) if "publish_at" in done.changed else None
    _report(prompt_id, done)
    if known:
        time = known.publish_at and in_zone(known.publish_at, runtime.settings.zone)
        print(f"it is published at {time} or soon after" if time else "it is published as soon as it is drawn")
    return 0


def _report(prompt_id: int, done: Edit) -> None:
    if done.changed:
        print(f"prompt {prompt_id} has changed: {', '.join(done.changed)}")
    else:
        print(f"prompt {prompt_id} is just like that already")
    if done.redrawn:
        print("its picture will be drawn again")
    if done.status in NEXT:
        print(NEXT[done.status].format(id=prompt_id))
