"""`glad urls rewrite`: published addresses of pictures from one base to another, where the public address has changed.

Goes through each table in the order of its keys, a window of rows in a transaction of its own; a row that has the new
base has nothing to change any more, so that one that was stopped anywhere is begun again. Changes what
`publishing/addresses.py` finds to be ours, and tells the site of each post in the transaction that changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from glad_pipeline.blame import together_or_alone
from glad_pipeline.database import Connection, Database
from glad_pipeline.errors import UsageError
from glad_pipeline.outbox import messages
from glad_pipeline.pipeline.visit import Expected, problem_of_picture
from glad_pipeline.publishing import addresses
from glad_pipeline.publishing.addresses import IMAGES, POSTS, Move, Place, Row
from glad_pipeline.publishing.blocklist import take_down_alone
from glad_pipeline.publishing.images import known_keys, newest
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.urls import problem_of_web_address

ROWS = 500  # that are looked at, and changed, in one transaction
PASSES = 5  # at most: who published by the old base meanwhile is met by the next
EXAMPLES = 10


@dataclass(kw_only=True, slots=True)
class Rewritten:
    """What was changed, or would be."""

    move: Move
    rows: dict[str, int] = field(default_factory=dict)  # by table
    addresses: dict[str, int] = field(default_factory=dict)
    already: int = 0  # by a dry run: addresses that have the new base, which the way back would take along
    told: int = 0  # posts that the site is told of; a draft has no page
    refused: int = 0  # rows that cannot be changed
    reasons: list[str] = field(default_factory=list)  # of the first ones

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())

    def add(self, other: Rewritten) -> None:
        for mine, theirs in ((self.rows, other.rows), (self.addresses, other.addresses)):
            for name, number in theirs.items():
                mine[name] = mine.get(name, 0) + number
        self.already += other.already
        self.told += other.told
        self.refused += other.refused
        self.reasons += other.reasons[: EXAMPLES - len(self.reasons)]


def move_of(old: str, new: str) -> Move:
    """The two bases as they stand before the `/` of a key. Raises `UsageError` for what cannot be one."""
    bases = {}
    for option, text in (("--from", old), ("--to", new)):
        base = text.strip().rstrip("/")
        if problem := problem_of_web_address(base):
            raise UsageError(f"{option} {base[:200]!r}: {problem}, such as https://cdn.example.com")
        if f"/{PREFIX}" in f"{base}/":
            raise UsageError(f"{option} {base[:200]!r}: leave out /{PREFIX.rstrip('/')} and what follows it")
        bases[option] = base
    if bases["--from"] == bases["--to"]:
        raise UsageError(f"--from and --to are the same, {bases['--to']}: there is nothing to rewrite")
    return Move(old=bases["--from"], new=bases["--to"])


def problem_of_visit(database: Database, move: Move) -> str | None:
    """Why visitors are not given the newest picture by its new address; None: they are, or there is no picture."""
    for image in database.read(partial(newest, limit=1)):
        url = f"{move.new}/{image.key}"
        picture = Expected(url=url, sha256=image.sha256, bytes=image.bytes, width=image.width, height=image.height)
        if problem := problem_of_picture(picture):
            return (
                f"visitors are not given the newest picture at {url}: it {problem}. Nothing was changed: move the "
                f"objects first, and see that {move.new} serves them. Where visitors reach it and this machine does "
                "not: --unchecked"
            )
    return None


def rewrite(
    database: Database, move: Move, *, dry_run: bool, tell: Callable[[Rewritten], None] = lambda done: None
) -> Rewritten:
    """Put the new base in the place of the old in every address of ours. `dry_run`: say only what that would change.

    Rows that cannot be changed are counted with the reason, and stay. Raises `GladError` where the database does not
    answer; what was changed stays, and the same call goes on from there.
    """
    done = Rewritten(move=move)
    for _ in range(1 if dry_run else PASSES):
        before = done.total
        done.refused, done.reasons = 0, []  # each pass meets them anew
        for place in database.read(addresses.places):
            _walk(database, place, done, dry_run, tell)
        if done.total == before:
            break
    return done


def _walk(database: Database, place: Place, done: Rewritten, dry_run: bool, tell: Callable[[Rewritten], None]) -> None:
    after: Any = None
    while True:
        window = partial(_window, place, done.move, after)
        if dry_run:
            end, found = database.read(partial(window, dry_run=True))
        else:
            end, found = database.transact("rewrite_urls", partial(window, dry_run=False))
        done.add(found)
        tell(done)
        if end is None:
            return
        after = end


Change = tuple[Row, dict[str, str], int]  # a row, what changes in it by column, how many addresses that are


def _window(place: Place, move: Move, after: Any, connection: Connection, *, dry_run: bool) -> tuple[Any, Rewritten]:
    """The key at which the window ends, None for the last one, and what was changed in it."""
    done = Rewritten(move=move)

    def refuse(change: Change, reason: str) -> None:
        told = [f"{place.name} {change[0].id}: {reason}"]
        done.add(Rewritten(move=move, refused=1, reasons=told))

    end = addresses.end_of_window(connection, place, after, ROWS)
    changes = []
    for change in _changes(connection, place, move, after, end):
        if problem := addresses.problem_of_change(place, change[1], connection.info.user):
            refuse(change, problem)
        else:
            changes.append(change)
    written = changes if dry_run or not changes else _written(connection, place, changes, refuse)
    for change in written:
        done.add(Rewritten(move=move, rows={place.name: 1}, addresses={place.name: change[2]}))
    if dry_run:
        back = Move(old=move.new, new=move.old)
        done.already = sum(change[2] for change in _changes(connection, place, back, after, end))
    elif place.name == POSTS and written:
        done.told = messages.tell_of_posts(connection, [row.id for row, _, _ in written])
    return end, done


def _changes(connection: Connection, place: Place, move: Move, after: Any, end: Any) -> list[Change]:
    rows = addresses.rows_with(connection, place, move.old, after, end)
    known = known_keys(connection, addresses.keys_in(rows, move.old)) if rows else set()
    changes = [(row, *addresses.readdressed(row, move, known)) for row in rows]
    return [change for change in changes if change[1]]


def _written(
    connection: Connection, place: Place, changes: list[Change], refuse: Callable[[Change, str], None]
) -> list[Change]:
    """Those of these changes that were made."""
    if place.name == IMAGES:
        take_down_alone(connection)  # who publishes has read the old address and is done, or reads the new one

    def work(some: Sequence[Change]) -> list[bool]:
        return addresses.change(connection, place, [(row, changed) for row, changed, _ in some])

    refused: list[int] = []

    def tell(change: Change, reason: str) -> None:
        refused.append(id(change))
        refuse(change, reason)

    made = iter([each for some in together_or_alone(connection, changes, work, tell) for each in some])
    written = []
    for change in changes:
        if id(change) in refused:
            continue
        if next(made):
            written.append(change)
        else:
            refuse(change, "somebody has changed it meanwhile, or a trigger of the blog drops the change")
    return written
