"""Changing a prompt that is not published yet: its text, its recipe, its post, when and how soon.

Knows the `prompts` table and the rules in `validation`, and reads the blog's `posts`. What an edit means for a prompt
whose picture is drawn, or is being drawn, is decided by the database (`prompts_redraw_what_is_edited`), so that plain
SQL is treated alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from glad_pipeline.database import Connection, Database, named_queries, value
from glad_pipeline.database.blog import has_posts
from glad_pipeline.display import quoted
from glad_pipeline.errors import GladError, NoSuchError, NotAllowedError, UnavailableError, UsageError
from glad_pipeline.prompts import intake
from glad_pipeline.prompts.aims import refuse_unknown_aims
from glad_pipeline.prompts.spellings import understood
from glad_pipeline.prompts.validation import new_prompt
from glad_pipeline.records import FIELDS, NewPrompt, kind_of, values_of

STILL_OPEN = {
    "priority",
    "publish_at",
    "needs_approval",
    "replace",
}  # of a prompt whose post is to get its picture drawn again

OF_ITS_POST = (  # what a person has seen who approves it
    *("title", "slug", "excerpt", "content", "category", "author", "alt_text", "post_id", "task_id", "replace"),
)

ENDED = ("rejected", "failed", "cancelled")  # without a post, as long as nobody has them tried again

SEEDS = 2**32  # from 0: of these one is drawn

NOT_SAID: Mapping[str, Any] = {}  # what a person has seen of a prompt
NONE_SEEN: Mapping[int, int] = {}  # which pictures of prompts a person has seen

QUERIES = named_queries("glad_pipeline.prompts", "editing.sql", intake.WRITTEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What an edit did."""

    changed: tuple[str, ...]  # columns; none: it was like that already
    status: str  # after it
    redrawn: bool  # its picture was drawn, or a run was about to draw it: it is drawn again


class ChangedMeanwhileError(GladError):
    """Somebody else has changed what was to be edited. `now`: the fields that are not as expected, as they are."""

    def __init__(self, message: str, now: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.now = now


def edit_prompt(
    database: Database,
    prompt_id: int,
    given: Mapping[str, Any],
    *,
    zone: tzinfo = UTC,
    unless: Collection[str] = (),
    expected: Mapping[str, Any] = NOT_SAID,
    of: str | None = None,
    may_approve: bool = True,
) -> Edit:
    """Set these fields of a prompt, by the rules for a new one; None sets a field to its default.

    The seed stays unless it is given. `zone`: that of a time without one. `unless`: states in which it stays as it is.
    `expected`: what the person has seen of it, as JSON has it. `of`: only a prompt of this source; None: of any.
    `may_approve`: whether the person may decide about what waits for approval. Raises `NoSuchError` if there is no such
    prompt, `ChangedMeanwhileError` if it is not as expected, `NotAllowedError` if it is for who approves, `GladError`
    if it is in such a state, published or only drawn again for its post, and `UsageError` with every reason if what it
    would become breaks a rule or is another prompt already.
    """
    given = _meant(given)
    with database.transaction() as connection:
        connection.execute(intake.QUERIES["one_at_a_time"])
        row = _locked(connection, prompt_id, of)
        if row["status"] == "published":
            raise GladError(_why_not_published(row))
        if row["status"] in unless:
            raise GladError(f"it is {row['status']}: `glad prompts retry {prompt_id}` first")
        _refuse_unexpected(row, expected)
        before = NewPrompt(**{name: row[name] for name in FIELDS})
        checked = new_prompt({**values_of(before), **given}, zone=zone, ids=intake.ids_of_posts(connection))
        after = replace(before, **{name: getattr(checked, name) for name in given})
        lines = _lines(connection, row, before, after, asks_seed="seed" in given)
        if after.seed is None:
            after = replace(after, seed=intake.chosen_seed(intake.content_hash(after)))
        changed = tuple(name for name in given if getattr(after, name) != getattr(before, name))
        _refuse_what_stays(row, changed)
        if not may_approve:
            _refuse_unapproved(row, {*changed, *given.keys() & {"publish"}})
        status = _write(connection, row, after, lines) if changed else row["status"]
    redrawn = status == "pending" and row["status"] in ("claimed", "generated", "awaiting_approval", "ready")
    return Edit(changed=changed, status=status, redrawn=redrawn)


def _locked(connection: Connection, prompt_id: int, of: str | None) -> Mapping[str, Any]:
    row = connection.execute(QUERIES["locked"], {"id": prompt_id}).fetchone() if 0 < prompt_id < 2**63 else None
    if row is None or of not in (None, row["source"]):
        raise NoSuchError(f"there is no prompt {prompt_id}: `glad prompts list` shows those there are")
    return row


def _refuse_unexpected(row: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    found = {name: _plain(row[name]) for name in expected}
    now = {name: there for name, there in found.items() if there != expected[name]}
    if now:
        what = f"prompt {row['id']} was changed meanwhile ({', '.join(now)})"
        raise ChangedMeanwhileError(f"{what}: look at it again, nothing was changed now", now)


def _refuse_what_stays(row: Mapping[str, Any], changed: Collection[str]) -> None:
    if row["idempotency_key"] is not None and "idempotency_key" in changed:
        raise UsageError(
            f"idempotency_key {quoted(row['idempotency_key'])} of prompt {row['id']} stays as it is: "
            "its client asks again with it"
        )
    if _is_shown(row) and not STILL_OPEN.issuperset(changed):
        raise GladError(_why_not_published(row))


def _refuse_unapproved(row: Mapping[str, Any], asked: Collection[str]) -> None:
    """Nothing goes past the person who approves it: neither the prompt itself, nor another post than was approved."""
    if not row["needs_approval"] and row["status"] != "awaiting_approval":
        return
    drawn = row["status"] in ("generated", "awaiting_approval", "ready")
    kept = {"needs_approval", *(("publish", *OF_ITS_POST) if drawn else ())}
    if found := [name for name in asked if name in kept]:
        what = f"prompt {row['id']} needs approval, and is {row['status']}"
        raise NotAllowedError(f"{what}: {', '.join(sorted(found))} may be changed by who may review it")


def _plain(found: Any) -> Any:
    """A value of a row as JSON has it."""
    return found.isoformat() if isinstance(found, datetime) else str(found) if isinstance(found, UUID) else found


def ask_to_publish(
    database: Database, ids: Sequence[int], *, title: str | None = None, seen: Mapping[int, int] = NONE_SEEN
) -> tuple[dict[int, Edit], dict[int, str]]:
    """Have prompts become posts that asked for a picture alone: the next run publishes what is `ready`.

    What each edit did, and why the other prompts stay as they are. `title`: of the post, if it is one prompt. `seen`:
    by prompt which picture (images.id) the person has seen: where it is another one by now, the prompt stays as it is.
    """
    given = {"publish": "post"} if title is None else {"publish": "post", "title": title}
    return edit_prompts(database, ids, given, unless=ENDED, seen=seen)


def draw_otherwise(
    database: Database, seen: Mapping[int, int | None], *, seed: int | None = None
) -> tuple[dict[int, Edit], dict[int, str]]:
    """Have pictures that a person does not want drawn again with another seed; those that need approval wait for it
    again.

    What each edit did, and why the other prompts stay as they are. `seen`: by prompt which picture (images.id) the
    person has seen: where it is another one by now, it stays; None: whichever. `seed`: None: one that is chosen anew.
    """
    done: dict[int, Edit] = {}
    refused: dict[int, str] = {}
    for prompt_id, image_id in seen.items():
        chosen = secrets.randbelow(SEEDS) if seed is None else seed
        expected = NOT_SAID if image_id is None else {"image_id": image_id}
        try:
            done[prompt_id] = edit_prompt(
                database, prompt_id, {"seed": chosen}, unless=(*ENDED, "pending", "claimed"), expected=expected
            )
        except UnavailableError:
            raise
        except GladError as error:
            refused[prompt_id] = str(error)
    return done, refused


def edit_prompts(
    database: Database,
    ids: Sequence[int],
    given: Mapping[str, Any],
    *,
    unless: Collection[str] = (),
    of: str | None = None,
    seen: Mapping[int, int] = NONE_SEEN,
) -> tuple[dict[int, Edit], dict[int, str]]:
    """`edit_prompt` each of them: what each edit did, and why the other prompts stay as they are. `seen`: by prompt
    which picture (images.id) it must have for that."""
    done: dict[int, Edit] = {}
    refused: dict[int, str] = {}
    for prompt_id in dict.fromkeys(ids):
        try:
            expected = {"image_id": seen[prompt_id]} if prompt_id in seen else NOT_SAID
            done[prompt_id] = edit_prompt(database, prompt_id, given, unless=unless, expected=expected, of=of)
        except UnavailableError:
            raise
        except GladError as error:
            refused[prompt_id] = str(error)
    return done, refused


def _meant(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are set, by what people write; None: to the default."""
    found = understood({name: value for name, value in given.items() if value is not None})
    cleared = dict.fromkeys(name for name in given if name not in found and name != "size")
    sides = ("width", "height") if "size" in given and given["size"] is None else ()
    return {**cleared, **dict.fromkeys(sides), **found}


def find_post(database: Database, post: str) -> str:
    """The id of the blog's post with this slug or id. Raises `UsageError` if there is none."""
    found = None
    if post.isprintable():  # else PostgreSQL could not even be asked
        with database.transaction() as connection:
            if has_posts(connection):
                found = value(connection, QUERIES["find_post"], {"post": post})
    if found is None:
        raise UsageError(f"the blog has no post with the slug or id {quoted(post)}")
    return str(found)


def with_post(database: Database, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """These fields with the id of the post that they name by its slug or id. Raises `UsageError` if there is none."""
    post = given.get("post_id")
    return given if post is None else {**given, "post_id": find_post(database, str(post))}


def _is_shown(row: Mapping[str, Any]) -> bool:
    """Whether it has a post that we have not hidden, whatever its state: `glad redraw`, say, has put it back."""
    return row["published_post_id"] is not None and row["taken_down_at"] is None


def _why_not_published(row: Mapping[str, Any]) -> str:
    post = row["published_post_id"]
    other = f". For another picture on it: `glad prompts add TEXT --post {post}`" if post else ""
    return f"prompt {row['id']} is published and stays as it is: edit the post itself, on the blog{other}"


def _lines(
    connection: Connection, row: Mapping[str, Any], before: NewPrompt, after: NewPrompt, *, asks_seed: bool
) -> list[str | None]:
    """As which lines (content hashes) an edited prompt is known: its own, and the others.

    A line that names no seed is to be known when its prompt has kept the seed of an earlier line. A prompt that plain
    SQL has made or changed is known as it was, and as an export had it before this edit.
    """
    known_as, without_seed = row["content_hash"], intake.content_hash(replace(before, seed=None))
    if known_as not in (without_seed, intake.content_hash(before)):
        return [known_as, *_line_of(before)]
    others = {each["content_hash"] for each in connection.execute(QUERIES["aliases"], {"id": row["id"]})}
    lines = [intake.content_hash(after), known_as]
    if without_seed in {known_as, *others} and not asks_seed:
        lines.append(intake.content_hash(replace(after, seed=None)))
    return lines


def _line_of(prompt: NewPrompt) -> list[str]:
    """As which line an import would read it from an export; none if it would refuse it."""
    with suppress(UsageError):
        return [intake.content_hash(new_prompt(values_of(prompt), ids=kind_of(prompt.post_id)))]
    return []


def _write(connection: Connection, row: Mapping[str, Any], after: NewPrompt, lines: Sequence[str | None]) -> str:
    """The prompt's status after it."""
    known_as, others = lines[0], lines[1:]
    bound = {**values_of(after), "content_hash": known_as, "id": row["id"]}
    if other := connection.execute(QUERIES["owner_of"], bound).fetchone():
        if other["has_task_id"]:
            raise UsageError(f"task_id {after.task_id!r} belongs to prompt {other['id']} already: choose another")
        if other["has_key"]:
            key = quoted(after.idempotency_key)
            raise UsageError(f"idempotency_key {key} belongs to prompt {other['id']} already: choose another")
        raise UsageError(f"prompt {other['id']} is just that already: nothing was changed")
    if after.slug not in (None, row["slug"]):
        intake.refuse_taken_slug(connection, after)
    if any(getattr(after, name) != row[name] for name in ("post_id", "task_id", "title")):
        refuse_unknown_aims(connection, after)
    for other_line in others:
        connection.execute(QUERIES["add_alias"], {"content_hash": other_line, "id": row["id"]})
    status = str(value(connection, QUERIES["write"], bound))
    if (row["status"], status) == ("ready", "generated") and has_posts(connection):
        connection.execute(QUERIES["note_post_version"], bound)
    return status
