"""`glad prompts …`: the queue from a terminal.

Turns arguments into calls of `intake` and `operations`, and their answers into tables or JSON. Holds no SQL.
Exit codes: 0 done, 1 some prompt could not be found or changed, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from tabulate import tabulate

from glad_pipeline.database import Database, DatabaseError, describe, jsonable
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import PRESETS, SCHEDULERS
from glad_pipeline.prompts import operations
from glad_pipeline.prompts.intake import add_prompt, import_file
from glad_pipeline.prompts.validation import FIELDS
from glad_pipeline.settings import Settings

Handler = Callable[[argparse.Namespace, Settings], int]

_FIELD_HELP = {
    "negative_prompt": "what to keep out of the picture",
    "title": "the post's title (≤ 255 characters)",
    "slug": "the post's address: a-z, 0-9, single hyphens; absent: made from the title",
    "excerpt": "≤ 500 characters",
    "content": "the post's text, in markdown",
    "category": "created if it does not exist",
    "author": "created if there is none of that name",
    "alt_text": "the picture in words (≤ 255 characters)",
    "task_id": "your own key: the same one again is the same prompt",
    "post_id": "UUID of an existing post to illustrate",
    "seed": "0 to 2^63-1; absent: made from the other fields",
    "width": "pixels, 64 to 4096, a multiple of 8",
    "height": "pixels, 64 to 4096, a multiple of 8",
    "num_inference_steps": "1 to 200",
    "guidance_scale": "0 to 30",
    "scheduler": ", ".join(SCHEDULERS),
    "preset": ", ".join(PRESETS),
    "model": "a directory or hub id, instead of GLAD_MODEL",
    "model_revision": "commit of a hub model, 40 hex digits",
    "lora": "a path or hub id with its weight (≤ 500 characters)",
    "priority": "higher goes first; 0 if absent",
    "publish_at": "not before this time, ISO 8601; without a zone it is UTC",
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `prompts` and its commands; each sets `func(args, settings) -> exit code`."""
    room = subparsers.add_parser("prompts", help="the queue: add, import, list, show, retry, cancel, approve, reject")
    commands = room.add_subparsers(title="commands", dest="prompts_command", metavar="COMMAND", required=True)

    def command(name: str, handler: Handler, help_text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
        parser.set_defaults(func=handler)
        return parser

    add = command("add", _add, "Put one prompt into the queue.")
    add.add_argument("prompt", metavar="TEXT", help="what to draw (≤ 2,000 characters)")
    for name, meaning in _FIELD_HELP.items():
        add.add_argument(f"--{name.replace('_', '-')}", metavar="…", help=meaning)
    add.add_argument("--needs-approval", action="store_true", default=None, help="wait for `glad prompts approve`")

    load = command("import", _import, "Put every row of a file into the queue, or none if one of them is wrong.")
    load.add_argument("file", metavar="FILE", type=Path, help=".csv with a header, or .jsonl; UTF-8")

    page = command("list", _list, "List prompts, the newest first.")
    page.add_argument("--status", metavar="S", help=", ".join(operations.STATUSES))
    page.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many (20)")
    page.add_argument("--before", metavar="ID", type=int, help="the next page: prompts older than this one")
    page.add_argument("--json", action="store_true", help="one JSON array")

    show = command("show", _show, "Show one prompt, its picture and its post.")
    show.add_argument("id", metavar="ID", type=int)
    show.add_argument("--json", action="store_true", help="one JSON object")

    again = command("retry", _retry, "Put failed, rejected or cancelled prompts back into the queue.")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", metavar="ID", type=int, nargs="*", default=[])
    which.add_argument("--all-failed", action="store_true", help="every failed prompt")

    for name, handler, help_text in (
        ("cancel", _cancel, "Take prompts out of the queue before they are published, or once their post is gone."),
        ("approve", _approve, "Let pictures that wait for approval be published."),
        ("reject", _reject, "Refuse pictures that wait for approval."),
    ):
        command(name, handler, help_text).add_argument("ids", metavar="ID", type=int, nargs="+")
    commands.choices["reject"].add_argument("--reason", metavar="R", required=True, help="kept with the prompt")


def _add(args: argparse.Namespace, settings: Settings) -> int:
    fields = {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
    with _database(settings) as database:
        prompt_id, created = add_prompt(database, fields)
        row = operations.show_prompt(database, prompt_id) or {}
    if created:
        print(f"prompt {prompt_id} is in the queue")
    else:
        print(f"that prompt is in the queue already: prompt {prompt_id}, {row.get('status', 'gone')}")
    return 0


def _import(args: argparse.Namespace, settings: Settings) -> int:
    progress = _Progress()
    try:
        with _database(settings) as database:
            report = import_file(database, args.file, progress=progress)
    finally:
        progress.end()
    print(f"{args.file}: {report.added:,} added, {report.existing:,} there already")
    if report.differing:
        print(f"{report.differing:,} of these have a task_id that is in the queue with other fields, which were kept")
    return 0


def _list(args: argparse.Namespace, settings: Settings) -> int:
    with _database(settings) as database:
        rows = operations.list_prompts(database, status=args.status, limit=args.limit, before=args.before)
        counts = {} if args.json else operations.counts_by_status(database)
    if args.json:
        print(json.dumps([jsonable(row) for row in rows], ensure_ascii=False, indent=2))
        return 0
    table = [
        {
            "id": row["id"],
            "status": row["status"],
            "attempts": row["attempts"],
            "title or prompt": _one_line(row["title"] or row["prompt"], 48),
            "picture or error": _outcome(row),
        }
        for row in rows
    ]
    if table:
        print(tabulate(table, headers="keys", disable_numparse=True))
    print(", ".join(f"{count:,} {status}" for status, count in counts.items() if count) or "the queue is empty")
    if len(rows) == args.limit:
        print(f"older ones: --before {rows[-1]['id']}")
    return 0


def _outcome(row: operations.Row) -> str:
    """The picture's URL, whole, or for a prompt that came to nothing the reason."""
    error = _one_line(row["last_error"] or "", 80)
    ended_badly = row["status"] in ("failed", "rejected") or error.startswith("taken down")
    return error if error and ended_badly else row["image_url"] or error


def _show(args: argparse.Namespace, settings: Settings) -> int:
    with _database(settings) as database:
        row = operations.show_prompt(database, args.id) if 0 < args.id < 2**63 else None
    if row is None:
        print(f"there is no prompt {args.id}: `glad prompts list` shows those there are", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(jsonable(row), ensure_ascii=False, indent=2))
    else:
        given = [(name, _one_line(str(value), 500)) for name, value in row.items() if value not in (None, "")]
        print(tabulate(given, tablefmt="plain", disable_numparse=True))
    return 0


def _retry(args: argparse.Namespace, settings: Settings) -> int:
    with _database(settings) as database:
        if not args.all_failed:
            return _report("back in the queue", operations.retry(database, args.ids))
        count = operations.retry_all_failed(database)
    print(f"back in the queue: {count:,} failed prompts")
    return 0


def _cancel(args: argparse.Namespace, settings: Settings) -> int:
    with _database(settings) as database:
        return _report("cancelled", operations.cancel(database, args.ids))


def _approve(args: argparse.Namespace, settings: Settings) -> int:
    with _database(settings) as database:
        return _report("approved", operations.approve(database, args.ids))


def _reject(args: argparse.Namespace, settings: Settings) -> int:
    with _database(settings) as database:
        return _report("rejected", operations.reject(database, args.ids, reason=args.reason))


def _report(done: str, changes: operations.Changes) -> int:
    if changes.changed:
        print(f"{done}: {', '.join(map(str, changes.changed))}")
    for prompt_id, reason in changes.refused.items():
        print(f"prompt {prompt_id} was left as it is: {reason}", file=sys.stderr)
    return 1 if changes.refused else 0


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database of the settings; what goes wrong with it is said in a sentence."""
    if settings.database_url is None:
        raise UsageError("DATABASE_URL is not set: use `./glad prompts …`, which starts the embedded server, or set it")
    url = settings.database_url.get_secret_value()
    try:
        with Database(url) as database:
            yield database
    except psycopg.errors.UndefinedTable as error:
        raise DatabaseError(f"{describe(url)} has no table prompts: run `./glad migrate` first") from error
    except psycopg.Error as error:
        raise DatabaseError(f"{describe(url)} refused: {str(error).strip() or type(error).__name__}") from error


def _one_line(text: str, longest: int) -> str:
    """Text that cannot break a table or steer a terminal, cut at `longest`."""
    line = " ".join("".join(c if c.isprintable() or c.isspace() else "·" for c in text[: 2 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


class _Progress:
    """Tells a person on stderr how far an import is, once it takes longer than a second."""

    def __init__(self) -> None:
        self._started = self._told = time.monotonic()
        self._doing = "checked"
        self._terminal = sys.stderr.isatty()

    def __call__(self, doing: str, rows: int) -> None:
        now = time.monotonic()
        pause = 0.2 if self._terminal else 5.0
        due = now - self._told >= pause or self._told == self._started or doing != self._doing
        if due and (now - self._started >= 1 or (doing != self._doing and rows >= 10_000)):
            text = f"{doing} {rows:,} rows"
            print(f"\r\x1b[K{text}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr)
            sys.stderr.flush()
            self._told, self._doing = now, doing

    def end(self) -> None:
        if self._terminal and self._told != self._started:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
