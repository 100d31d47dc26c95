"""`glad prompts …`: the queue from a terminal.

Exit codes: 0 done, 1 some prompt could not be found or changed, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Ids, IdsOrNone, Json, Limit
from glad_pipeline.cli.output import print_fields, print_json, print_table
from glad_pipeline.cli.runtime import Runtime, warn_of_volume
from glad_pipeline.display import counted, in_zone, one_line
from glad_pipeline.limits import CHARS, GUIDANCE, PRESETS, PROMPT_SYNTAXES, SCHEDULERS, SEED, SIDE, STEPS

if TYPE_CHECKING:
    from glad_pipeline.prompts import management
    from glad_pipeline.prompts.events import Event

STATUSES = "pending, claimed, generated, awaiting_approval, published, ready, rejected, failed, cancelled"
FIELDS = {  # as options of `add` and `edit`; their rules are in prompts/validation.py
    "negative_prompt": "what to keep out of the picture",
    "prompt_syntax": f"how brackets in both are read: {', '.join(PROMPT_SYNTAXES)}; absent: GLAD_PROMPT_SYNTAX",
    "title": f"the post's title (≤ {CHARS['title']} characters)",
    "slug": "the post's address: a-z, 0-9, single hyphens; absent: made from the title",
    "excerpt": f"≤ {CHARS['excerpt']} characters",
    "content": "the post's text, in markdown",
    "category": "created if it does not exist",
    "author": "created if there is none of that name",
    "alt_text": f"the picture in words (≤ {CHARS['alt_text']} characters)",
    "task_id": "a task of the blog's content_tasks; without --title, it gets the picture",
    "idempotency_key": "your own key: the same one again is the same prompt",
    "post_id": "an existing post to illustrate: its slug or id",
    "seed": f"{SEED}; absent or -1: made from the other fields",
    "size": "width and height in one: 1024x768, portrait, landscape, square, 16:9 …",
    "width": f"pixels, {SIDE}",
    "height": f"pixels, {SIDE}",
    "num_inference_steps": str(STEPS),
    "guidance_scale": str(GUIDANCE),
    "scheduler": ", ".join(SCHEDULERS),
    "preset": ", ".join(PRESETS),
    "model": "a directory or hub id, instead of GLAD_MODEL",
    "model_revision": "commit of a hub model, 40 hex digits",
    "lora": f"a path or hub id with its weight (≤ {CHARS['lora']} characters)",
    "focus": "what a crop keeps: 0.5,0.3 (across, down), or top, left, bottom right …; absent: the centre",
    "source": f"who asks (≤ {CHARS['source']} characters): sources share the queue fairly, and can be paused",
    "priority": "higher goes first; high is 10, normal 0, low -10; 0 if absent",
    "publish": "post, or picture: a public picture and no post until `glad prompts publish`; post if absent",
    "publish_at": "not before this time, ISO 8601; without a zone it is of GLAD_TIMEZONE",
}
NAMES = {"post_id": ("--post", "--post-id")}  # of options that are not called as their column

commands = group(
    "The queue: add, import, export, list, show, edit, retry, cancel, approve, reject, publish, discard, pause, resume."
)


def with_fields(command: Callable[..., int]) -> Callable[..., int]:
    """Give the command an option for each field, in place of `**fields`."""
    own = [
        each
        for each in inspect.signature(command, eval_str=True).parameters.values()
        if each.kind is not each.VAR_KEYWORD
    ]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(*_names(name), metavar="…", help=about)],
        )
        for name, about in FIELDS.items()
    ]
    command.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    command.__annotations__ |= {option.name: option.annotation for option in options}
    return command


def _names(field: str) -> tuple[str, ...]:
    return NAMES.get(field, (f"--{field.replace('_', '-')}",))


@commands.command("add")
@with_fields
def add(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(metavar="TEXT", help=f"what to draw (≤ {CHARS['prompt']:,} characters)")],
    needs_approval: Annotated[
        bool | None, typer.Option("--needs-approval", help="wait for `glad prompts approve`")
    ] = None,
    replace: Annotated[
        bool | None, typer.Option("--replace", help="also where the post shows a picture that is not ours")
    ] = None,
    **fields: str | None,
) -> int:
    """Put one prompt into the queue."""
    from glad_pipeline.operations.asking import ask_for

    runtime = Runtime.of(context)
    given: dict[str, Any] = {"prompt": prompt, "needs_approval": needs_approval, "replace": replace, **fields}
    given = {name: value for name, value in given.items() if value is not None}
    with runtime.database() as database:
        warn_of_volume(runtime.settings, database)
        asked = ask_for(database, given, runtime.settings)
    _say(asked.notices)
    known = asked.prompt
    if not asked.is_new:
        print(f"that prompt is in the queue already: prompt {asked.id}, {known.status if known else 'gone'}")
        print("another --seed or --idempotency-key makes it another prompt")
        return 0
    print(f"prompt {asked.id} is in the queue")
    if known and known.publish_at:
        print(f"it is published at {in_zone(known.publish_at, runtime.settings.zone)} or soon after")
    return 0


@commands.command("list")
def list_(
    context: typer.Context,
    *,
    status: Annotated[str | None, typer.Option(metavar="S", help=STATUSES)] = None,
    source: Annotated[str | None, typer.Option(metavar="S", help="only those of this source")] = None,
    limit: Limit = 20,
    before: Annotated[int | None, typer.Option(metavar="ID", help="the next page: prompts older than this one")] = None,
    json: Json = False,
) -> int:
    """List prompts, the newest first."""
    from glad_pipeline.database import jsonable
    from glad_pipeline.prompts import management
    from glad_pipeline.prompts.pauses import pauses

    runtime = Runtime.of(context)
    with runtime.database() as database:
        wanted = management.Wanted(source=source)
        rows = management.list_prompts(database, status=status, wanted=wanted, limit=limit, before=before)
        counts = {} if json else management.counts_by_status(database)
        paused = database.read(pauses)
        zone = runtime.settings.zone
    if json:
        print_json([jsonable(row) for row in rows])
        return 0
    if rows:
        short = sys.stdout.isatty()
        print_table(HEADERS[:-1] if short else HEADERS, [_summary(row, zone, short=short) for row in rows])
    print(counted(counts, none="the queue is empty"))
    if paused:
        print(f"paused: {one_line(paused.in_words(), 500)}")
    if len(rows) == limit:
        print(f"older ones: --before {rows[-1].id}")
    return 0


HEADERS = ("id", "status", "priority", "publish at", "post", "title or prompt", "picture or error")


def _summary(row: management.PromptStatus, zone: tzinfo, *, short: bool) -> tuple[str, ...]:
    """A prompt as one row: with the picture's URL, whole, or where it came to nothing the reason.

    `short`, for a terminal of 100 columns: without the URL, which `show` has, and with the reason below the title.
    """
    error = one_line(row.last_error or "", 80)
    ended_badly = row.status in ("failed", "rejected", "pending") or error.startswith("taken down")
    time = in_zone(row.publish_at, zone) if row.publish_at and row.status != "published" else ""
    cells = (str(row.id), row.status, str(row.priority), time, row.post_status or "")
    title = one_line(row.title or row.prompt, 28 if short else 48)
    if short:
        return (*cells, f"{title}\n{error}" if error else title)
    return (*cells, title, error if error and ended_badly else row.image_url or error)


@commands.command("show")
def show(
    context: typer.Context,
    prompt_id: Annotated[int, typer.Argument(metavar="ID")],
    json: Json = False,
) -> int:
    """Show one prompt, its picture and its post."""
    from glad_pipeline.database import jsonable
    from glad_pipeline.operations.lineage import account_of
    from glad_pipeline.records import values_of

    runtime = Runtime.of(context)
    with runtime.database() as database:
        found = account_of(database, prompt_id, runtime.settings)
    if found is None:
        print(f"there is no prompt {prompt_id}: `glad prompts list` shows those there are", file=sys.stderr)
        return 1
    row = found.prompt
    if json:
        told = {"stands": found.stands, "history": [jsonable(each) for each in found.history]}
        print_json({"id": row.id, "status": row.status, **jsonable(row), "notices": list(found.notices), **told})
    else:
        zone = runtime.settings.zone
        fields = {"id": row.id, "status": row.status, "stands": found.stands, **values_of(row)}
        print_fields([(name, _shown(value, zone)) for name, value in fields.items() if value not in (None, "")])
        print()
        print_table(HISTORY, [_happened(each, zone) for each in found.history])
        _say(found.notices)
    return 0


HISTORY = ("when", "what", "run", "key", "reason, or place in the batch")


def _happened(event: Event, zone: tzinfo) -> tuple[str, ...]:
    detail = one_line(event.detail or "", 200)
    return (in_zone(event.at, zone), event.event, event.run_id or "", event.actor or "", detail)


def _say(found: Sequence[str]) -> None:
    """What a prompt's texts are drawn as, where that is not what they look like."""
    for notice in found:
        print(f"note: {one_line(notice, 300)}", file=sys.stderr)


def _shown(value: object, zone: tzinfo) -> str:
    return in_zone(value, zone) if isinstance(value, datetime) else one_line(str(value), 500)


@commands.command("retry")
def retry(
    context: typer.Context,
    ids: IdsOrNone = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="every failed prompt")] = False,
) -> int:
    """Put failed, rejected or cancelled prompts back into the queue."""
    from glad_pipeline.prompts import management

    if bool(ids) == all_failed:
        raise click.UsageError("name prompts by their IDs, or all with --all-failed", ctx=context)
    with Runtime.of(context).database() as database:
        if ids:
            return report("back in the queue", management.retry(database, ids))
        count = management.retry_all_failed(database)
    print(f"back in the queue: {count:,} failed prompts")
    return 0


@commands.command("cancel")
def cancel(context: typer.Context, ids: Ids) -> int:
    """Take prompts out of the queue before they are published, or once their post is gone."""
    from glad_pipeline.prompts import management

    with Runtime.of(context).database() as database:
        return report("cancelled", management.cancel(database, ids))


@commands.command("approve")
def approve(context: typer.Context, ids: Ids) -> int:
    """Let pictures that wait for approval be published."""
    from glad_pipeline.prompts import management

    with Runtime.of(context).database() as database:
        return report("approved", management.approve(database, ids))


@commands.command("reject")
def reject(
    context: typer.Context,
    ids: Ids,
    reason: Annotated[str, typer.Option(metavar="R", help="kept with the prompt", show_default=False)],
) -> int:
    """Refuse pictures that wait for approval."""
    from glad_pipeline.prompts import management

    with Runtime.of(context).database() as database:
        return report("rejected", management.reject(database, ids, reason=reason))


def report(done: str, changes: management.Changes) -> int:
    """Say which prompts moved and why the others did not; the exit code."""
    if changes.changed:
        print(f"{done}: {', '.join(map(str, changes.changed))}")
    for prompt_id, reason in changes.refused.items():
        print(f"prompt {prompt_id} was left as it is: {reason}", file=sys.stderr)
    return 1 if changes.refused else 0
