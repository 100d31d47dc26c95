"""Secrets as nasty as they come, and whether a text shows a piece of one.

The same cases each time; `GLAD_FUZZ=20` tries twenty times as many new ones.
"""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

PIECE = 5  # characters: what is shorter is in any text
_SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parents[1].glob("glad_pipeline/**/*.py"))
)
WORDS = {_SOURCES[i : i + PIECE] for i in range(len(_SOURCES))}  # of our own messages: a piece of these tells nothing
FACTOR = int(os.environ.get("GLAD_FUZZ", "0"))


def tried(cases: int) -> settings:
    """So many cases, however slow, with fixtures that serve them all."""
    return settings(
        max_examples=cases * (FACTOR or 1),
        derandomize=not FACTOR,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def pieces(secret: str) -> set[str]:
    return {secret[i : i + PIECE] for i in range(max(1, len(secret) - PIECE + 1))}


def shows(text: str, secret: str) -> bool:
    """Whether the text has five characters in a row of the secret (all of it, if it is shorter)."""
    return any(piece in text for piece in pieces(secret))


def _secrets(characters: st.SearchStrategy[str], shortest: int = PIECE) -> st.SearchStrategy[str]:
    return st.text(characters, min_size=shortest, max_size=40).filter(lambda secret: not pieces(secret) & WORDS)


SECRETS = st.one_of(
    _secrets(st.sampled_from("ab01/@#:%?&=+ '\"\\$<>[]{}!*-_.,;~^`|§é\u202e\U0001f511\t\x01")),
    _secrets(st.characters(exclude_categories=("Cs",), exclude_characters="\x00")),
    _secrets(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"), 20),
)
