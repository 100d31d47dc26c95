"""The pictures of the catalogue for a person who looks through them, and one with its whole lineage.

Puts catalogue, queue, blog and outbox together. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.errors import GladError
from glad_pipeline.operations.review import Preview, preview_of
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox.messages import MessageStatus
from glad_pipeline.publishing import images
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.publishing.renditions import StoredRendition, renditions_of
from glad_pipeline.records import records_of
from glad_pipeline.settings import Settings

SQL = named_queries(__package__, "gallery.sql")
PROMPTS = 100  # of one picture, the newest
MESSAGES = 100
ImageState = Literal["published", "ready", "waiting", "unused", "removed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which pictures are listed; None: any."""

    state: ImageState | None = None
    model: str | None = None
    category: str | None = None
    text: str | None = None  # in title or prompt, in small or capital letters
    since: datetime | None = None  # drawn then or later
    until: datetime | None = None  # drawn before
    stale: bool | None = None  # drawn by another model, or another revision, than `of`
    of: tuple[str, str] | None = None  # the model of the settings, and its revision


@dataclass(frozen=True, kw_only=True, slots=True)
class GalleryImage:
    """A picture, with its newest prompt: one that is published goes first."""

    id: int
    key: str
    state: ImageState  # unused: no prompt has it, or that is drawn anew
    picture: Preview | None  # None: it was taken down
    model: str
    preset: str | None
    seed: int | None
    drawn_at: datetime
    seconds: float | None  # of drawing
    removed_at: datetime | None
    removed_reason: str | None
    prompt_id: int | None
    prompt: str  # as it was drawn
    prompt_status: str | None
    title: str | None
    category: str | None
    post_id: str | None
    post_path: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePrompt:
    """A prompt that has a picture."""

    id: int
    status: str
    source: str
    title: str | None
    prompt: str
    created_at: datetime
    published_at: datetime | None
    post_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePost:
    """A post that a picture was published on, as the blog has it now."""

    post_id: str
    slug: str
    path: str
    title: str | None
    status: str
    shows: str | None  # what it shows now


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageLineage:
    """A picture with all that is known of it."""

    image: CataloguedImage
    picture: Preview | None  # None: it was taken down
    renditions: Sequence[StoredRendition]
    prompts: Sequence[ImagePrompt]  # the newest first
    posts: Sequence[ImagePost]
    messages: Sequence[MessageStatus]  # who was told, the newest first


def model_of(settings: Settings) -> tuple[str, str]:
    """The settings' model and its revision. Raises `GladError` where it is not to be had here."""
    from glad_pipeline.generation.models import resolve_model

    try:
        profile = resolve_model(settings.engine)
    except GladError as error:
        raise GladError(f"which pictures are stale is not known here: {error}") from error
    return profile.name, profile.revision


def gallery(database: Database, wanted: Wanted, *, limit: int, before: int | None) -> list[GalleryImage]:
    """A page of up to `limit`, the newest first; the next is `before` the last id of this one."""
    name, revision = wanted.of or (None, None)
    bound = {
        **{each: getattr(wanted, each) for each in ("state", "model", "category", "text", "since", "until")},
        **{"other_model": name if wanted.stale else None, "other_revision": revision},
        **{"this_model": name if wanted.stale is False else None, "this_revision": revision},
        **{"limit": limit, "before": before},
    }

    def look(connection: Connection) -> list[GalleryImage]:
        rows = connection.execute(SQL["gallery"], bound).fetchall()
        posts = _posts(connection, [row["post_id"] for row in rows if row["post_id"]])
        return [_image(row, posts) for row in rows]

    return database.read(look)


def _image(row: Mapping[str, Any], posts: Mapping[str, ImagePost]) -> GalleryImage:
    post = posts.get(row["post_id"] or "")
    same = ("id", "key", "state", "model", "preset", "seed", "drawn_at", "seconds", "removed_at", "removed_reason")
    return GalleryImage(
        **{name: row[name] for name in (*same, "prompt_id", "prompt_status", "title", "category", "post_id")},
        prompt=row["drawn_prompt"] or row["prompt"] or "",
        picture=None if row["removed_at"] else preview_of(row),
        post_path=post.path if post else None,
    )


def _posts(connection: Connection, ids: Sequence[str]) -> dict[str, ImagePost]:
    if not ids or not has_posts(connection):
        return {}
    return {
        each.post_id: each
        for each in records_of(ImagePost, connection.execute(SQL["posts"], {"ids": [*dict.fromkeys(ids)]}))
    }


def lineage_of_image(database: Database, image_id: int) -> ImageLineage | None:
    """None: there is no such picture."""

    def look(connection: Connection) -> ImageLineage | None:
        image = images.find(connection, str(image_id))
        if image is None or image.id != image_id:
            return None
        bound = {"id": image_id, "limit": PROMPTS}
        prompts = records_of(ImagePrompt, connection.execute(SQL["prompts_of"], bound))
        posts = _posts(connection, [each.post_id for each in prompts if each.post_id])
        copies = renditions_of(connection, image_id)
        shown = {name: getattr(image, name) for name in ("key", "url", "width", "height", "bytes", "placeholder")}
        names = [{"key": each.key, "kind": each.kind, "width": each.width} for each in copies]
        subjects = [f"image:{image.key}", *(f"post:{each}" for each in posts)]
        return ImageLineage(
            image=image,
            picture=None
            if image.removed_at
            else preview_of({**shown, "thumbnail_url": image.thumbnail_url, "renditions": names}),
            renditions=copies,
            prompts=prompts,
            posts=[*posts.values()],
            messages=outbox.messages(connection, subjects=subjects, limit=MESSAGES),
        )

    return database.read(look)
