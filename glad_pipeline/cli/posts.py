"""`glad posts …`, `glad images …`, `glad outbox …`: takedown and the outbox from a terminal.

Turns arguments into calls of `takedown`, `outbox` and `delivery`, and their answers into lines or JSON. Exit codes:
0 done (or it was so already, or is tried again), 1 it could not be found or changed, 2 the request cannot be right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

import psycopg
from tabulate import tabulate

from glad_pipeline.database import Database, DatabaseError, describe, jsonable
from glad_pipeline.errors import UsageError
from glad_pipeline.operations import takedown
from glad_pipeline.operations.takedown import TakenDown
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox.deliver import Targets, deliver, targets
from glad_pipeline.settings import Settings


class Removing(Protocol):
    """What removes pictures; `glad_pipeline.operations.removal` has it."""

    def __call__(self, messages: Sequence[outbox.Message]) -> None: ...

    def url(self, key: str) -> str: ...

    def forget(self, keys: Sequence[str]) -> list[str]: ...

    def may_remain(self, *, purged: bool) -> list[str]: ...


RemovingOf = Callable[[Settings, Database], Removing]
SHOWN = 100  # characters of an error in a table
HOW_IT_IS_TOLD = ("subjects", "pictures", "messages_after")
AT_ONCE = 45.0  # seconds for which a takedown itself tries to tell others


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], removing: RemovingOf) -> None:
    """Add `posts`, `images` and `outbox`. `removing(settings, database)` is what removes pictures."""

    def room(name: str, help_text: str) -> Callable[..., argparse.ArgumentParser]:
        parser = subparsers.add_parser(name, help=help_text, description=help_text)
        commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

        def command(name: str, handler: Callable[..., int], help_text: str) -> argparse.ArgumentParser:
            added: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
            added.set_defaults(func=lambda arguments, settings: handler(arguments, settings, removing))
            return added

        return command

    command = room("posts", "take posts down: unpublish")
    hide = command("unpublish", _unpublish, "Hide a post, remove its picture for good, and tell the site and the CDN.")
    hide.add_argument("post", metavar="POST", help="a post's id or slug")
    hide.add_argument("--keep-picture", action="store_true", help="hide the post only")

    command = room("images", "take pictures down: delete, allow")
    drop = command(
        "delete",
        _delete,
        "Remove a picture for good; posts made with it are hidden, posts it illustrated stay without.",
    )
    drop.add_argument("image", metavar="IMAGE", help="an image's id, key or URL")
    for parser in (hide, drop):
        parser.add_argument("--reason", metavar="TEXT", required=True, help="kept with prompt and picture")
        parser.add_argument("--json", action="store_true", help="one JSON object")
    lift = command("allow", _allow, "Let a picture that was taken down be drawn again.")
    lift.add_argument("image", metavar="IMAGE|HASH", help="an image's id, key, URL or recipe hash")

    command = room("outbox", "what site, CDN and bucket have to be told: list, retry, deliver")
    page = command("list", _list, "List messages, the newest first.")
    page.add_argument("--status", metavar="S", help=", ".join(outbox.STATUSES))
    page.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many (20)")
    page.add_argument("--json", action="store_true", help="one JSON array")
    again = command("retry", _retry, "Let dead messages be delivered again.")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", metavar="ID", type=int, nargs="*", default=[])
    which.add_argument("--dead", action="store_true", help="all that are dead")
    command("deliver", _deliver, "Deliver what waits, now, also what waits for its next try.")


def _unpublish(arguments: argparse.Namespace, settings: Settings, removing: RemovingOf) -> int:
    with _database(settings) as database:
        taken = takedown.unpublish(
            database, arguments.post, reason=arguments.reason, keep_picture=arguments.keep_picture
        )
        return _tell(arguments, settings, removing, database, taken)


def _delete(arguments: argparse.Namespace, settings: Settings, removing: RemovingOf) -> int:
    with _database(settings) as database:
        taken = takedown.delete_image(database, arguments.image, reason=arguments.reason)
        return _tell(arguments, settings, removing, database, taken)


def _tell(
    arguments: argparse.Namespace,
    settings: Settings,
    removing: RemovingOf,
    database: Database,
    taken: TakenDown,
) -> int:
    """Deliver what a takedown has written, and say what has happened."""
    messages: list[outbox.Row] = []
    pictures = [f"image:{key}" for key in taken.pictures]
    if subjects := [*taken.subjects, *pictures]:
        _deliver_now(database, settings, removing, subjects=subjects)
        with database.transaction() as connection:
            messages = outbox.messages(
                connection, subjects=taken.subjects, since=taken.messages_after + 1, limit=100_000
            )
            messages += [  # of an earlier takedown, which is not done until they are
                row
                for status in ("waiting", "dead")
                for row in outbox.messages(connection, subjects=pictures, status=status, limit=100_000)
                if row["id"] <= taken.messages_after
            ]
    messages.reverse()
    remover = removing(settings, database)
    purged = any((row["kind"], row["status"]) == ("purge", "delivered") for row in messages)
    forgotten = remover.forget(taken.pictures) if taken.pictures else []
    remaining = remover.may_remain(purged=purged) if taken.removed else []
    undone = any(row["status"] in ("waiting", "dead") for row in messages)
    code = int(any(row["status"] == "dead" for row in messages))
    if arguments.json:
        told = {name: value for name, value in asdict(taken).items() if name not in HOW_IT_IS_TOLD}
        told |= {"changed": taken.changed, "messages": [jsonable(row) for row in messages]}
        told |= {"done": not undone, "forgotten": forgotten, "others_may_hold": remaining}
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return code
    if not taken.changed:
        print("taken down already: " + ("not all of it is done" if undone else "nothing to do"))
    for slug in taken.hidden:
        print(f"hidden: /posts/{slug} is a draft now")
    for slug in taken.cleared:
        print(f"without the picture: /posts/{slug}")
    for key in taken.removed:
        print(f"removed and barred: {key} (`glad images allow {key}` lifts that)")
    for key, why in taken.kept.items():
        print(f"kept: {key}, {why}")
    if taken.prompts:
        print(f"cancelled or rejected: prompt {', '.join(map(str, taken.prompts))}")
    for row in messages:
        print(f"  {_doing(row)}: {_outcome(row)}")
    for line in forgotten:
        print(f"  {line}")
    if remaining:
        print("\n  - ".join(["what others may still hold:", *remaining]))
    return code


def _doing(row: outbox.Row) -> str:
    if row["kind"] == "revalidate":
        return f"tell the site about {row['payload']['paths'][1]}"
    if row["kind"] == "delete":
        return f"delete {', '.join(row['payload']['keys'])} from the bucket"
    return "purge the CDN of it"


def _outcome(row: outbox.Row) -> str:
    error = row["last_error"] or ""
    return {
        "delivered": "done",
        "skipped": f"skipped: {error}",
        "dead": f"GIVEN UP: {error}",
        "waiting": f"NOT YET{f': {error}' if error else ''}; the sensor or `glad outbox deliver` tries again",
    }[row["status"]]


def _allow(arguments: argparse.Namespace, settings: Settings, _: RemovingOf) -> int:
    with _database(settings) as database:
        allowed = takedown.allow(database, arguments.image)
    if allowed.was_blocked:
        print(f"allowed again: recipe {allowed.recipe_hash}")
    else:
        print(f"recipe {allowed.recipe_hash} was not barred: nothing to do")
    if allowed.prompts:
        ids = " ".join(map(str, allowed.prompts))
        print(f"to draw it again and show its post: glad prompts retry {ids}")
    return 0


def _list(arguments: argparse.Namespace, settings: Settings, _: RemovingOf) -> int:
    with _database(settings) as database, database.transaction() as connection:
        rows = outbox.messages(connection, status=arguments.status, limit=arguments.limit)
        counts = outbox.counts(connection)
    if arguments.json:
        print(json.dumps([jsonable(row) for row in rows], ensure_ascii=False, indent=2))
        return 0
    table = [
        {
            "id": row["id"],
            "kind": row["kind"],
            "subject": _shown(row["subject"]),
            "status": row["status"],
            "tries": row["attempts"],
            "next try": f"{row['next_attempt_at']:%Y-%m-%d %H:%M:%S}" if row["status"] == "waiting" else "",
            "error": _shown(row["last_error"] or ""),
        }
        for row in rows
    ]
    if table:
        print(tabulate(table, headers="keys", disable_numparse=True))
    print(", ".join(f"{count:,} {status}" for status, count in counts.items() if count) or "the outbox is empty")
    return 0


def _retry(arguments: argparse.Namespace, settings: Settings, _: RemovingOf) -> int:
    with _database(settings) as database, database.transaction() as connection:
        moved, refused = outbox.retry(connection, None if arguments.dead else arguments.ids)
    print(f"to be delivered again: {', '.join(map(str, moved)) or 'none'}")
    for message_id, reason in refused.items():
        print(f"message {message_id} was left as it is: {reason}", file=sys.stderr)
    return 1 if refused else 0


def _deliver(arguments: argparse.Namespace, settings: Settings, removing: RemovingOf) -> int:
    with _database(settings) as database:
        report = _deliver_now(database, settings, removing)
    parts = {
        "delivered": report.delivered,
        "skipped": report.skipped,
        "to be tried again": report.waiting,
        "dead": report.dead,
    }
    print(", ".join(f"{count:,} {name}" for name, count in parts.items() if count) or "nothing waits")
    for error in report.errors:
        print(f"glad: {error}", file=sys.stderr)
    return 1 if report.waiting or report.dead else 0


def _deliver_now(
    database: Database,
    settings: Settings,
    removing: RemovingOf,
    subjects: Sequence[str] | None = None,
) -> Any:
    with database.transaction() as connection:
        outbox.hurry(connection, subjects)
    return deliver(
        database,
        _targets(settings, removing(settings, database)),
        max_attempts=settings.outbox_attempts,
        subjects=subjects,
        **({"seconds": AT_ONCE} if subjects else {}),
    )


def _targets(settings: Settings, removing: Removing) -> Targets:
    return targets(
        site_url=settings.site_url,
        secret=settings.revalidate_secret.get_secret_value() if settings.revalidate_secret else None,
        distribution_id=settings.cloudfront_distribution_id,
        delete=removing,
        url=removing.url,
    )


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database of the settings; what goes wrong with it is said in a sentence."""
    if settings.database_url is None:
        raise UsageError("DATABASE_URL is not set: use `./glad …`, which starts the embedded server, or set it")
    url = settings.database_url.get_secret_value()
    try:
        with Database(url) as database:
            yield database
    except psycopg.errors.UndefinedTable as error:
        raise DatabaseError(f"{describe(url)} lacks a table: run `./glad migrate` first") from error
    except psycopg.Error as error:
        raise DatabaseError(f"{describe(url)} refused: {str(error).strip() or type(error).__name__}") from error


def _shown(text: str) -> str:
    """Text that cannot break a table or steer a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * SHOWN]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
