"""`glad audit` and `glad catalogue rebuild`: arguments to calls, answers to text or JSON.

Exit codes: 0 nothing is amiss (any more), 1 something is, or the store or the database could not be asked, 2 (by
`UsageError`) the request cannot be right.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from glad_pipeline.database import Database, DatabaseError, describe
from glad_pipeline.errors import UsageError
from glad_pipeline.operations.audit.rebuild import EXAMPLES, Rebuilt, rebuild
from glad_pipeline.operations.audit.report import Report
from glad_pipeline.operations.audit.walk import audit
from glad_pipeline.pipeline import identity
from glad_pipeline.settings import Settings
from glad_pipeline.storage.protocol import ObjectStore

TELL_EVERY = 3.0  # seconds between lines of progress
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
StoreOf = Callable[[Settings], ObjectStore]


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], store_of: StoreOf) -> None:
    """Add `audit` and `catalogue`; each command sets `func(args, settings) -> exit code`."""
    about = "walk bucket and database both ways and say what is amiss; changes nothing without --fix"
    look: argparse.ArgumentParser = subparsers.add_parser("audit", help=about, description=about)
    look.add_argument("--fix", action="store_true", help="mend what can be mended safely")
    look.add_argument(
        "--at-most",
        metavar="N",
        type=int,
        help="with --fix: how many pictures and objects may be moved, deleted or drawn again where it is over a tenth",
    )
    look.add_argument("--deep", action="store_true", help="read every picture whole and compare its SHA-256")
    look.add_argument(
        "--grace",
        metavar="TIME",
        default="1h",
        help="spare objects without a row that are younger: 90s, 30m, 1h, 2d (1h)",
    )
    look.add_argument("--json", action="store_true", help="one JSON object")
    look.set_defaults(func=lambda arguments, settings: _audit(arguments, settings, store_of))

    room = subparsers.add_parser("catalogue", help="the table images: rebuild it from the bucket")
    commands = room.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "restore the table images from the bucket alone; may be stopped and repeated"
    again: argparse.ArgumentParser = commands.add_parser("rebuild", help=about, description=about)
    again.add_argument(
        "--quick", action="store_true", help="believe the objects' metadata; read their first 16 KB alone"
    )
    again.add_argument("--json", action="store_true", help="one JSON object")
    again.set_defaults(func=lambda arguments, settings: _rebuild(arguments, settings, store_of))


def duration(text: str) -> timedelta:
    """`90s`, `30m`, `1h`, `2d` or `0`. Raises `UsageError`."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if found is None or (not found[2] and int(found[1])):
        raise UsageError(f"--grace {text!r} is no time: write a number and s, m, h or d, for example 30m or 1h")
    return timedelta(seconds=int(found[1]) * _UNITS.get(found[2], 1))


def _audit(arguments: argparse.Namespace, settings: Settings, store_of: StoreOf) -> int:
    grace = duration(arguments.grace)
    if arguments.at_most is not None and (arguments.at_most < 0 or not arguments.fix):
        raise UsageError(f"--at-most {arguments.at_most} goes with --fix, and is not negative")
    progress = _Progress()

    def tell(report: Report) -> None:
        progress.line(lambda: f"{report.objects:,} objects and {report.pictures:,} pictures compared")

    with _database(settings) as database:
        store = store_of(settings)
        _belonging(database, store, writes=arguments.fix)
        report = audit(
            database,
            store,
            grace=grace,
            fix=arguments.fix,
            deep=arguments.deep,
            at_most=arguments.at_most,
            tell=tell,
        )
    print(json.dumps(report.as_dict(), ensure_ascii=False, indent=2) if arguments.json else report)
    return 1 if report.remaining() else 0


def _rebuild(arguments: argparse.Namespace, settings: Settings, store_of: StoreOf) -> int:
    progress = _Progress()
    examples: list[dict[str, str]] = []

    def skipped(key: str, why: str) -> None:
        if len(examples) < EXAMPLES:
            examples.append({"key": key, "why": why})
        print(f"skipped {key}: {why}", file=sys.stderr if arguments.json else sys.stdout)

    def tell(done: Rebuilt) -> None:
        progress.line(
            lambda: f"{done.looked_at:,} originals read, {done.recorded:,} recorded, {done.skipped:,} skipped"
        )

    with _database(settings) as database:
        store = store_of(settings)
        _belonging(database, store, writes=True)
        done = rebuild(database, store, quick=arguments.quick, skipped=skipped, tell=tell)
    if arguments.json:
        print(json.dumps(done.as_dict() | {"examples": examples}, ensure_ascii=False, indent=2))
    else:
        barred = f" ({done.barred:,} of them taken down, as before)" if done.barred else ""
        print(
            f"bucket {settings.s3_bucket}: {done.looked_at:,} originals read, {done.recorded:,} recorded{barred}, "
            f"{done.skipped:,} skipped"
        )
    return 1 if done.skipped else 0


def _belonging(database: Database, store: ObjectStore, *, writes: bool) -> None:
    """Raises `GladError` where bucket and database do not belong together."""
    if writes:
        identity.settle(database, store, tell=lambda text: print(f"glad: {text}", file=sys.stderr))
    else:
        identity.check(database, store)


class _Progress:
    """A line to stderr every few seconds."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def line(self, text: Callable[[], str]) -> None:
        if time.monotonic() - self._told >= TELL_EVERY:
            self._told = time.monotonic()
            print(f"… {text()}", file=sys.stderr, flush=True)


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database of the settings; what goes wrong with it while it is used is one clear line."""
    assert settings.database_url is not None  # noqa: S101  the command line has made it ready
    url = settings.database_url.get_secret_value()
    try:
        with Database(url, application_name="glad audit", patience=settings.database_patience_seconds) as database:
            yield database
    except psycopg.errors.UndefinedTable as error:
        raise DatabaseError(f"{describe(url)} lacks a table of ours: run ./glad migrate") from error
    except psycopg.Error as error:
        told = error.diag.message_primary or str(error).strip().splitlines()[-1]
        raise DatabaseError(f"{describe(url)} failed half way: {told}. Nothing is half done: begin again") from error
