"""Recipes whose picture was taken down: not drawn, catalogued or published again until a person allows it.

A takedown commits alone: code that catalogues or publishes calls `hold_off_takedowns` first, so that what it reads here
stays true until it commits. The table keeps the older name `barred_recipes`.
"""

from __future__ import annotations

from collections.abc import Collection

from glad_pipeline.database import Connection, named_queries

SQL = named_queries(__package__, "blocklist.sql")
LOCK = 0x676C616474616B65  # "gladtake"


def hold_off_takedowns(connection: Connection) -> None:
    """In the caller's transaction, before any of its row locks: no takedown begins before it ends."""
    connection.execute(SQL["hold_off"], {"lock": LOCK})


def take_down_alone(connection: Connection) -> None:
    """In the caller's transaction: wait until nobody catalogues or publishes, and keep others from it until it ends."""
    connection.execute(SQL["alone"], {"lock": LOCK})


def blocked(connection: Connection, hashes: Collection[str]) -> dict[str, str]:
    """Of these recipe hashes (64 hex digits) those that are blocked, each with the reason that its prompts get."""
    rows = connection.execute(SQL["blocked"], {"hashes": list(hashes)})
    return {row["recipe_hash"]: blocked_because(row["reason"], row["recipe_hash"]) for row in rows}


def blocked_beginnings(connection: Connection, names: Collection[str]) -> list[str]:
    """Of these first 32 digits of recipe hashes those that are blocked."""
    return [row["name"] for row in connection.execute(SQL["blocked_beginnings"], {"names": list(names)})]


def block(connection: Connection, recipe_hash: str, reason: str) -> bool:
    """In the caller's transaction: add a recipe; the first reason stays. Whether it was not blocked before."""
    return bool(connection.execute(SQL["block"], {"recipe_hash": recipe_hash, "reason": reason}).rowcount)


def unblock(connection: Connection, recipe_hash: str) -> bool:
    """In the caller's transaction: whether the recipe was blocked; it is not any more."""
    return bool(connection.execute(SQL["unblock"], {"recipe_hash": recipe_hash}).rowcount)


def blocked_because(reason: str, image: str) -> str:
    """The reason that a prompt gets whose picture was taken down; `image`: its key or recipe hash."""
    return f"its picture was taken down ({reason}): `glad images allow {image}`, then `glad prompts retry`, lifts that"
