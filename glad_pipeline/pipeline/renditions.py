"""Renditions of a picture: made, stored once and recorded, of pictures in memory and of pictures in the store.

They are derived. What goes wrong with one is told and left for later, and the picture goes on without it; only a store
or database that is away ends the work, as everywhere.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from glad_pipeline.blame import one_row
from glad_pipeline.database import Connection, Database
from glad_pipeline.errors import GladError
from glad_pipeline.failpoints import reached
from glad_pipeline.outbox.messages import ask_to_delete_again
from glad_pipeline.publishing import renditions as table
from glad_pipeline.publishing.blocklist import hold_off_takedowns
from glad_pipeline.publishing.renditions import Renditions, RenditionsOf, StoredRendition
from glad_pipeline.rendition_plan import CENTRE, Focus, Kind, Planned, Wanted, planned
from glad_pipeline.storage.keys import original_key, rendition_key
from glad_pipeline.storage.protocol import ObjectStore, StoredObject, StoreError

if TYPE_CHECKING:
    from glad_pipeline.media.encoding import Pixels
    from glad_pipeline.media.renditions import Rendition

THREADS = 4  # pictures that are rendered at once from the store; each may have 25 MB of pixels
TOGETHER = 8  # pictures that are made, and recorded in one transaction
PAGE = 500  # pictures that are looked at together
SHOWN = 5  # reasons kept in a report
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIDE = re.compile(r"[1-9][0-9]{0,4}")  # pixels
_PLACEHOLDER = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/=]{1,900}")
Plans = Mapping[str, tuple[Planned, Focus]]  # key → what is to be there, and what its crop keeps


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """What is made of the pictures that a run draws."""

    wanted: Wanted
    focuses: Mapping[str, Sequence[Focus]] = field(default_factory=dict)  # by recipe hash; absent: the centre

    def plans(self, original: str, recipe_hash: str, *, width: int, height: int) -> dict[str, tuple[Planned, Focus]]:
        """By key, the renditions of a picture of this size in pixels."""
        return {
            rendition_key(original, plan.suffix): (plan, focus)
            for focus in self.focuses.get(recipe_hash) or (CENTRE,)
            for plan in planned(makeable(self.wanted), width=width, height=height, focus=focus)
        }

    def stored(self, store: ObjectStore, pixels: Pixels, recipe_hash: str) -> Renditions:
        """Make and store those of a picture that was drawn now. See `stored_from`."""
        if not self.wanted:
            return Renditions()
        height, width = pixels.shape[:2]
        plans = self.plans(original_key(recipe_hash), recipe_hash, width=width, height=height)
        return stored_from(store, pixels, plans, recipe_hash=recipe_hash, placeholder=self.wanted.placeholder)


@dataclass(kw_only=True, slots=True)
class Completed:
    """What became of pictures whose renditions were looked at."""

    looked_at: int = 0  # pictures
    lacking: int = 0  # of those: something that is wanted was not there
    completed: int = 0  # of those: now it is
    made: int = 0  # renditions that were recorded
    bytes: int = 0  # of those
    failed: int = 0  # of those: it could not be had. The others were taken down meanwhile
    stopped: bool = False  # the bound was reached before the end
    problems: dict[int, str] = field(default_factory=dict)  # images.id → why not; the first SHOWN

    def add_failure(self, image: int, reason: str) -> None:
        self.failed += 1
        if len(self.problems) < SHOWN:
            self.problems[image] = reason


def stored_from(store: ObjectStore, pixels: Pixels, plans: Plans, *, recipe_hash: str, placeholder: bool) -> Renditions:
    """Make these renditions of a picture and store each once; what could not be made or stored is told.

    Raises `StoreError` where the store does not answer.
    """
    from glad_pipeline.media.renditions import placeholder as placeholder_of
    from glad_pipeline.media.renditions import renderer

    problems: list[str] = []
    stored: list[StoredRendition] = []
    uri: str | None = None
    with one_row(problems.append):
        uri = placeholder_of(pixels) if placeholder else None
    with renderer(pixels) as made:
        for key, (plan, focus) in plans.items():
            with one_row(problems.append):
                found = _stored(store, key, made(plan, focus), recipe_hash=recipe_hash, placeholder=uri)
                if isinstance(found, str):
                    problems.append(found)
                else:
                    stored.append(found)
    return Renditions(stored=stored, placeholder=uri, problem=problems[0] if problems else None)


def _stored(
    store: ObjectStore, key: str, made: Rendition, *, recipe_hash: str, placeholder: str | None
) -> StoredRendition | str:
    """It as it is in the store now, or why it is not there. Raises `StoreError` where the store does not answer."""
    sha256 = hashlib.sha256(made.body).hexdigest()
    metadata = {"recipe-hash": recipe_hash, "sha256": sha256, "width": str(made.width), "height": str(made.height)}
    if placeholder:
        metadata["placeholder"] = placeholder
    try:
        reached("rendition.before")
        written = store.put_once(key, made.body, content_type=made.content_type, metadata=metadata)
        reached("rendition.after")
    except StoreError as error:
        if error.transient:
            raise
        return str(error)
    if written:
        return StoredRendition(
            key=key, kind=made.kind, width=made.width, height=made.height, bytes=len(made.body), sha256=sha256
        )
    there = store.head(key)
    if there is None:
        return f"{key} is not there yet: somebody else is about to write it, or has just removed it. It is made later"
    found = seen(there, made.kind, recipe_hash)
    return found[0] if found else f"the object {key} was not written by this pipeline: remove it from the bucket"


def seen(stored: StoredObject | None, kind: Kind, recipe_hash: str) -> tuple[StoredRendition, str | None] | None:
    """What a stored rendition says of itself, and the placeholder; None where it is none of this recipe's."""
    if stored is None or stored.metadata.get("recipe-hash") != recipe_hash or not stored.bytes:
        return None
    given = stored.metadata
    if not _SHA256.fullmatch(given.get("sha256", "")):
        return None
    size = size_of(stored)
    if size is None:
        return None
    placeholder = given.get("placeholder", "")
    return (
        StoredRendition(
            key=stored.key,
            kind=kind,
            width=size[0],
            height=size[1],
            bytes=stored.bytes,
            sha256=given["sha256"],
        ),
        placeholder if _PLACEHOLDER.fullmatch(placeholder) else None,
    )


def size_of(stored: StoredObject) -> tuple[int, int] | None:
    """Width and height in pixels of a stored picture, as its metadata has them."""
    sides = stored.metadata.get("width", ""), stored.metadata.get("height", "")
    return (int(sides[0]), int(sides[1])) if all(map(_SIDE.fullmatch, sides)) else None


def unmakeable(wanted: Wanted) -> str | None:
    """Why this installation cannot make what is wanted, with the cure; None where it can."""
    from glad_pipeline.media.renditions import problem_of

    return problem_of(wanted)


def makeable(wanted: Wanted) -> Wanted:
    """Of what is wanted that which this installation can make."""
    from glad_pipeline.media.renditions import can_make

    return replace(wanted, formats=tuple(each for each in wanted.formats if can_make(each)))


def kind_of(key: str) -> Kind:
    """The kind of a rendition, by its key."""
    return "social" if key.endswith(".jpg") else "avif" if key.endswith(".avif") else "webp"


def read_back(store: ObjectStore, keys: Mapping[str, Collection[str]]) -> dict[str, Renditions]:
    """What the store has of these renditions of pictures (recipe hash → keys), whole; the others are left out."""
    heads = store.heads(key for some in keys.values() for key in some)
    return {
        recipe_hash: _whole(recipe_hash, [heads[key] for key in some if key in heads])
        for recipe_hash, some in keys.items()
    }


def _whole(recipe_hash: str, stored: Iterable[StoredObject]) -> Renditions:
    found = [seen_whole for each in stored if (seen_whole := seen(each, kind_of(each.key), recipe_hash))]
    uri = next((placeholder for _, placeholder in found if placeholder), None)
    return Renditions(stored=[each for each, _ in found], placeholder=uri)


# ---- of pictures that are catalogued


def complete_all(
    database: Database,
    store: Callable[[], ObjectStore],
    wanted: Wanted,
    *,
    due: bool = False,
    dry_run: bool = False,
    most: int | None = None,
    seconds: float | None = None,
) -> Iterable[Completed]:
    """Make what is lacking of all catalogued pictures, or of those that are `due`; yields how far it is, page by page.

    In flat memory; stopped anywhere and begun again, it goes on with what is lacking still. Formats that this
    installation cannot make are left out. Raises `GladError` where the store or the database does not answer.

    Args:
        store: asked for only where something is lacking.
        most, seconds: stop after so many pictures that lack something, or so long.
    """
    done, after = Completed(), 0
    wanted = makeable(wanted)
    until = None if seconds is None else time.monotonic() + seconds
    while not done.stopped and (ids := database.read(partial(table.next_ids, due=due, after=after, limit=PAGE))):
        after = ids[-1]
        page = database.read(partial(table.pictures, ids=ids))
        lacking = [each.id for each in page if each.lacking(wanted)]
        some = lacking if most is None else lacking[: most - done.lacking]
        done.looked_at += len(page)
        done.lacking += len(some)
        done.stopped = len(some) < len(lacking)
        if some and not dry_run:
            complete(database, store(), wanted, some, done, until=until)
        yield done


def complete(
    database: Database,
    store: ObjectStore,
    wanted: Wanted,
    ids: Sequence[int],
    done: Completed,
    *,
    until: float | None = None,
) -> None:
    """Make and record what these pictures (images.id) lack: what is wanted, and what is recorded and gone.

    They are made outside of any transaction, however long that takes. `until`: stop at this time (monotonic).
    """
    for start in range(0, len(ids), TOGETHER):
        if until is not None and time.monotonic() >= until:
            done.stopped = True
            return
        images = database.read(partial(table.pictures, ids=ids[start : start + TOGETHER]))
        with ThreadPoolExecutor(THREADS, thread_name_prefix="glad-render") as pool:
            made = list(zip(images, pool.map(partial(_made, store, wanted), images), strict=True))
        recorded = database.transact("renditions", partial(_record, made))
        for image, found in made:
            if image.id not in recorded:  # taken down meanwhile
                continue
            done.made += len(found.stored)
            done.bytes += sum(each.bytes for each in found.stored)
            done.completed += found.problem is None
            if found.problem is not None:
                done.add_failure(image.id, found.problem)


def _record(made: Sequence[tuple[RenditionsOf, Renditions]], connection: Connection) -> set[int]:
    """Which of these pictures are there still. What was made of those that are taken down is deleted again."""
    hold_off_takedowns(connection)
    there = table.lock_pictures(connection, [image.id for image, _ in made])
    for image, found in made:
        if image.id in there:
            table.record(connection, image.id, found)
    removed = table.removed_pictures(connection, [image.id for image, _ in made])
    for image, found in made:
        if image.id in removed and found.stored:
            ask_to_delete_again(connection, image.key, [image.key, *(each.key for each in found.stored)])
    return there


def forget_gone(database: Database, store: ObjectStore, keys: Collection[str]) -> int:
    """Of these keys of renditions those that the store does not have are recorded no more: they are lacking then, and
    no post names them. How many."""
    there = store.heads(keys)
    gone = [key for key in keys if key not in there]
    return database.transact("renditions", partial(table.forget, keys=gone)) if gone else 0


def _made(store: ObjectStore, wanted: Wanted, image: RenditionsOf) -> Renditions:
    """What was lacking, as it is in the store now."""
    problems: list[str] = []
    with one_row(problems.append):
        plans = image.plans(wanted)
        there = store.heads(plans)
        broken = [key for key, row in image.renditions.items() if key in there and there[key].bytes != row["bytes"]]
        store.delete(broken)  # derived: it is made anew at once
        good = {key: each for key, each in there.items() if key not in broken}
        old = [each for key, stored in good.items() if (each := seen(stored, plans[key][0].kind, image.recipe_hash))]
        found = [each for each, _ in old]
        uri = image.placeholder or next((placeholder for _, placeholder in old if placeholder), None)
        have = {each.key for each in found}
        left = {key: plan for key, plan in plans.items() if key not in have}
        if not left and (uri or not wanted.placeholder):
            return Renditions(stored=found, placeholder=uri)
        new = _made_anew(store, image, left, placeholder=wanted.placeholder)
        return Renditions(stored=[*found, *new.stored], placeholder=uri or new.placeholder, problem=new.problem)
    return Renditions(problem=problems[0])


def _made_anew(store: ObjectStore, image: RenditionsOf, plans: Plans, *, placeholder: bool) -> Renditions:
    from glad_pipeline.media.encoding import decode_png

    body = store.fetch(image.key)
    if body is None:
        raise GladError(f"its original {image.key} is gone from the store: `glad audit --fix` has it drawn again")
    if hashlib.sha256(body).hexdigest() != image.sha256:
        raise GladError(f"its original {image.key} is damaged: `glad audit --fix --deep` has it drawn again")
    pixels = decode_png(body)
    return stored_from(store, pixels, plans, recipe_hash=image.recipe_hash, placeholder=placeholder)
