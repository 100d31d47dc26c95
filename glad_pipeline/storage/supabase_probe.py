"""What a project's Storage really does, tried on a small private object."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.storage.probe import ALL, Probed
from glad_pipeline.storage.protocol import StoreError

if TYPE_CHECKING:
    from glad_pipeline.storage.supabase import SupabaseStore

BODY = b"glad_pipeline looks at this store\n"
METADATA = {"recipe-hash": "ab" * 32, "provenance": '{"device": "a probe", "slot": [0, 1]}'}
KIND = "image/png"


def look(store: SupabaseStore) -> Probed:
    """Raises `StoreError` where it takes no object, or does not answer."""
    store.check()
    return Probed(able=ALL, found=(_of_trial(store),))


def _of_trial(store: SupabaseStore) -> Diagnosis:
    """An object is put, put again, read, copied, listed and removed."""
    prefix = f".glad/probe-{uuid4().hex}/"
    first, second = f"{prefix}a.png", f"{prefix}b.png"
    try:
        once = store.put_once(first, BODY, content_type=KIND, metadata=METADATA)
        again = store.put_once(first, BODY, content_type=KIND, metadata=METADATA)
        if not once or again:
            raise StoreError(f"{store.bucket!r} at {store.place} overwrites what is there: do not use this store")
        read = store.digest(first)
        if read is None or dict(read[0].metadata) != METADATA or read[0].content_type != KIND:
            raise StoreError(
                f"{store.bucket!r} at {store.place} does not give back metadata and type as they were given: update "
                "a Storage server of your own, or use another store"
            )
        store.copy(first, second)
        listed = [each.key for each in store.listing(prefix)]
    except StoreError:
        with suppress(StoreError):
            store.delete((first, second))
        raise
    store.delete((first, second))
    if listed != [first, second]:
        return Diagnosis(
            check="store: listing",
            level=Level.WARNING,
            text=f"{store.bucket!r} at {store.place} does not list what was just stored, or not in order",
            cure="run ./glad audit only when nothing is drawn",
        )
    text = "a key is written once, and objects are read, listed, copied and deleted as they should be"
    return Diagnosis(check="store: trial", level=Level.OK, text=text)
