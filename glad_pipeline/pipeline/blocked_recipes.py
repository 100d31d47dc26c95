"""Recipes that were taken down, on their way through a run: their prompts are rejected, their objects deleted again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from glad_pipeline.database import Connection
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.outbox import messages
from glad_pipeline.publishing import blocklist
from glad_pipeline.storage.keys import original_key, thumbnail_key


def keys_by_hash(recipes: Iterable[Recipe]) -> dict[str, tuple[str, str]]:
    """Recipe hash → keys of original and thumbnail."""
    return {recipe.hash: (original_key(recipe.hash), thumbnail_key(recipe.hash)) for recipe in recipes}


def refuse_blocked(connection: Connection, keys: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """In the caller's transaction: the blocked ones of these recipes (hash → keys of its objects), with the reasons.

    Their objects are deleted once more: a run may have stored them after they were deleted.
    """
    blocklist.hold_off_takedowns(connection)
    reasons = blocklist.blocked(connection, keys)
    for recipe_hash in sorted(reasons):
        messages.ask_to_delete_again(connection, keys[recipe_hash][0], keys[recipe_hash])
    return reasons
