"""Putting one prompt into the queue, and what makes two prompts the same. Whole files: `importing`.

Knows the `prompts` table (its statements are in `intake.sql`) and the rules in `validation`. Knows nothing
of claims, pictures or posts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, tzinfo
from operator import attrgetter
from typing import Any

from glad_pipeline.database import Connection, Database, named_queries, value
from glad_pipeline.database.blog import has_posts
from glad_pipeline.display import quoted
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.prompts.aims import refuse_unknown_aims
from glad_pipeline.prompts.sources import kept_to_limits
from glad_pipeline.prompts.validation import is_blank, new_prompt
from glad_pipeline.records import FIELDS, NewPrompt, PostIdKind

WRITTEN = (*FIELDS, "content_hash")
QUERIES = named_queries("glad_pipeline.prompts", "intake.sql", WRITTEN)


class KeyTaken(UsageError):
    """The `idempotency_key`, or the `task_id` beside it, is that of a prompt which asks for something else."""


_DEFAULTS = {field.name: field.default for field in fields(NewPrompt)}
_SEED = FIELDS.index("seed")
_values = attrgetter(*FIELDS)  # of a NewPrompt; a million rows notice


def key_of(source: str, key: str) -> str:
    """A client's own `idempotency_key` as it is kept: apart from other clients', since no name of one has a colon.

    As it is kept, it is the same key; one that is blank stays so, and is refused.
    """
    return key if is_blank(key) else f"{source}:{key.removeprefix(f'{source}:')}"


def content_hash(prompt: NewPrompt) -> str:
    """What makes two prompts the same: sha256 over every field that was set, in one canonical form.

    A field left at its default does not count, so that a new column never changes an old row's hash.
    """
    pairs = zip(_DEFAULTS.items(), _values(prompt), strict=True)
    given = {name: found for (name, default), found in pairs if found != default}
    if "post_id" in given:  # 17 of a file and 17 of a column are one
        given["post_id"] = str(given["post_id"])
    return hashlib.sha256(_canonical_json(given).encode()).hexdigest()


def _canonical(found: object) -> str:
    return found.isoformat() if isinstance(found, datetime) else str(found)


_canonical_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_canonical).encode


def add_prompt(database: Database, given: Mapping[str, Any], *, zone: tzinfo = UTC) -> tuple[int, bool]:
    """Put one prompt into the queue; return its id and whether it is new.

    The same `idempotency_key` or `task_id`, or without them the same fields, is the same prompt: its id, and False.
    With a key it has to ask for the same, too, else it is `KeyTaken`. `zone`: that of a time without one.
    Raises `UsageError` with every reason if the fields break a rule, the slug or the `idempotency_key` is another
    prompt's, or the blog has no such post or task.
    """
    ids: PostIdKind = "uuid" if given.get("post_id") is None else database.read(ids_of_posts)
    prompt = new_prompt(given, zone=zone, ids=ids)
    row = dict(zip(WRITTEN, as_row(prompt), strict=True))
    with database.transaction() as connection:
        connection.execute(QUERIES["one_at_a_time"])
        if (same := same_prompt(connection, prompt, row)) is not None:
            return same, False
        if prompt.slug is not None:
            refuse_taken_slug(connection, prompt)
        refuse_unknown_aims(connection, prompt)
        with kept_to_limits():
            added = value(connection, QUERIES["insert_one"], row)
        if added is not None:
            return int(added), True
        if (same := same_prompt(connection, prompt, row)) is not None:  # inserted by plain SQL since we looked
            return same, False
        raise GladError("another prompt like it was added and removed at the same moment: try again")


def same_prompt(connection: Connection, prompt: NewPrompt, row: Mapping[str, Any]) -> int | None:
    """The prompt that this one, as a `row` of WRITTEN, is already; None: it is new.

    Raises `KeyTaken` where its `idempotency_key` is that of another one, or it comes with one and its `task_id` is.
    """
    if prompt.idempotency_key is not None:
        there = connection.execute(QUERIES["owner_of_key"], row).fetchone()
        if there is not None:
            if there["is_known"] or _asks_for(there, prompt):
                return int(there["id"])
            raise KeyTaken(
                f"idempotency_key {quoted(prompt.idempotency_key)} belongs to prompt {there['id']} already, which asks "
                f"for something else (`glad prompts show {there['id']}`): take another key"
            )
    there = connection.execute(QUERIES["same_prompt"], row).fetchone()
    if there is None:
        return None
    if prompt.idempotency_key is not None and not _asks_for(there, prompt, whatever_key=True):
        raise KeyTaken(
            f"task_id {quoted(prompt.task_id)} belongs to prompt {there['id']} already, which asks for something else "
            f"(`glad prompts show {there['id']}`): idempotency_key {quoted(prompt.idempotency_key)} cannot be its own"
        )
    return int(there["id"])


def _asks_for(row: Mapping[str, Any], prompt: NewPrompt, *, whatever_key: bool = False) -> bool:
    """Whether a row of the table, of plain SQL say, has these very fields; a seed that is not asked for may be any.

    `whatever_key`: under another `idempotency_key` too.
    """
    there = NewPrompt(**{name: row[name] for name in FIELDS})
    if whatever_key:
        prompt = replace(prompt, idempotency_key=there.idempotency_key)
    return prompt == (there if prompt.seed is not None else replace(there, seed=None))


def ids_of_posts(connection: Connection) -> PostIdKind:
    """What the ids of the blog's posts are, as the column `prompts.post_id` has them."""
    kind: PostIdKind = value(connection, QUERIES["ids_of_posts"])
    return kind


def refuse_taken_slug(connection: Connection, prompt: NewPrompt) -> None:
    """Raises `UsageError` where another prompt or post has the slug that this new one asks for."""
    sought = {"slug": prompt.slug, "post_id": prompt.post_id}
    if found := value(connection, QUERIES["slug_of_prompt"], sought):
        raise UsageError(f"slug {prompt.slug!r} belongs to prompt {found} already: choose another, or none")
    if has_posts(connection) and (found := value(connection, QUERIES["slug_of_post"], sought)):
        raise UsageError(
            f"slug {prompt.slug!r} belongs to the post {found} already: "
            "choose another, or set post_id to illustrate that post"
        )


def as_row(prompt: NewPrompt) -> tuple[Any, ...]:
    """The values of WRITTEN. Without a seed, the content decides it: the same everywhere."""
    identity = content_hash(prompt)
    values = list(_values(prompt))
    if prompt.seed is None:
        values[_SEED] = chosen_seed(identity)
    return (*values, identity)


def chosen_seed(identity: str) -> int:
    """The seed of a prompt that was given none."""
    return int(identity[:8], 16)


def _without_seed(row: Mapping[str, Any]) -> str:
    return content_hash(NewPrompt(**{name: row[name] for name in FIELDS if name != "seed"}))


def as_given(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that somebody set, from a row that holds WRITTEN: no defaults, and no seed that was chosen here.

    The seed of a text that plain SQL has changed since is one of the fields: the new text would choose another.
    """
    identity = row["content_hash"]
    chosen = identity is not None and row["seed"] == chosen_seed(identity) and identity == _without_seed(row)
    return {
        name: row[name]
        for name, default in _DEFAULTS.items()
        if row[name] is not None and row[name] != default and not (name == "seed" and chosen)
    }
