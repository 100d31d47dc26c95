"""What people ask of prompts by hand: list, show, count, retry, cancel, approve, reject.

Knows the `prompts` table and reads its neighbours `images` and `posts`. Changes a prompt's state only along
the transitions that the database allows. Knows no run, no store and no terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from glad_pipeline.database import Database, named_queries
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.validation import review_reason, shortened

QUERIES = named_queries("glad_pipeline.prompts", "management.sql")

STATUSES = ("pending", "claimed", "generated", "awaiting_approval", "published", "rejected", "failed", "cancelled")
RETRIABLE = ("failed", "rejected", "cancelled")
CANCELLABLE = ("pending", "claimed", "generated", "awaiting_approval")
REVIEWABLE = ("awaiting_approval",)

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Which prompts moved, and why the others did not."""

    changed: tuple[int, ...]
    refused: dict[int, str]  # id → the reason


def list_prompts(
    database: Database, *, status: str | None = None, limit: int = 20, before: int | None = None
) -> list[Row]:
    """A page of up to `limit` prompts, the newest first; the next page is `before` the last id of this one."""
    if status is not None and status not in STATUSES:
        raise UsageError(f"status {shortened(status)} must be one of {', '.join(STATUSES)}")
    if not 1 <= limit <= 100_000:
        raise UsageError(f"limit {limit} must be from 1 to 100,000")
    bound = {"status": status, "limit": limit, "before": before}
    with database.transaction() as connection:
        return connection.execute(QUERIES["list_prompts"], bound).fetchall()


def show_prompt(database: Database, prompt_id: int) -> Row | None:
    """One prompt with its picture (`image_…`) and post (`post_…`), or None if there is no such id."""
    with database.transaction() as connection:
        row = connection.execute(QUERIES["show_prompt"], {"id": prompt_id}).fetchone()
        if row is None:
            return None
        post: Row | None = None
        found = connection.execute(QUERIES["blog_has_posts"]).fetchone()
        if found and found["found"]:
            post = connection.execute(
                QUERIES["post_of"], {"post_id": row["published_post_id"] or row["post_id"]}
            ).fetchone()
    if post is None:
        return row
    return row | {"post_path": f"/posts/{post['slug']}", "post_title": post["title"], "post_status": post["status"]}


def counts_by_status(database: Database) -> dict[str, int]:
    """How many prompts are in each state, in the order of their life; reads the whole table."""
    with database.transaction() as connection:
        found = {row["status"]: int(row["prompts"]) for row in connection.execute(QUERIES["counts_by_status"])}
    return {status: found.get(status, 0) for status in STATUSES}


def retry(database: Database, ids: Sequence[int]) -> Changes:
    """Put failed, rejected and cancelled prompts back into the queue, with all attempts before them."""
    return _change(database, "retry", ids, RETRIABLE)


def retry_all_failed(database: Database) -> int:
    """Put every failed prompt back into the queue; return how many there were."""
    with database.transaction() as connection:
        return connection.execute(QUERIES["retry_all_failed"]).rowcount


def cancel(database: Database, ids: Sequence[int]) -> Changes:
    """Take prompts that are not published yet, or whose post is gone, out of the queue; a run that works on one
    loses it."""
    return _change(database, "cancel", ids, CANCELLABLE)


def approve(database: Database, ids: Sequence[int]) -> Changes:
    """Let pictures that wait for a person be published, by whichever run comes next."""
    return _change(database, "approve", ids, REVIEWABLE)


def reject(database: Database, ids: Sequence[int], *, reason: str) -> Changes:
    """Refuse pictures that wait for a person. The reason is kept in `last_error`."""
    return _change(database, "reject", ids, REVIEWABLE, reason=review_reason(reason))


def _change(
    database: Database, statement: LiteralString, ids: Sequence[int], allowed: Sequence[str], **bound: str
) -> Changes:
    asked = list(dict.fromkeys(ids))
    known = [i for i in asked if 0 < i < 2**63]
    with database.transaction() as connection:
        changed = {row["id"] for row in connection.execute(QUERIES[statement], {"ids": known, **bound})}
        states = {row["id"]: row["status"] for row in connection.execute(QUERIES["states_of"], {"ids": known})}
    return Changes(
        changed=tuple(i for i in asked if i in changed),
        refused={i: _why(states.get(i), allowed) for i in asked if i not in changed},
    )


def _why(status: str | None, allowed: Sequence[str]) -> str:
    if status is None:
        return "there is no such prompt: `glad prompts list` shows those there are"
    return f"it is {status}: only {', '.join(allowed)} can be"
