"""What `--fix` does. Each step may be cut short anywhere and repeated: copy, verify, look again, and only then delete.

Nothing that a living run may hold is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.failpoints import reached
from glad_pipeline.operations.audit.reading import guarded
from glad_pipeline.publishing.blocklist import hold_off_takedowns
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.records import records_of
from glad_pipeline.storage.keys import QUARANTINE, stem_of
from glad_pipeline.storage.protocol import CONCURRENCY, ObjectStore, StoreError

SQL = named_queries(__package__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureUser:
    """A prompt that has a picture."""

    id: int  # prompts.id
    image_id: int
    status: str
    claimed_by: str | None
    held: bool  # a living run may have it in hand
    unshown: bool  # the picture was published on a post that is gone, or shows another one by now: a person's choice


def quarantine(store: ObjectStore, keys: Collection[str], still: Callable[[], Collection[str]]) -> int:
    """Move objects under `quarantine/`, key and metadata kept; those alone that `still()` names once they are copied.

    Returns how many are gone from where they were. Where an earlier one is in quarantine, the later takes its place.
    """
    copies = store.each(guarded(store, partial(_copied, store)), keys)
    copied = [key for key, whole in copies.items() if whole is True]
    if not copied:
        return 0
    agreed = still()
    sure = [key for key in copied if key in agreed]
    store.delete([f"{QUARANTINE}{key}" for key in copied if key not in agreed])
    reached("quarantine.before")
    store.delete(sure)
    reached("quarantine.after")
    return len(sure)


def _copied(store: ObjectStore, key: str) -> bool | None:
    """Whether the object was there and its copy is whole; None: it was not there."""
    original = store.head(key)
    if original is None or not store.copy(key, f"{QUARANTINE}{key}"):
        return None
    copy = store.head(f"{QUARANTINE}{key}")
    if copy is None or (copy.bytes, copy.metadata) != (original.bytes, original.metadata):
        raise StoreError(f"the copy {QUARANTINE}{key} is not what {key} is: the object was left where it is")
    return True


def draw_again(
    database: Database,
    store: ObjectStore,
    missing: Sequence[CataloguedImage],
    damaged: Sequence[CataloguedImage],
    users: Mapping[int, Sequence[PictureUser]],
) -> set[int]:
    """Have pictures drawn again that are gone or damaged; the ids of those that will be, or need not.

    Their prompts wait again. A picture that no prompt wants leaves the catalogue. A damaged object is moved to
    quarantine first, since a key is written once. `users`: the prompts by picture, as they were just now.
    """
    free = [image for image in damaged if not any(user.held for user in users[image.id])]
    quarantine(store, [image.key for image in free], lambda: _still_free(database, free))
    heads = store.heads(image.key for image in (*missing, *free))
    gone = [image.id for image in (*missing, *free) if image.key not in heads]
    if not gone:
        return set()
    deleted, waiting = database.transact("audit_fix", partial(_requeue, gone))
    left = [
        each.key
        for image in (*missing, *free)
        if image.id in deleted
        for each in store.listing(f"{stem_of(image.key)}-")
    ]
    quarantine(store, left, lambda: left)
    return deleted | waiting


def _still_free(database: Database, images: Sequence[CataloguedImage]) -> set[str]:
    """The keys of those whose prompts no living run holds."""
    bound = {"ids": [image.id for image in images]}
    users = database.read(lambda connection: records_of(PictureUser, connection.execute(SQL["users"], bound)))
    held = {user.image_id for user in users if user.held}
    return {image.key for image in images if image.id not in held}


def _requeue(ids: Sequence[int], connection: Connection) -> tuple[set[int], set[int]]:
    """The pictures that left the catalogue, and those that will be drawn again."""
    bound = {"ids": ids}
    connection.execute(SQL["requeue"], bound)
    connection.execute(SQL["let_go_of_images"], bound)
    deleted = {row["id"] for row in connection.execute(SQL["delete_unused_images"], bound)}
    return deleted, {row["id"] for row in connection.execute(SQL["being_drawn"], bound)}


def delete_removed(database: Database, store: ObjectStore, ids: Sequence[int], keys: Collection[str]) -> int:
    """Delete these objects of pictures (images.id) that are taken down still, and not allowed meanwhile; how many."""

    def work(connection: Connection) -> int:
        hold_off_takedowns(connection)  # and `glad images allow`
        rows = connection.execute(SQL["removed_keys"], {"ids": list(ids)}).fetchall()
        sure = [key for row in rows for key in row["keys"] if key in keys]
        store.delete(sure)
        return len(sure)

    return database.transact("audit_fix", work)


def make_thumbnails(database: Database, store: ObjectStore, ids: Sequence[int]) -> int:
    """Make the thumbnails of these pictures (images.id) from their originals; how many could be made."""

    def work(some: Sequence[int], connection: Connection) -> int:
        locked = records_of(CataloguedImage, connection.execute(SQL["lock_published"], {"ids": some}))
        images = {image.key: image for image in locked}
        made = store.each(guarded(store, lambda key: _made(store, images[key])), images)
        return sum(done is True for done in made.values())

    groups = [list(ids[start : start + CONCURRENCY]) for start in range(0, len(ids), CONCURRENCY)]  # short locks
    return sum(database.transact("audit_fix", partial(work, some)) for some in groups)


def _made(store: ObjectStore, image: CataloguedImage) -> bool | None:
    """Whether the thumbnail is there now; None where the original is gone, damaged or no larger."""
    from glad_pipeline.media.encoding import decode_png, thumbnail

    body = store.fetch(image.key)
    if body is None or image.thumbnail_key is None or hashlib.sha256(body).hexdigest() != image.sha256:
        return None
    small = thumbnail(decode_png(body))
    if small is None:
        return None
    store.put_once(image.thumbnail_key, small, content_type="image/webp", metadata={"recipe-hash": image.recipe_hash})
    return True
