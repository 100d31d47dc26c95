"""Whether the store can take pictures at all, found out before anything is claimed, and what it lacks made up for.

A store is looked at once for each set of options (`ObjectStore.probe`), and the answer is kept with the deployment's
identity, whose row a run reads anyway. Puts storage and database together; knows neither prompts nor Dagster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psycopg

from glad_pipeline.database import SILENCE, Connection, Database, answering_within, named_queries, value
from glad_pipeline.diagnosis import Level
from glad_pipeline.pipeline import identity
from glad_pipeline.storage.probe import Exclusively, Probed, recalled
from glad_pipeline.storage.protocol import ObjectStore, StoreError

SQL = named_queries(__package__, "store_check.sql")
AT_ONCE = 8  # keys that one process writes under a lock at a time: each takes a connection as long


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What one look has found."""

    seen: identity.Seen  # whose bucket it is
    probed: Probed  # what its store does
    is_new: bool  # it was tried just now, and nothing remembers it yet
    is_recalled: bool  # it was told when it was tried


def look(database: Database, store: ObjectStore) -> Looked:
    """Whose bucket it is, and what its store does: as is known or remembered, or as tried now.

    Raises `NotTogetherError`, and `StoreError`, with the cure, for a store that can never take a picture or does not
    answer.
    """
    seen = identity.check(database, store)
    # a bucket that has lost its object was made anew, maybe by another store
    known = store.known()
    past = recalled(seen.probe, store.options_mark) if seen.agree and not known else None
    probed = known or past or store.probe()
    require(probed)
    return Looked(seen=seen, probed=probed, is_new=not (known or past), is_recalled=past is not None)


def require(probed: Probed) -> None:
    """Raises `StoreError` with the cures of all that is wrong."""
    if wrong := [each.in_words() for each in probed.found if each.level is Level.ERROR]:
        raise StoreError("; ".join(wrong))


def require_store(
    database: Database,
    store: ObjectStore,
    *,
    exclusively: Exclusively,
    tell: Callable[[str], None],
    looked: Looked | None = None,
) -> ObjectStore:
    """The bucket as it is to be used, once it belongs to this database and its store can take pictures.

    `tell` hears what is to be known of the store, of one that is remembered once; `looked`: what `look` has just found.
    Raises as `look`.
    """
    looked = looked or look(database, store)
    adapted = store.adapted(looked.probed.able, exclusively)
    identity.settle(database, adapted, tell=tell, seen=looked.seen)
    if looked.is_new:
        identity.remember(database, looked.probed.remembered(store.options_mark))
    if not looked.is_recalled:
        for warning in looked.probed.warnings():
            tell(warning)
    return adapted


def belonging(
    database: Database, store: ObjectStore, *, writes: bool, tell: Callable[[str], None] = lambda text: None
) -> ObjectStore:
    """The store as a person's command is to use it.

    `writes`: as `require_store`, which `tell` is for. Raises `GladError` where bucket and database do not belong
    together.
    """
    if writes:
        return require_store(database, store, exclusively=under_a_lock(database), tell=tell)
    identity.check(database, store)
    return store


def made_up_for(database: Database, store: ObjectStore) -> ObjectStore:
    """The bucket, whosever it is, with what its store cannot do made up for. Raises `StoreError`, with the cure."""
    store.check()
    probed = store.known() or store.probe()
    require(probed)
    return store.adapted(probed.able, under_a_lock(database))


def look_again(database: Database, store: ObjectStore) -> Probed:
    """Try the store, whatever is remembered, and remember that if the bucket is this database's and it can be used.

    Raises as `look`, but for what `Probed.found` says.
    """
    seen = identity.check(database, store)
    probed = store.probe()
    if seen.agree and all(each.level is not Level.ERROR for each in probed.found):
        identity.remember(database, probed.remembered(store.options_mark))
    return probed


def under_a_lock(database: Database) -> Exclusively:
    """Work on a key while nobody else who shares this database does, `AT_ONCE` of them at a time.

    The lock is a session's, as a claim's is: no limit on a transaction ends it while an upload goes on, and it is gone
    with a process that dies.
    """
    turns = threading.BoundedSemaphore(AT_ONCE)

    def exclusively(key: str, work: Callable[[], bool]) -> bool:
        with turns:
            connection, _ = database.connect_patiently(application_name="glad-put", prepare=partial(_lock, key))
            try:
                # a lock that was lost may have let another one write: what is there then has to be looked at
                return work() and _is_held_to_the_end(key, connection)
            finally:
                connection.close()

    return exclusively


def _lock(key: str, connection: Connection) -> None:
    connection.execute(SQL["stay"])
    connection.execute(SQL["lock"], {"key": key})


def _is_held_to_the_end(key: str, connection: Connection) -> bool:
    """Free the lock of a key; whether this connection still had it."""
    try:
        with answering_within(connection, SILENCE):
            return bool(value(connection, SQL["unlock"], {"key": key}))
    except psycopg.Error:
        return False
