"""The audit: the bucket's listing and the catalogue walked side by side, then the queue, the posts and the outbox.

The catalogue is one snapshot taken before the listing begins, so an object is never missed because its row came
meanwhile; what looks wrong is looked at once more, fresh, before it is reported. Without `fix` every transaction is
read-only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeVar, cast

import psycopg

from glad_pipeline.database import Connection, Database, named_queries, value
from glad_pipeline.errors import GladError
from glad_pipeline.operations.audit import mend
from glad_pipeline.operations.audit.asked import ask
from glad_pipeline.operations.audit.mend import PictureUser
from glad_pipeline.operations.audit.merge import in_order, merge
from glad_pipeline.operations.audit.reading import Unreadable, account, guarded
from glad_pipeline.operations.audit.report import MOVED, Report
from glad_pipeline.pipeline.renditions import Completed, complete
from glad_pipeline.publishing.images import CataloguedImage, known_keys
from glad_pipeline.publishing.renditions import known_renditions
from glad_pipeline.records import records_of
from glad_pipeline.rendition_plan import NOTHING
from glad_pipeline.storage.keys import PREFIX, is_rendition, key_in
from glad_pipeline.storage.protocol import Listed, ObjectStore

SQL = named_queries(__package__)
GRACE = timedelta(hours=1)
PATIENCE = 30.0  # seconds for which a request is made again: one object that cannot be read is not the store's absence
BATCH = 200  # findings that are looked at again, and mended, together
ROWS_AT_ONCE = 5_000
Answer = TypeVar("Answer")


class TooMuchError(GladError):
    """To mend what was found would move more than a tenth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """A key that the catalogue knows."""

    key: str
    id: int  # images.id
    bytes: int | None  # None: a thumbnail's are not recorded
    kind: Literal["original", "thumbnail", "rendition"]
    required: bool  # False: it may be there: a thumbnail that is not recorded, or what was allowed again
    removed: bool  # taken down, and not allowed again: nothing may be there


def audit(
    database: Database,
    store: ObjectStore,
    *,
    grace: timedelta = GRACE,
    fix: bool = False,
    deep: bool = False,
    at_most: int | None = None,
    shown: int = 10,
    tell: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Walk bucket and database both ways and say what is amiss; with `fix`, mend what can be mended safely.

    Args:
        grace: an object without a row that is younger, by the store's own clock, is only counted.
        deep: also read every picture and rendition whole and compare its SHA-256 with what is recorded.
        at_most: how many pictures and objects `fix` may move; None, or less: a tenth of what is looked at.
        shown: examples kept of each kind of finding.
        tell: called with the report so far, for each object or row.

    Raises `TooMuchError` where `fix` would move more than that, before anything is moved, and `GladError` where the
    store or the database does not answer, or the listing is not in the keys' order.
    """
    store = store.with_patience(min(store.patience, PATIENCE))
    most = 0
    if fix:
        most = _most(audit(database, store, grace=grace, tell=tell), at_most)
    report = Report(place=f"bucket {store.bucket}", fix=fix, deep=deep, shown=shown)
    with _snapshot(database) as connection:
        clock = value(connection, SQL["clock"])
        walk = _Walk(database, store, report, grace=grace, clock=clock, most=most)
        objects = in_order(walk.ours(store.listing(PREFIX)), f"the store's listing of {PREFIX}")
        for stored, expected in merge(objects, _expected(connection)):
            walk.take(stored, expected)
            tell(report)
    walk.finish()
    with _snapshot(database) as connection:
        ask(connection, report)
    return report


def _most(planned: Report, at_most: int | None) -> int:
    """How many may be moved. Raises `TooMuchError` if those that an audit without `fix` has found are more."""
    wanted, looked_at = planned.to_move(), planned.looked_at()
    most = max(at_most or 0, looked_at // 10)
    if wanted > most:
        kinds = planned.remaining_in_words(MOVED)
        raise TooMuchError(
            f"{planned.place}: to mend it, {wanted:,} of {looked_at:,} pictures and objects would be moved, deleted or "
            f"drawn again ({kinds}), which is more than {most:,}. Nothing was changed. Is it the right bucket, and the "
            f"right database? See what they are with `glad audit`; if it is right so: --fix --at-most {wanted}"
        )
    return most


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """A read-only transaction that sees the database as it is at its first statement."""
    with database.connect(application_name="glad audit") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(SQL["no_idle_limit"])
        yield connection


def _expected(connection: Connection) -> Iterator[Expected]:
    with connection.cursor(name="glad_audit") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(SQL["expected"])
        for row in cursor:
            yield Expected(**row)


class _Walk:
    """Takes the merged streams apart into findings, a batch of each kind at a time."""

    def __init__(
        self, database: Database, store: ObjectStore, report: Report, *, grace: timedelta, clock: datetime, most: int
    ) -> None:
        self.database = database
        self.store = store
        self.report = report
        self.grace = grace
        self.clock = clock  # the database's, where the store does not tell its own
        self._left = most  # of what may be moved
        self._handlers: dict[str, Callable[[list[Any]], None]] = {
            "orphans": self._orphans,
            "ghosts": self._ghosts,
            "differing": self._differing,
            "whole": self._read,
            "whole_renditions": self._read_renditions,
            "not_removed": self._not_removed,
            "thumbnails": self._thumbnails,
            "renditions": self._renditions,
        }
        self._unreadable: set[str] = set()  # keys
        self._lacking: dict[str, int] = {}  # by kind, images.id of what was missing last beside an original
        self._batches: dict[str, list[Any]] = {name: [] for name in self._handlers}

    def ours(self, listing: Iterator[Listed]) -> Iterator[Listed]:
        """The objects whose key is one that this pipeline gives; the others are counted."""
        for stored in listing:
            self.report.objects += 1
            if key_in(stored.key) is None or not stored.key.startswith(PREFIX):
                self.report.add("foreign", [stored.key])
            else:
                yield stored

    def take(self, stored: Listed | None, expected: Expected | None) -> None:
        if expected is not None and expected.kind == "original" and expected.required:
            self.report.pictures += 1
        if expected is None:
            assert stored is not None  # noqa: S101  a key comes from one of the two
            self._put("orphans", stored)
        elif expected.removed:
            if stored is not None:
                self._put("not_removed", expected)
        elif expected.kind != "original":
            if expected.required and (stored is None or stored.bytes != (expected.bytes or stored.bytes)):
                self._lacking[f"{expected.kind}s"] = expected.id
            elif expected.required and expected.kind == "rendition" and self.report.deep:
                self._put("whole_renditions", expected)
        elif not expected.required:
            pass
        elif stored is None:
            self._put("ghosts", expected.id)
        else:
            for kind, lacking in self._lacking.items():
                if lacking == expected.id:  # the keys of what belongs to a picture are just before its original's
                    self._put(kind, expected.id)
            if stored.bytes != expected.bytes:
                self._put("differing", expected.id)
            elif self.report.deep:
                self._put("whole", expected.id)

    def finish(self) -> None:
        reading = ("whole", "whole_renditions")  # may add to the others
        for kind in (*reading, "differing", "ghosts", "orphans", "not_removed", "thumbnails", "renditions"):
            self._flush(kind)

    def _put(self, kind: str, item: Any) -> None:
        self._batches[kind].append(item)
        if len(self._batches[kind]) >= BATCH:
            self._flush(kind)

    def _flush(self, kind: str) -> None:
        batch, self._batches[kind] = self._batches[kind], []
        if batch:
            self._handlers[kind](batch)

    def _orphans(self, found: list[Listed]) -> None:
        young = [each for each in found if (each.now or self.clock) - each.modified < self.grace]
        self.report.add("within_grace", [_object(each) for each in young])
        unknown, in_use = self._unused([each for each in found if each not in young])
        self.report.add("in_use", [_object(each) for each in in_use])
        mended = 0
        if self._may_move(len(unknown)):
            still = lambda: {each.key for each in self._unused(unknown)[0]}  # noqa: E731
            mended = mend.quarantine(self.store, [each.key for each in unknown], still)
        self.report.add("orphans", [_object(each) for each in unknown], mended=mended)

    def _may_move(self, count: int) -> bool:
        """Whether so many more may be moved. What only a deep look finds was in no plan, and counts too."""
        if not self.report.fix:
            return False
        self._left -= count
        self.report.stopped |= self._left < 0
        return self._left >= 0

    def _each(self, look: Callable[[str], Answer | None], keys: Iterable[str]) -> dict[str, Answer]:
        """`look(key)` for many keys; those that cannot be read are reported and left out."""
        seen = self.store.each(guarded(self.store, look), keys)
        lost = {key: found for key, found in seen.items() if isinstance(found, Unreadable)}
        new = lost.keys() - self._unreadable
        self.report.add("unreadable", [f"{key}: {lost[key].reason}" for key in sorted(new)])
        self._unreadable |= new
        return {key: cast("Answer", found) for key, found in seen.items() if key not in lost}

    def _unused(self, found: Sequence[Listed]) -> tuple[list[Listed], list[Listed]]:
        """Those without a row by now, and nobody's; and those that a prompt in the queue may be about to use.

        An original belongs with the prompts in the queue that have its prompt and seed (its seed alone, where its
        recipe cannot be read); what was made of it with it, or, where there is none, with whoever draws now. A
        rendition that is not recorded is nobody's, whether its original is catalogued or not.
        """
        originals = {each.key: key_in(each.key) or each.key for each in found}
        known = self._fresh(partial(known_keys, keys=set(originals.values())))
        recorded = self._fresh(partial(known_renditions, keys=[key for key in originals if is_rendition(key)]))
        left = [
            each
            for each in found
            if originals[each.key] not in known or (is_rendition(each.key) and each.key not in recorded)
        ]
        accounts = self._each(partial(account, self.store), {originals[each.key] for each in left})
        left = [each for each in left if originals[each.key] not in self._unreadable]
        seeds = {seed for seed, _ in accounts.values() if seed is not None}
        wanted = {(row["seed"], _nfc(row["prompt"])) for row in self._look("wanted_seeds", seeds=list(seeds))}
        wanted_seeds = {seed for seed, _ in wanted}
        somebody_draws = self._look("anybody_draws")[0]["found"]

        def is_wanted(key: str) -> bool:
            if key not in accounts:
                return bool(somebody_draws)
            seed, prompt = accounts[key]
            return (seed in wanted_seeds) if prompt is None else ((seed, prompt) in wanted)

        unused = [each for each in left if not is_wanted(originals[each.key])]
        return unused, [each for each in left if each not in unused]

    def _read(self, ids: list[int]) -> None:
        """Pictures of the right size: read, and compared with the catalogue as it is now."""
        images = {image.key: image for image in self._images(ids)}
        digests = self._each(partial(_sha256, self.store), images)
        for key, image in images.items():
            if key not in self._unreadable and digests.get(key) != image.sha256:
                self._put("differing", image.id)

    def _read_renditions(self, found: list[Expected]) -> None:
        """Renditions of the right size. Where their bytes are not those recorded, they are made anew."""
        recorded = self._fresh(partial(known_renditions, keys=[each.key for each in found]))
        digests = self._each(partial(_sha256, self.store), recorded)
        wrong = {key for key in recorded.keys() - self._unreadable if digests.get(key) != recorded[key]}
        if self.report.fix:
            self.store.delete(wrong)
        for image in sorted({each.id for each in found if each.key in wrong}):
            self._put("renditions", image)

    def _differing(self, ids: list[int]) -> None:
        """Objects that are not as the catalogue says, now and not just when they were listed."""
        images = self._images(ids)
        sizes = {key: head.bytes for key, head in self._each(self.store.head, [each.key for each in images]).items()}
        same = [each for each in images if sizes.get(each.key) == each.bytes]
        digests = self._each(partial(_sha256, self.store), [each.key for each in same]) if self.report.deep else {}
        whole = {each.id for each in same if not self.report.deep or digests.get(each.key) == each.sha256}
        wrong = [each for each in images if each.id not in whole and each.key not in self._unreadable]
        self._tell_of(
            missing=[each for each in wrong if each.key not in sizes],
            damaged=[each for each in wrong if each.key in sizes],
        )

    def _ghosts(self, ids: list[int]) -> None:
        """Rows whose object was not listed, and was not catalogued anew since."""
        self._tell_of(missing=[each for each in self._images(ids) if each.verified_at < self.clock], damaged=[])

    def _tell_of(self, *, missing: list[CataloguedImage], damaged: list[CataloguedImage]) -> None:
        users: dict[int, list[PictureUser]] = {each.id: [] for each in missing + damaged}
        for user in records_of(PictureUser, self._look("users", ids=list(users))):
            users[user.image_id].append(user)
        links = self._look("dead_links", ids=[each.id for each in missing])
        healing = {each.id for each in missing if any(u.status in ("pending", "claimed") for u in users[each.id])}
        unshown = {each.id for each in missing if users[each.id] and all(u.unshown for u in users[each.id])}
        mended: set[int] = set()
        if self._may_move(len(missing) + len(damaged)):
            mended = mend.draw_again(self.database, self.store, missing, damaged, users)
        for kind, images in (
            ("redrawing", [each for each in missing if each.id in healing]),
            ("unshown", [each for each in missing if each.id in unshown]),
            ("ghosts", [each for each in missing if each.id not in healing | unshown]),
            ("damaged", damaged),
        ):
            examples = [_picture(each, users[each.id]) for each in images]
            self.report.add(kind, examples, mended=sum(each.id in mended for each in images))
        lines = [f"post {link['slug']!r} (prompt {link['prompt_id']}) shows {link['url']}" for link in links]
        self.report.add("dead_links", lines, mended=sum(link["image_id"] in mended for link in links))

    def _not_removed(self, found: list[Expected]) -> None:
        """Objects that are there still, of pictures that are taken down still and that nobody is about to delete."""
        ids = [each.id for each in found]
        rows = self._look("removed_keys", ids=ids)
        barred = {key for row in rows for key in row["keys"]}
        there = self.store.heads(each.key for each in found if each.key in barred)
        mended = mend.delete_removed(self.database, self.store, ids, there) if self._may_move(len(there)) else 0
        lines = [f"image {each.id} {each.key}" for each in found if each.key in there]
        self.report.add("not_removed", lines, mended=mended)

    def _thumbnails(self, ids: list[int]) -> None:
        """Those of pictures whose original is there: a ghost's comes back with it."""
        images = [each for each in self._images(ids) if each.thumbnail_key]
        mended = mend.make_thumbnails(self.database, self.store, [each.id for each in images]) if self.report.fix else 0
        lines = [f"image {each.id} {each.thumbnail_key}" for each in images]
        self.report.add("missing_thumbnails", lines, mended=mended)

    def _renditions(self, ids: list[int]) -> None:
        """Those that are gone, or are not what is recorded, of pictures whose original is there."""
        done = Completed()
        if self.report.fix:
            complete(self.database, self.store, NOTHING, sorted(set(ids)), done)
        images = sorted(self._images(ids), key=lambda each: each.id not in done.problems)  # those with a reason first
        lines = [f"image {each.id} {each.key}{_why(done.problems.get(each.id))}" for each in images]
        self.report.add("missing_renditions", lines, mended=min(done.completed, len(lines)))

    def _images(self, ids: list[int]) -> list[CataloguedImage]:
        return records_of(CataloguedImage, self._look("images", ids=ids))

    def _look(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return self._fresh(lambda connection: connection.execute(SQL[query], parameters).fetchall())

    def _fresh(self, look: Callable[[Connection], Answer]) -> Answer:
        """A fresh look, in a read-only transaction."""

        def work(connection: Connection) -> Answer:
            connection.execute("SET TRANSACTION READ ONLY")
            return look(connection)

        return self.database.read(work)


def _sha256(store: ObjectStore, key: str) -> str | None:
    seen = store.digest(key)
    return None if seen is None else seen[1]


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)  # as recipes hold it


def _object(stored: Listed) -> str:
    return f"{stored.key} ({stored.bytes:,} bytes, {stored.modified:%Y-%m-%d %H:%M:%S} UTC)"


def _why(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _picture(image: CataloguedImage, users: Sequence[PictureUser]) -> str:
    users_shown = [f"{user.id} {user.status}{f', held by {user.claimed_by}' if user.held else ''}" for user in users]
    return (
        f"image {image.id} {image.key} ("
        + (f"prompts: {'; '.join(users_shown[:3])}" if users_shown else "no prompt")
        + ")"
    )
