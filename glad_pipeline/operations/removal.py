"""What a takedown removes beside its rows: the objects, in the bucket in which they really lie, and our other traces.

Puts storage, identity and the outbox's messages together. A picture that is in another bucket than the settings' is
deleted there, or its message says why not and is not done; a copy of it in the settings' bucket goes with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg

from glad_pipeline.database import Database, DatabaseError, connect, has_table, named_queries
from glad_pipeline.errors import GladError
from glad_pipeline.local.stack import project_root
from glad_pipeline.outbox.messages import Message, name_also
from glad_pipeline.outbox.targets import Refused, joined
from glad_pipeline.pipeline import identity
from glad_pipeline.pipeline.visit import problem_of_url
from glad_pipeline.settings import Settings
from glad_pipeline.storage.keys import QUARANTINE, key_in, stem_of
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.options import named_in_words
from glad_pipeline.storage.protocol import ObjectStore, StoreError

SQL = named_queries(__package__, "removal.sql")
# How a visit begins to a picture that is not there. Not with 403: programs are answered so where browsers are not.
GONE = ("answers 404", "answers 410")
GONE_AT_SUPABASE = ("answers 400",)  # its public URLs, of which it says "404" in the body
SUPABASE_PATH = "/storage/v1/object/public/"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Deletes the objects of messages; a copy in quarantine goes with each."""

    database: Database
    store: ObjectStore  # of the settings
    dagster_url: str | None = None  # where Dagster's event log is
    galleries: Sequence[Path] = ()  # where `glad demo` may have written one

    def __call__(self, messages: Sequence[Message]) -> None:
        """Raises `StoreError` where the store does not answer, `Refused` where a picture's bucket cannot be had."""
        keys: dict[ObjectStore, list[str]] = defaultdict(list)
        stores: dict[UUID | None, list[ObjectStore]] = {}
        for message in messages:
            deployment = _deployment(message)
            if deployment not in stores:
                stores[deployment] = self._stores_of(deployment)
            if deployment is None:
                self._require_here(message)
            for store in stores[deployment]:
                keys[store] += joined([message], "keys")
        for store, some in keys.items():
            try:
                found = objects_of(store, list(dict.fromkeys(some)))
                self._name_all(messages, found)
                store.delete(found)
            except StoreError as error:
                if error.transient or store is self.store:
                    raise
                raise Refused(f"{error}. {_cure(store.bucket, store.place)}") from error

    def url(self, key: str) -> str:
        """The public URL of a key by the settings of now."""
        return self.store.url(key)

    def forget(self, keys: Sequence[str]) -> list[str]:
        """Remove what else we made of these pictures; what that was, for people. Raises `GladError`."""
        done = [f"removed {file}, which showed it" for file in forget_galleries(self.galleries, keys)]
        if self.dagster_url and (blanked := forget_previews(self.dagster_url)):
            done.append(f"blanked {blanked} contact sheets that an earlier version left in Dagster's event log")
        return done

    def may_remain(self, *, purged: bool) -> list[str]:
        """What of a removed picture others may still hold, for people."""
        versions = self.store.keeps_versions()
        kept = {True: "keeps", None: "may keep"}.get(versions)
        former = [each for each in identity.buckets(self.database) if each != (self.store.bucket, self.store.place)]
        return [
            *(
                f"the bucket {bucket!r} at {place}, which this database had before, if it was copied"
                for bucket, place in former
            ),
            *([f"the bucket {self.store.bucket!r} {kept} older versions: delete those of these keys"] if kept else []),
            *([] if purged else ["a CDN or proxy before the bucket, until its cache ends: none was purged"]),
            "browsers, search engines and feed readers that have fetched it",
            "backups of bucket and database, and what was copied from the blog",
            "Dagster's event log: prompt, title and key, until the run that drew it is deleted in the web UI",
        ]

    def _name_all(self, messages: Sequence[Message], found: Sequence[str]) -> None:
        """Add to each message what the store has of its picture beside what it names: once that is gone, the CDN has to
        forget it too."""
        for message in messages:
            named = joined([message], "keys")
            stems = tuple(stem_of(original) for key in named if (original := key_in(key)))
            if unnamed := sorted({key for key in found if key.startswith(stems)} - set(named)):
                with self.database.transaction() as connection:
                    name_also(connection, message.id, unnamed)

    def _stores_of(self, deployment: UUID | None) -> list[ObjectStore]:
        """The bucket of that deployment (None: not known, then the settings'), which has to be ours still.

        The settings' bucket too, where it is ours: what it has of a former bucket's pictures was copied.
        """
        if deployment is None:
            identity.check(self.database, self.store)
            return [self.store]
        try:
            if identity.holds(self.database, self.store, deployment):
                return [self.store]
            found = [self._other_store(deployment)]
        except identity.NotTogetherError as error:
            raise Refused(f"not deleted: {error}") from error
        with suppress(identity.NotTogetherError):
            identity.check(self.database, self.store)
            found.append(self.store)
        return found

    def _other_store(self, deployment: UUID) -> ObjectStore:
        bucket, place = identity.place_of(self.database, deployment)
        where = f"the picture lies in the bucket {bucket!r} at {place}"
        there = self.store.neighbour(bucket, place)
        if there is None:
            raise Refused(f"{where}. {_cure(bucket, place)}")
        try:
            if identity.holds(self.database, there, deployment):
                return there
        except StoreError as error:
            if error.transient:
                raise
            raise Refused(f"{where}: {error}. {_cure(bucket, place)}") from error
        raise Refused(f"{where}, which has another identity by now. {_cure(bucket, place)}")

    def _require_here(self, message: Message) -> None:
        """A picture of an earlier version, whose bucket is not recorded: it is here, or nowhere any more."""
        keys, urls = joined([message], "keys"), joined([message], "urls")
        if not urls or urls[0] == self.store.url(keys[0]) or self.store.head(keys[0]) is not None:
            return
        problem = problem_of_url(urls[0])
        gone = (*GONE, *GONE_AT_SUPABASE) if SUPABASE_PATH in urls[0] else GONE
        if problem is None or not problem.startswith(gone):
            raise Refused(
                f"the picture is not in the bucket {self.store.bucket!r} and visitors know it as {urls[0]} "
                f"({problem or 'which shows it'}): it lies in a bucket that the settings named before. "
                + _cure("its bucket", "its endpoint")
            )


def objects_of(store: ObjectStore, keys: Sequence[str]) -> list[str]:
    """All that may be in the store of pictures with these keys: unrecorded renditions and copies in quarantine too."""
    found = [each for key in keys for each in (key, f"{QUARANTINE}{key}")]
    for original in dict.fromkeys(original for key in keys if (original := key_in(key))):
        for area in ("", QUARANTINE):
            found += [each.key for each in store.listing(f"{area}{stem_of(original)}")]
    return found


def _deployment(message: Message) -> UUID | None:
    named = message.payload.get("deployment")
    try:
        return None if named is None else UUID(str(named))
    except ValueError as error:
        raise Refused(f"its deployment is {ascii(named)[:80]}, which is none") from error


def _cure(bucket: str, place: str) -> str:
    return (
        f"Delete it there by hand, or with credentials for it: {named_in_words(bucket, place)} for `glad outbox retry "
        "--dead` and `glad outbox deliver`"
    )


def removal_of(settings: Settings, database: Database) -> Removal:
    """As the settings have the store, Dagster's database and what `glad demo` has written."""
    dagster = settings.dagster_database_url
    return Removal(
        database=database,
        store=open_store(settings),
        dagster_url=dagster.get_secret_value() if dagster else None,
        galleries=[folder / "gallery.html" for folder in (project_root(), settings.home)],
    )


def forget_previews(dagster_url: str) -> int:
    """Blank the contact sheets that earlier versions have left in Dagster's event log; how many rows had one.

    Raises `DatabaseError`.
    """
    try:
        with connect(dagster_url, application_name="glad takedown") as connection:
            return sum(
                connection.execute(SQL[statement]).rowcount
                for statement, table in (("blank_events", "event_logs"), ("blank_assets", "asset_keys"))
                if has_table(connection, table)
            )
    except psycopg.Error as error:
        raise DatabaseError(f"the contact sheets in Dagster's event log could not be blanked: {error}") from error


def forget_galleries(files: Sequence[Path], keys: Sequence[str]) -> list[Path]:
    """Remove the galleries of `glad demo` that show one of these pictures; which they were. Raises `GladError`."""
    found = [
        file
        for file in files
        if file.is_file() and any(stem_of(key) in file.read_text("utf-8", "replace") for key in keys)
    ]
    for file in found:
        try:
            file.unlink()
        except OSError as error:
            raise GladError(f"{file} shows the picture and cannot be removed: {error.strerror}. Delete it") from error
    return found
