"""Recipes whose picture was taken down: not drawn, catalogued or published again until a person allows it.

A takedown commits alone: whoever catalogues or publishes calls `hold_off_takedowns` first, so that what it then reads
here stays true until it commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.publishing import outbox

SQL = named_queries(__package__, "takedown.sql")
LOCK = 0x676C616474616B65  # "gladtake"


def hold_off_takedowns(connection: Connection) -> None:
    """In the caller's transaction, before any of its row locks: no takedown begins before it ends."""
    connection.execute(SQL["hold_off"], {"lock": LOCK})


def barred(connection: Connection, hashes: Collection[str]) -> dict[str, str]:
    """Of these recipe hashes (64 hex digits) those that are barred, each with what to tell its prompts."""
    rows = connection.execute(SQL["barred"], {"hashes": list(hashes)})
    return {row["recipe_hash"]: barred_because(row["reason"], row["recipe_hash"]) for row in rows}


def barred_beginnings(connection: Connection, names: Collection[str]) -> list[str]:
    """Of these first 32 digits of recipe hashes those that are barred."""
    return [row["name"] for row in connection.execute(SQL["barred_beginnings"], {"names": list(names)})]


def turn_away(connection: Connection, keys: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """In the caller's transaction: `barred`, for recipe hash → keys of its objects, the original first.

    The objects of those that are barred have to go once more: a run may have stored them after they were deleted.
    """
    hold_off_takedowns(connection)
    reasons = barred(connection, keys)
    for recipe_hash in sorted(reasons):
        outbox.ask_to_delete_again(connection, keys[recipe_hash][0], keys[recipe_hash])
    return reasons


def barred_because(reason: str, image: str) -> str:
    """What a prompt is told whose picture was taken down; `image`: its key or recipe hash."""
    return f"its picture was taken down ({reason}): `glad images allow {image}`, then `glad prompts retry`, lifts that"
