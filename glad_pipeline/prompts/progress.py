"""How far prompts are, for whoever asks on somebody's behalf, many times a second and for many at once.

The statements of `progress.sql`, for blocking connections and event loops alike, and what their rows mean. Changes
nothing. The whole history of one prompt: `events`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from glad_pipeline.database import named_queries

QUERIES = named_queries("glad_pipeline.prompts", "progress.sql")
COUNTED = 1_000  # prompts ahead of one
IDLE = 120.0  # seconds without a picture, after which nobody was drawing, unless pictures take longer
TOGETHER = 1.0  # seconds within which the pictures of a batch are stored
ENDED = ("published", "ready", "rejected", "failed", "cancelled")  # nothing more comes of it by itself
CHANNEL = "glad_prompt_events"  # that is notified when any prompt has moved
WORDS = {  # of states that say all there is to say
    "awaiting_approval": "waiting for approval",
    "published": "published",
    "ready": "ready: its picture is public, and no post is asked for",
    "rejected": "rejected",
    "failed": "failed",
    "cancelled": "cancelled",
}
_BATCH = re.compile(r"(\d+) of (\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a prompt is, and its picture as far as it is public."""

    id: int
    status: str
    source: str
    publish: str  # post, or picture
    title: str | None
    prompt: str  # its beginning
    alt_text: str | None
    attempts: int
    last_error: str | None
    created_at: datetime
    is_later: bool | None  # whether its `publish_at` is to come
    event_id: int  # the last that happened to it; 0: nothing yet
    event: str | None
    detail: str | None
    paused: str | None  # since when and why, where its source or all is
    image_url: str | None  # None: not drawn, to be drawn again, or taken down
    thumbnail_url: str | None
    width: int | None
    height: int | None
    model: str | None
    seconds: float | None  # of drawing
    removed_reason: str | None  # why its picture was taken down
    post_path: str | None = None  # of the post that it has become, on the blog

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes of it until a person does something."""
        return self.status in ENDED

    @property
    def waits_for_others(self) -> bool:
        """Whether it is drawn, and waits for a person or its time."""
        return self.status == "awaiting_approval" or (self.status == "generated" and bool(self.is_later))

    @property
    def batch(self) -> tuple[int, int] | None:
        """While it is drawn: the how manyth picture of how many."""
        found = _BATCH.fullmatch(self.detail or "") if (self.status, self.event) == ("claimed", "drawing") else None
        return (int(found[1]), int(found[2])) if found else None

    def in_words(self, place: int | None = None, *, ahead: bool = True) -> str:
        """Where it stands: `waiting, 17 ahead`, `drawing, 3 of 8` …

        `place`: among the first COUNTED that wait; None: not among them. `ahead`: whether prompts are drawn before
        their `publish_at`.
        """
        if self.status == "pending":
            return self._waits(place, ahead)
        if self.status == "claimed":
            return f"drawing, {self.detail}" if self.event == "drawing" else "claimed, to be drawn next"
        if self.status == "generated":
            return "stored, its post waits for its time" if self.is_later else "stored, its post is next"
        return WORDS[self.status]

    def _waits(self, place: int | None, ahead: bool) -> str:
        if self.paused is not None:
            return f"paused since {self.paused}"
        if self.is_later and not ahead:
            return "waiting for its time"
        return waiting_in_words(place)


def seconds_each(stored: Sequence[float]) -> float | None:
    """How long one picture takes, by when the last ones were stored (seconds, the newest first); None: not known.

    Pictures of one batch come together: the pace is that of all since the last pause, which is longer than IDLE
    seconds, and than three times what there usually is between batches.
    """
    between = [after - at for after, at in pairwise(stored) if after - at > TOGETHER]
    idle = max(IDLE, 3 * median(between)) if len(between) > 2 else IDLE
    lately = [*stored[:1]]
    for at in stored[1:]:
        if lately[-1] - at > idle:
            break
        lately.append(at)
    # the first batch of them was begun before it was stored: it is not of that time
    drawn = sum(at - lately[-1] > TOGETHER for at in lately)
    return (lately[0] - lately[-1]) / drawn if drawn else None


def waiting_in_words(place: int | None) -> str:
    """Of a prompt that has this place in the queue; None: beyond the first COUNTED."""
    return f"waiting, {place - 1 if place and place <= COUNTED else f'more than {COUNTED:,}'} ahead"


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """Something that has happened to a prompt, by its number in `prompt_events`."""

    id: int
    at: datetime
    event: str
    detail: str | None
