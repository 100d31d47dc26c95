"""What a look at one part of a deployment has found: right, worth knowing, wrong with the cure, or not tested.

Said by whoever looks (the blog's schema, the store's probe, `glad doctor`), and shown by every door.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from glad_pipeline.errors import GladError


class Level(StrEnum):
    """How bad it is, the worst last."""

    OK = "ok"
    NOT_TESTED = "not tested"
    WARNING = "warning"  # it works, and something is lost or at risk
    ERROR = "error"  # it does not work: nothing is claimed or drawn until it is mended


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """One line of it. Nothing in it is secret."""

    check: str  # what was looked at, such as "blog: posts.status"
    level: Level
    text: str  # what was found, with the value
    cure: str | None = None  # what to do; given for every WARNING and ERROR

    def in_words(self) -> str:
        """Text and cure as one sentence or two."""
        return f"{self.text.rstrip('.')}: {self.cure}" if self.cure else self.text


def require(found: Iterable[Diagnosis]) -> None:
    """Raise `GladError`, which names every error among `found` with its cure."""
    errors = [each.in_words() for each in found if each.level is Level.ERROR]
    if errors:
        raise GladError("; ".join(errors))
