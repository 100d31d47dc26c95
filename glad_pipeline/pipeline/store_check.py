"""Whether the store can take pictures at all, found out before anything is claimed, and what it lacks made up for.

A store is looked at once for each set of options (`ObjectStore.probe`), and the answer is kept with the deployment's
identity, whose row a run reads anyway. Puts storage and database together; knows neither prompts nor Dagster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.diagnosis import Level
from glad_pipeline.pipeline import identity
from glad_pipeline.storage.probe import Exclusively, Probed, recalled
from glad_pipeline.storage.protocol import ObjectStore, StoreError

SQL = named_queries(__package__, "store_check.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What one look has found."""

    seen: identity.Seen  # whose bucket it is
    probed: Probed  # what its store does
    is_new: bool  # it was tried just now, and nothing remembers it yet


def look(database: Database, store: ObjectStore) -> Looked:
    """Whose bucket it is, and what its store does: as is known or remembered, or as tried now.

    Raises `NotTogetherError`, and `StoreError`, with the cure, for a store that can never take a picture or does not
    answer.
    """
    seen = identity.check(database, store)
    known = store.known() or recalled(seen.probe, store.options_mark)
    probed = known or store.probe()
    require(probed)
    return Looked(seen=seen, probed=probed, is_new=known is None)


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

    `tell` hears once what is to be known of the store; `looked`: what `look` has just found. Raises as `look`.
    """
    looked = looked or look(database, store)
    adapted = store.adapted(looked.probed.able, exclusively)
    identity.settle(database, adapted, tell=tell, seen=looked.seen)
    if looked.is_new:
        identity.remember(database, looked.probed.remembered(store.options_mark))
        for warning in looked.probed.warnings():
            tell(warning)
    return adapted


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
    """Work on a key while nobody else who shares this database does. It takes one of its connections as long.

    The lock is the transaction's, so that it holds behind any pooler, and is gone with a process that dies.
    """

    def exclusively(key: str, work: Callable[[], bool]) -> bool:
        def locked(connection: Connection) -> bool:
            connection.execute(SQL["lock"], {"key": key})
            return work()

        return database.read(locked)

    return exclusively
