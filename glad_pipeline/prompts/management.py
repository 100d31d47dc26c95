"""What people ask of prompts by hand: list, show, count, retry, cancel, approve, reject.

Knows the `prompts` table and reads its neighbours `images` and `posts`. Changes a prompt's state only along
the transitions that the database allows. Knows no run, no store and no terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, LiteralString, get_args

from psycopg.types.json import Jsonb

from glad_pipeline.database import Database, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import LISTED
from glad_pipeline.prompts.validation import review_reason, source_name
from glad_pipeline.records import Prompt, records_of, values_of

QUERIES = named_queries("glad_pipeline.prompts", "management.sql")

Status = Literal[
    "pending", "claimed", "generated", "awaiting_approval", "published", "ready", "rejected", "failed", "cancelled"
]
STATUSES: tuple[Status, ...] = get_args(Status)
RETRIABLE = ("failed", "rejected", "cancelled")
CANCELLABLE = ("pending", "claimed", "generated", "awaiting_approval")
REVIEWABLE = ("awaiting_approval",)
DISCARDABLE = ("ready",)
NOT_SAID: Mapping[int, int] = {}  # which pictures somebody has seen


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptStatus:
    """How far a prompt is, in short."""

    id: int
    status: str  # one of STATUSES
    priority: int  # higher first
    source: str  # who asks; '': nobody in particular
    attempts: int  # how often drawing it was begun and its run did not end well
    title: str | None
    prompt: str
    slug: str | None
    task_id: str | None
    last_error: str | None  # why it is where it is, or waits again
    created_at: datetime
    publish_at: datetime | None
    published_at: datetime | None
    image_url: str | None  # None: not drawn yet, or taken down
    post_status: str | None = None  # of the post it has become or illustrates: published, draft, …; None: there is none


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptDetails(Prompt):
    """All about a prompt: as it was asked for, how far it is, its picture (a row of `images`) and its post."""

    status: str
    claimed_by: str | None  # the Dagster run
    lease_expires_at: datetime | None
    last_error: str | None
    content_hash: str | None  # set by intake: the same fields twice are one prompt
    created_at: datetime
    updated_at: datetime
    claimed_at: datetime | None
    generated_at: datetime | None
    published_at: datetime | None
    put_back_at: datetime | None  # when a person last had it worked again
    image_id: int | None
    image_url: (
        str | None
    )  # this and the next ones are None where nothing is drawn yet, the URLs where it was taken down
    image_key: str | None
    image_bytes: int | None
    image_sha256: str | None  # of the stored file
    image_width: int | None
    image_height: int | None
    image_model: str | None
    image_model_revision: str | None
    image_seconds: float | None  # of drawing
    image_pixels_sha256: str | None
    image_tokens_dropped: int | None  # of both texts, that it was drawn without; None: of none, or to be drawn again
    image_thumbnail_url: str | None
    image_removed_at: datetime | None
    image_removed_reason: str | None
    post_path: str | None = None  # on the blog; this and the next ones are None where there is no post
    post_title: str | None = None
    post_status: str | None = None
    post_shows: str | None = None  # the URL of its picture, where that is not ours

    def notice_of_picture(self) -> str | None:
        """What will become of a person's picture that its post shows; None where there is none, or it is decided."""
        if self.post_shows is None or self.replace:
            return None
        shows = "its post shows a picture that is not this pipeline's"
        undrawn = self.status in ("pending", "claimed")
        if self.status == "awaiting_approval" or (undrawn and self.needs_approval):
            return f"{shows}: approving puts the new one in its place, `glad prompts reject {self.id}` keeps it"
        if self.needs_approval or not (undrawn or self.status == "generated"):
            return None
        return (
            f"{shows}, so it will wait for approval: "
            f"`glad prompts edit {self.id} --replace` has it replaced without asking"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which prompts are listed or counted; None: whatever they have."""

    source: str | None = None  # who asks; '': nobody in particular
    category: str | None = None
    text: str | None = None  # somewhere in title or prompt, in whatever case
    since: datetime | None = None  # asked for then or later
    until: datetime | None = None  # asked for before


EVERY = Wanted()


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Which prompts moved, and why the others did not."""

    changed: tuple[int, ...]
    refused: dict[int, str]  # id → the reason


def list_prompts(
    database: Database,
    *,
    status: str | None = None,
    wanted: Wanted = EVERY,
    limit: int = 20,
    before: int | None = None,
) -> list[PromptStatus]:
    """A page of up to `limit` prompts, the newest first; the next page is `before` the last id of this one.

    `status`: only those that are in it; None: in any. Raises `UsageError` for a status or name that there cannot be.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"status {quoted(status)} must be one of {', '.join(STATUSES)}")
    if limit not in LISTED:
        raise UsageError(f"limit {limit} must be from {LISTED}")
    bound = {**_bound(wanted), "status": status, "limit": limit, "before": before}
    with database.transaction() as connection:
        found = records_of(PromptStatus, connection.execute(QUERIES["list_prompts"], bound))
        if not has_posts(connection):
            return found
        rows = connection.execute(QUERIES["post_states"], {"ids": [each.id for each in found]})
        states = {row["id"]: row["post_status"] for row in rows}
    return [replace(each, post_status=states.get(each.id)) for each in found]


def show_prompt(database: Database, prompt_id: int) -> PromptDetails | None:
    """One prompt with its picture and post, or None if there is no such id."""
    with database.transaction() as connection:
        found = records_of(PromptDetails, connection.execute(QUERIES["show_prompt"], {"id": prompt_id}))
        if not found or not has_posts(connection):
            return found[0] if found else None
        bound = {"post_id": found[0].post_id if found[0].published_post_id is None else found[0].published_post_id}
        post = connection.execute(QUERIES["post_of"], bound).fetchone()
    return replace(found[0], **(post or {}))


def counts_by_status(database: Database, wanted: Wanted = EVERY) -> dict[str, int]:
    """How many prompts are in each state, in the order of their life; reads the whole table."""
    with database.transaction() as connection:
        rows = connection.execute(QUERIES["counts_by_status"], _bound(wanted))
        found = {row["status"]: int(row["prompts"]) for row in rows}
    return {status: found.get(status, 0) for status in STATUSES}


def _bound(wanted: Wanted) -> dict[str, object]:
    return {**values_of(wanted), "source": None if wanted.source is None else source_name(wanted.source)}


def retry(database: Database, ids: Sequence[int], *, of: str | None = None) -> Changes:
    """Put failed, rejected and cancelled prompts back into the queue, with all attempts before them.

    `of`: only those of this source, whatever others there are; None: of any.
    """
    return _change(database, "retry", ids, RETRIABLE, of=of)


def retry_all_failed(database: Database) -> int:
    """Put every failed prompt back into the queue; return how many there were."""
    with database.transaction() as connection:
        return connection.execute(QUERIES["retry_all_failed"]).rowcount


def cancel(database: Database, ids: Sequence[int], *, of: str | None = None) -> Changes:
    """Take prompts that are not published yet, or whose post is gone, out of the queue; a run that works on one
    loses it. `of`: as `retry`."""
    return _change(database, "cancel", ids, CANCELLABLE, of=of)


def approve(database: Database, ids: Sequence[int], *, seen: Mapping[int, int] = NOT_SAID) -> Changes:
    """Let pictures that wait for a person be published, by whichever run comes next.

    `seen`: which picture (images.id) the person has seen, by prompt; one that was drawn again since stays as it is.
    """
    return _change(database, "approve", ids, REVIEWABLE, seen=seen)


def reject(database: Database, ids: Sequence[int], *, reason: str, seen: Mapping[int, int] = NOT_SAID) -> Changes:
    """Refuse pictures that wait for a person. The reason is kept in `last_error`; `seen`: as `approve`."""
    return _change(database, "reject", ids, REVIEWABLE, seen=seen, reason=review_reason(reason))


def discard(database: Database, ids: Sequence[int], *, reason: str, seen: Mapping[int, int] = NOT_SAID) -> Changes:
    """Put aside prompts whose picture is ready: no post is made of them. Their pictures stay where they are.

    `seen`: as `approve`.
    """
    return _change(database, "discard", ids, DISCARDABLE, seen=seen, reason=f"discarded: {review_reason(reason)}")


def sources_of(database: Database, ids: Sequence[int]) -> dict[int, str]:
    """Who has asked for these prompts, of those that there are."""
    rows = database.read(lambda c: c.execute(QUERIES["sources_of"], {"ids": list(ids)}).fetchall()) if ids else []
    return {row["id"]: row["source"] for row in rows}


def _change(
    database: Database,
    statement: LiteralString,
    ids: Sequence[int],
    allowed: Sequence[str],
    *,
    of: str | None = None,
    seen: Mapping[int, int] = NOT_SAID,
    reason: str | None = None,
) -> Changes:
    asked = list(dict.fromkeys(ids))
    known = [i for i in asked if 0 < i < 2**63]
    bound = {"ids": known, "of": of, "seen": Jsonb(dict(seen)), "reason": reason}
    with database.transaction() as connection:
        changed = {row["id"] for row in connection.execute(QUERIES[statement], bound)}
        states = {row["id"]: row["status"] for row in connection.execute(QUERIES["states_of"], bound)}
    return Changes(
        changed=tuple(i for i in asked if i in changed),
        refused={i: _why(states.get(i), allowed) for i in asked if i not in changed},
    )


def _why(status: str | None, allowed: Sequence[str]) -> str:
    if status is None:
        return "there is no such prompt: `glad prompts list` shows those there are"
    if status in allowed:
        return "its picture is another one than was seen, or it has changed just now: look at it first"
    return f"it is {status}: only {', '.join(allowed)} can be"
