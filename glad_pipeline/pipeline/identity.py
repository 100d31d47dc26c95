"""Which bucket belongs to which database, so that neither is mistaken for another deployment's.

A row of the table `deployments` and a small object in the bucket, which no visitor can read, name each other. Both are
made at the first run and compared before anything is written, moved or deleted. Puts storage and database together;
knows neither what is kept in them nor Dagster.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from glad_pipeline.database import Connection, Database, describe, named_queries, value
from glad_pipeline.database.this_database import database_mark
from glad_pipeline.errors import GladError
from glad_pipeline.failpoints import reached
from glad_pipeline.publishing.images import known_keys
from glad_pipeline.records import columns_of, records_of, values_of
from glad_pipeline.storage.keys import DEPLOYMENT, PREFIX, key_in
from glad_pipeline.storage.options import naming_variable
from glad_pipeline.storage.protocol import ObjectStore, StoreError

SQL = named_queries(__package__, "identity.sql")
KEY = DEPLOYMENT
SAMPLE = 100  # pictures of a bucket without identity that are looked up in the catalogue
ADOPT = "If these two are to belong together from now on: ./glad migrate --adopt"


class NotTogetherError(GladError):
    """Bucket and database belong to different deployments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A bucket and the database that it belongs to, as either of them tells it."""

    id: UUID  # the bucket's for good
    bucket: str
    place: str  # the store's endpoint, or AWS and the region
    database: str  # the database's own numbers
    database_name: str  # host:port/name, for people

    @property
    def pair(self) -> tuple[UUID, str]:
        return self.id, self.database

    def as_json(self) -> bytes:
        return json.dumps({name: str(found) for name, found in values_of(self).items()}, indent=1).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What bucket and database say at one moment."""

    here: Identity  # as it would be made now
    row: Identity | None
    marked: bool  # whether the row's bucket has been given its object
    object: Identity | None
    probe: Any = None  # what was remembered of the bucket's store (`store_check`)

    @property
    def agree(self) -> bool:
        return self.marked and self.row is not None and self.object is not None and self.row.pair == self.object.pair


def settle(database: Database, store: ObjectStore, *, tell: Callable[[str], None], seen: Seen | None = None) -> None:
    """See to it that this bucket belongs to this database; where neither knows the other, they do from now on.

    `tell` hears of a bucket that has pictures already; `seen`: what `check` has just found. Raises `NotTogetherError`,
    with both names, and `StoreError`, `DatabaseError` where one of them does not answer.
    """
    seen = seen or check(database, store)
    if seen.agree:
        return
    own = seen.object or (seen.row if seen.marked else None)
    if own is None:
        _tell_of_pictures(database, store, tell)
        own = database.transact("identity", partial(_begin, seen.here))
    if seen.object is None:
        reached("mark_bucket.before")
        if not _put(store, own):  # another run was first, or another database
            seen = _look(database, store)
            _require_together(seen)
            own = seen.object or own
        reached("mark_bucket.after")
    database.transact("identity", partial(_write, own, marked=True))


def check(database: Database, store: ObjectStore) -> Seen:
    """As `settle`, for who only looks: changes nothing, and lets pass what knows of no other."""
    seen = _look(database, store)
    _require_together(seen)
    return seen


def remember(database: Database, probe: str) -> None:
    """Keep what was found of the store (JSON) with the bucket that belongs to this database."""
    database.transact("identity", lambda connection: connection.execute(SQL["remember"], {"probe": probe}))


def blog_mark(connection: Connection) -> str | None:
    """What the blog's schema was like when a post on trial last went through."""
    mark: str | None = value(connection, SQL["blog_mark"])
    return mark


def remember_blog(database: Database, mark: str) -> None:
    """A post on trial went through. Nothing is kept before the first run has made the two belong together."""
    database.transact("identity", lambda connection: connection.execute(SQL["remember_blog"], {"mark": mark}))


def adopt(database: Database, store: ObjectStore) -> Identity:
    """Have this bucket belong to this database from now on, whatever the two have said so far."""
    try:
        found = _object(store)
        there = found is not None
    except NotTogetherError:  # it cannot be read: it is written anew
        found, there = None, True
    here = _here(database, store)
    own = replace(here, id=found.id) if found and found.bucket == here.bucket else here
    database.transact("identity", partial(_write, own, marked=False))
    reached("mark_bucket.before")
    if there:
        store.delete([KEY])
    _put(store, own)
    reached("mark_bucket.after")
    database.transact("identity", partial(_write, own, marked=True))
    return own


def holds(database: Database, store: ObjectStore, deployment: UUID) -> bool:
    """Whether this bucket is the one of that deployment of ours, which may be a former one.

    Raises `NotTogetherError` where that bucket is another database's by now, or was another's than this one.
    """
    row = database.read(partial(_row, query="known_as", id=deployment))
    known = row[0] if row else None
    if known:
        _require_mounted(known, store)
    here, found = _here(database, store), _object(store)
    if known is None or known.database != here.database:
        whose = f"the bucket {known.bucket!r} of {known.database_name}" if known else f"a deployment {deployment}"
        raise NotTogetherError(
            f"it lies in {whose}, of which the database {here.database_name} is a copy or was moved. "
            "If nobody else has that bucket any more, delete it there by hand"
        )
    if found is None:
        return (known.bucket, known.place) == (store.bucket, store.place)
    if found.id == known.id and found.database != known.database:
        raise NotTogetherError(f"{_bucket(store)} belongs to the database {found.database_name} by now")
    return found.id == known.id and found.bucket == store.bucket


def place_of(database: Database, deployment: UUID) -> tuple[str, str]:
    """Bucket and place of a deployment of ours that `holds` knows."""
    row = database.read(partial(_row, query="known_as", id=deployment))
    assert row is not None  # noqa: S101
    return row[0].bucket, row[0].place


def buckets(database: Database) -> list[tuple[str, str]]:
    """Bucket and place of every deployment that this database has had, the latest first."""
    rows = database.read(lambda connection: connection.execute(SQL["all"]).fetchall())
    return [(row["bucket"], row["place"]) for row in rows]


# --- what is there ---


def _look(database: Database, store: ObjectStore) -> Seen:
    row = database.read(partial(_row, query="current"))
    here = _here(database, store)
    if row and row[1]:
        _require_mounted(row[0], store)
    return Seen(
        here=here,
        row=row[0] if row else None,
        marked=bool(row and row[1]),
        object=_object(store),
        probe=row[2] if row else None,
    )


def _here(database: Database, store: ObjectStore) -> Identity:
    mark = database.read(database_mark)
    return Identity(
        id=uuid4(), bucket=store.bucket, place=store.place, database=mark, database_name=describe(database.url)
    )


def _row(connection: Connection, query: str, **bound: Any) -> tuple[Identity, bool, Any] | None:
    row = connection.execute(SQL[query], bound).fetchone()
    if row is None:
        return None
    return records_of(Identity, [row])[0], row["marked"], row["probe"]


def _object(store: ObjectStore) -> Identity | None:
    body = store.fetch(KEY)
    if body is None:
        return None
    try:
        content = json.loads(body)
        columns: dict[str, Any] = {name: str(content[name]) for name in columns_of(Identity)}
        return Identity(**columns | {"id": UUID(content["id"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotTogetherError(
            f"the object {KEY} in {_bucket(store)} says nothing that can be read ({error!r}), so it is not known whose "
            f"bucket this is. Nothing was changed. {ADOPT}"
        ) from error


# --- what follows ---


def _require_mounted(known: Identity, store: ObjectStore) -> None:
    """Raises `StoreError` where a folder that has pictures of ours looks as if nothing was ever in it."""
    if (known.bucket, known.place) == (store.bucket, store.place) and store.is_blank():
        raise StoreError(
            f"the folder {store.bucket} is empty, and the database {known.database_name} keeps its pictures there: the "
            "volume is not mounted. Mount it; nothing was changed. If it is to begin anew: ./glad migrate --adopt",
            answer="no bucket",
        )


def _require_together(seen: Seen) -> None:
    """Raises `NotTogetherError` unless each names the other, or knows of none."""
    here, row, found = seen.here, seen.row if seen.marked else None, seen.object
    cure = f"Nothing was changed. If {naming_variable(here.place)} or DATABASE_URL is wrong, correct it. {ADOPT}"
    bucket = f"the bucket {here.bucket!r} at {here.place}"
    if row and row.database != here.database:
        raise NotTogetherError(
            f"the database {here.database_name} is a copy of {row.database_name}, or was moved or upgraded: the bucket "
            f"{row.bucket!r} at {row.place} may belong to the other one still. {cure}"
        )
    if found and (found.database != here.database or (row and row.id != found.id)):
        whose = f"{bucket} belongs to the database {found.database_name}"
        if found.database == here.database:
            whose = f"{bucket} belonged to the database {here.database_name} before"
        known = f", whose bucket is {row.bucket!r} at {row.place}" if row else ""
        raise NotTogetherError(f"{whose}, and not to {here.database_name}{known}. {cure}")
    if found and found.bucket != here.bucket:
        raise NotTogetherError(
            f"{bucket} is a copy of the bucket {found.bucket!r} at {found.place}: {KEY} was copied with it. {cure}"
        )
    if row and not found and (row.bucket, row.place) != (here.bucket, here.place):
        raise NotTogetherError(
            f"the database {here.database_name} belongs to the bucket {row.bucket!r} at {row.place}, and not to "
            f"{bucket}. {cure}"
        )


def _tell_of_pictures(database: Database, store: ObjectStore, tell: Callable[[str], None]) -> None:
    """A bucket that says nothing may have pictures: an earlier version's, or those of a database that was lost."""
    originals = (key for listed in store.listing(PREFIX) if (key := key_in(listed.key)) == listed.key)
    keys = list(islice(originals, SAMPLE))
    if keys:
        known = len(database.read(partial(known_keys, keys=keys)))
        tell(
            f"{_bucket(store)} has pictures already, of the first {len(keys)} the database {describe(database.url)} "
            f"knows {known}. From now on the bucket belongs to that database"
        )


def _put(store: ObjectStore, own: Identity) -> bool:
    return store.put_once(KEY, own.as_json(), content_type="application/json", metadata={})


def _begin(own: Identity, connection: Connection) -> Identity:
    connection.execute(SQL["begin"], values_of(own))
    row = _row(connection, "current")
    assert row is not None  # noqa: S101  it has just been written, by whomever
    return row[0]


def _write(own: Identity, connection: Connection, *, marked: bool) -> None:
    bound = values_of(own) | {"marked": marked}
    connection.execute(SQL["retire"], bound)
    connection.execute(SQL["settle"], bound)


def _bucket(store: ObjectStore) -> str:
    return f"the bucket {store.bucket!r} at {store.place}"
