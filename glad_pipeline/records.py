"""Prompts as they travel between rooms: the master list of the columns of `prompts` that intake writes and runs read.

Who adds a column to `prompts` adds it here, with what it means: intake's SQL takes its column list from these fields.
A migration adds the column, `prompts/validation.py` its rule, and what uses it reads the field (CONTRIBUTING, "A
column of `prompts`"). `records_of` makes any row one of the rooms' dataclasses. Knows no SQL and no rule: what a value
may be is in `prompts/validation.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

Record = TypeVar("Record")
PostId = UUID | int | str  # opaque: of the type that the blog's posts.id has; int for smallint to bigint, else text
PostIdKind = Literal["uuid", "bigint", "text"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPrompt:
    """What somebody may ask for: the columns that intake writes."""

    prompt: str  # what to draw
    negative_prompt: str = ""  # what to keep out of the picture
    prompt_syntax: str | None = None  # how both are read: one of PROMPT_SYNTAXES; absent: as the settings say
    title: str | None = None  # the post's title; with it the prompt becomes a new post
    slug: str | None = None  # the post's address; absent: made from the title
    excerpt: str | None = None
    content: str | None = None  # markdown
    category: str | None = None
    author: str | None = None
    alt_text: str | None = None
    task_id: str | None = None  # a content task of the blog: without a title, it gets the picture
    idempotency_key: str | None = None  # the client's own: the same one again is the same prompt
    post_id: PostId | None = None  # an existing post to illustrate
    seed: int | None = None  # absent: made from the other fields, so the same line gives the same picture
    width: int | None = None  # pixels; for this and the rest of the recipe, absent means the pipeline's default
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    preset: str | None = None  # a named way to draw
    model: str | None = None
    model_revision: str | None = None
    lora: str | None = None  # changes to the model's weights: a path or hub id, with its weight
    priority: int = 0  # higher first
    publish_at: datetime | None = None  # not before; without a zone it is taken as UTC
    needs_approval: bool = False  # wait for `glad prompts approve` before publishing
    publish: str = "post"  # one of PUBLISH: `picture` makes no post until somebody asks for it
    focus: str | None = None  # what a crop of its picture keeps: `0.5,0.3`, `top left`; absent: the centre
    source: str = ""  # who asks: a team, an import, an API key. Sources share the queue fairly, and may be paused
    replace: bool = False  # its picture may take the place of one on the post that is not this pipeline's


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt(NewPrompt):
    """A claimed row of `prompts`: what a run needs of it. Plain SQL may have written it: `validation` judges it."""

    id: int
    seed: int  # the table gives each row one
    attempts: int = 0  # how often drawing it was begun and its run did not end well
    claim_token: int | None = None  # whoever commits must still hold this
    published_post_id: PostId | None = None  # the post it became before; worked again, it gets its new picture
    post_version: str | None = (
        None  # `updated_at` of the post to illustrate, as it was when this was claimed or approved
    )
    taken_down_at: datetime | None = None  # its post was hidden by us: published again, it is shown again
    replaced_image_url: str | None = None  # what its post showed before, which was not ours: a takedown puts it back
    replaced_alt_text: str | None = None  # and the alt text that was with it


@dataclass(frozen=True, kw_only=True, slots=True)
class Replaced:
    """What a post showed that was not ours, before a picture of ours took its place: a takedown puts it back."""

    image_url: str | None = None  # None: nothing
    alt_text: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DuePrompt(Prompt):
    """A prompt whose time to be published has come, with its picture's row of `images`."""

    image_url: str  # where visitors get it
    image_key: str
    image_bytes: int
    image_sha256: str  # of the stored bytes, hex
    image_width: int  # pixels
    image_height: int
    image_placeholder: str | None = None  # a data URI to be shown while it loads
    image_renditions: Sequence[Mapping[str, Any]] = ()  # rows of `renditions`: kind, width, key
    image_removed_at: datetime | None = None  # taken down meanwhile
    image_removed_reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenPicture:
    """A picture that was seen in the store some time ago."""

    id: int  # images.id
    key: str
    bytes: int


def kind_of(post: PostId | None) -> PostIdKind:
    """Of which kind a post's id is that was read from the database; without one "uuid", the blog's own make."""
    return "bigint" if isinstance(post, int) else "text" if isinstance(post, str) else "uuid"


def columns_of(kind: Any) -> tuple[str, ...]:
    """The names of a dataclass's fields, in order."""
    return tuple(kind.__dataclass_fields__)


FIELDS = columns_of(NewPrompt)


def values_of(record: object) -> dict[str, Any]:
    """A dataclass's fields with their values, not copied."""
    return {name: getattr(record, name) for name in columns_of(record)}


def records_of(kind: type[Record], rows: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Rows as this dataclass. Columns that it does not name, a newer database's say, are passed over."""
    names = columns_of(kind)
    return [kind(**{name: row[name] for name in names if name in row}) for row in rows]
