"""`glad outbox …`: what site, CDN and bucket have to be notified of.

Exit codes: 0 done, 1 some message could not be delivered or changed, 2 the request cannot be right.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import click
import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import IdsOrNone, Json, Limit
from glad_pipeline.cli.output import print_json, print_table
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import counted, one_line

if TYPE_CHECKING:
    from glad_pipeline.outbox import messages as outbox

SHOWN = 100  # characters of an error in a table
HEADERS = ("id", "kind", "subject", "status", "tries", "next try", "error")
STATUSES = "waiting, delivered, skipped, dead"

commands = group("What site, CDN and bucket have to be told: list, retry, deliver.")


@commands.command("list")
def list_(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(metavar="S", help=STATUSES)] = None,
    limit: Limit = 20,
    json: Json = False,
) -> int:
    """List messages, the newest first."""
    from glad_pipeline.database import jsonable
    from glad_pipeline.outbox import messages as outbox

    with Runtime.of(context).database() as database, database.transaction() as connection:
        rows = outbox.messages(connection, status=status, limit=limit)
        counts = outbox.counts(connection)
    if json:
        print_json([jsonable(row) for row in rows])
        return 0
    if rows:
        print_table(HEADERS, map(_summary, rows))
    print(counted(counts, none="the outbox is empty"))
    return 0


def _summary(row: outbox.MessageStatus) -> tuple[str, ...]:
    """A message as a row of the table."""
    return (
        str(row.id),
        row.kind,
        one_line(row.subject, SHOWN),
        row.status,
        str(row.attempts),
        f"{row.next_attempt_at:%Y-%m-%d %H:%M:%S}" if row.status == "waiting" else "",
        one_line(row.last_error or "", SHOWN),
    )


@commands.command("retry")
def retry(
    context: typer.Context,
    ids: IdsOrNone = None,
    dead: Annotated[bool, typer.Option("--dead", help="all that are dead")] = False,
) -> int:
    """Let dead messages be delivered again."""
    from glad_pipeline.outbox import messages as outbox

    if bool(ids) == dead:
        raise click.UsageError("name messages by their IDs, or all that are dead with --dead", ctx=context)
    with Runtime.of(context).database() as database:
        moved, refused = outbox.retry_now(database, ids or None)
    print(f"to be delivered again: {', '.join(map(str, moved)) or 'none'}")
    for message_id, reason in refused.items():
        print(f"message {message_id} was left as it is: {reason}", file=sys.stderr)
    return 1 if refused else 0


@commands.command("deliver")
def deliver(context: typer.Context) -> int:
    """Deliver what waits, now, also what waits for its next try."""
    from glad_pipeline.operations.follow_up import deliver_now

    runtime = Runtime.of(context)
    with runtime.database() as database:
        report = deliver_now(database, runtime.settings, runtime.removal(database))
    parts = {
        "delivered": report.delivered,
        "skipped": report.skipped,
        "to be tried again": report.waiting,
        "dead": report.dead,
    }
    print(counted(parts, none="nothing waits"))
    for error in report.errors:
        print(f"glad: {error}", file=sys.stderr)
    return 1 if report.waiting or report.dead else 0
