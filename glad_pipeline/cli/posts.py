"""`glad posts …` and `glad images …`: takedown from a terminal.

Exit codes: 0 done (or it was so already, or is tried again), 1 it could not be found or changed, 2 the request cannot
be right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import one_line

if TYPE_CHECKING:
    from glad_pipeline.database import Database
    from glad_pipeline.operations.follow_up import FollowUp
    from glad_pipeline.operations.takedown import TakenDown
    from glad_pipeline.outbox.messages import MessageStatus

post_commands = group("Take posts down: unpublish.")
image_commands = group("Take pictures down: delete, allow.")
Reason = Annotated[str, typer.Option(metavar="TEXT", help="kept with prompt and picture", show_default=False)]


@post_commands.command("unpublish")
def unpublish(
    context: typer.Context,
    post: Annotated[str, typer.Argument(metavar="POST", help="a post's id or slug")],
    reason: Reason,
    keep_picture: Annotated[bool, typer.Option("--keep-picture", help="hide the post only")] = False,
    json: Json = False,
) -> int:
    """Hide a post, remove its picture for good, and tell the site and the CDN."""
    from glad_pipeline.operations import takedown

    runtime = Runtime.of(context)
    with runtime.database() as database:
        taken = takedown.unpublish(database, post, reason=reason, keep_picture=keep_picture)
        return follow_up(runtime, database, taken, json=json)


@image_commands.command("delete")
def delete(
    context: typer.Context,
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="an image's id, key or URL")],
    reason: Reason,
    json: Json = False,
) -> int:
    """Remove a picture for good; posts made with it are hidden, posts it illustrated show what they showed before."""
    from glad_pipeline.operations import takedown

    runtime = Runtime.of(context)
    with runtime.database() as database:
        taken = takedown.delete_image(database, image, reason=reason)
        return follow_up(runtime, database, taken, json=json)


@image_commands.command("allow")
def allow(
    context: typer.Context,
    image: Annotated[str, typer.Argument(metavar="IMAGE|HASH", help="an image's id, key, URL or recipe hash")],
) -> int:
    """Let a picture that was taken down be drawn again."""
    from glad_pipeline.operations import takedown

    with Runtime.of(context).database() as database:
        allowed = takedown.allow(database, image)
    if allowed.was_blocked:
        print(f"allowed again: recipe {allowed.recipe_hash}")
    else:
        print(f"recipe {allowed.recipe_hash} was not blocked: nothing to do")
    if allowed.prompts:
        ids = " ".join(map(str, allowed.prompts))
        print(f"to draw it again and show its post: glad prompts retry {ids}")
    return 0


def follow_up(runtime: Runtime, database: Database, taken: TakenDown, *, json: bool = False) -> int:
    """Deliver what the takedown has written, and say what has happened."""
    from glad_pipeline.operations import follow_up as operation

    done = operation.follow_up(database, runtime.settings, runtime.removal(database), taken)
    if json:
        print_json(done.as_dict())
    else:
        _print_takedown(done)
    return 1 if done.given_up else 0


def _print_takedown(done: FollowUp) -> None:
    taken = done.taken
    if not taken.changed:
        print("taken down already: " + ("not all of it is done" if done.undone else "nothing to do"))
    for slug in taken.hidden:
        print(f"hidden: /posts/{slug} is a draft now")
    for slug in taken.cleared:
        print(f"without the picture: /posts/{slug}")
    for slug, url in taken.restored.items():
        print(f"shows what it showed before: /posts/{slug} ({one_line(url, 200)})")
    for key in taken.removed:
        print(f"removed and blocked: {key} (`glad images allow {key}` lifts that)")
    for key, why in taken.kept.items():
        print(f"kept: {key}, {why}")
    if taken.prompts:
        print(f"cancelled or rejected: prompt {', '.join(map(str, taken.prompts))}")
    for message in done.messages:
        print(f"  {_doing(message)}: {_outcome(message)}")
    for line in done.forgotten:
        print(f"  {line}")
    if done.remaining:
        print("\n  - ".join(["what others may still hold:", *done.remaining]))


def _doing(message: MessageStatus) -> str:
    if message.kind == "revalidate":
        return f"tell the site about {message.payload['paths'][1]}"
    if message.kind == "delete":
        return f"delete {', '.join(message.payload['keys'])} from the bucket"
    return "purge the CDN of it"


def _outcome(message: MessageStatus) -> str:
    error = message.last_error or ""
    return {
        "delivered": "done",
        "skipped": f"skipped: {error}",
        "dead": f"GIVEN UP: {error}",
        "waiting": f"NOT YET{f': {error}' if error else ''}; the sensor or `glad outbox deliver` tries again",
    }[message.status]
