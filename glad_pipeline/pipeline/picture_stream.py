"""A run's pictures on their way: drawn, delivered, and what their uploads came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.delivery import Delivery, Unstored
from glad_pipeline.pipeline.follow import Follower
from glad_pipeline.pipeline.upload import Uploaded
from glad_pipeline.publishing.renditions import Renditions

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn

FIRST = 24  # uploads that are reported one by one


@dataclass(kw_only=True, slots=True)
class DrawReport:
    """What became of the prompts of one drawing; filled while its pictures are consumed."""

    prompts: int
    already_stored: int = 0
    to_draw: int = 0  # recipes
    model: str = ""
    model_revision: str = ""
    rejected: int = 0
    failed: int = 0
    cut: int = 0  # pictures drawn without the end of their texts


@dataclass(kw_only=True)
class PictureStream:
    """Pictures as they are drawn, and, when all are, the report about them."""

    pictures: Generator[Drawn, None, None]
    delivery: Delivery
    refuse: Callable[[Recipe, str], None]  # settles the prompts of a picture that cannot be stored, with the reason
    report: DrawReport


@dataclass(kw_only=True, slots=True)
class UploadTotals:
    """What one run's uploads came to."""

    uploaded: int = 0
    found: int = 0  # another run had stored this very recipe meanwhile
    bytes: int = 0
    seconds: float = 0.0
    drawing_seconds: float = 0.0
    encode_seconds: float = 0.0  # of all threads
    render_seconds: float = 0.0  # of all threads
    upload_seconds: float = 0.0  # of all threads
    first: list[Uploaded] = field(default_factory=list)  # the first FIRST
    stored: Collection[str] = ()  # keys that this run has put: the store has checked what it took
    renditions: Mapping[str, Renditions] = field(default_factory=dict)  # by their original's key

    def add(self, done: Uploaded) -> None:
        self.uploaded += done.written
        self.found += not done.written
        self.bytes += done.bytes
        self.drawing_seconds += done.drawing_seconds
        self.encode_seconds += done.encode_seconds
        self.render_seconds += done.render_seconds
        self.upload_seconds += done.upload_seconds
        if len(self.first) < FIRST:
            self.first.append(done)


def upload_all(stream: PictureStream, follower: Follower | None = None) -> UploadTotals:
    """Upload pictures while the next are drawn; returns when all are stored, and, with a follower, what is due of them
    is published. Raises what ends the run."""
    started = time.monotonic()
    totals = UploadTotals()

    def settle(finished: Iterable[Uploaded | Unstored]) -> None:
        for done in finished:
            if isinstance(done, Unstored):
                stream.refuse(done.recipe, done.reason)
            else:
                totals.add(done)

    with follower or nullcontext(), stream.delivery as delivery, closing(stream.pictures):
        if follower is not None:
            delivery.tell = follower.uploaded
        for drawn in stream.pictures:
            if follower is not None:
                follower.raise_failure()
            delivery.send(drawn)
            settle(delivery.finished())
        settle(delivery.rest())
    totals.stored = delivery.stored
    totals.renditions = delivery.renditions
    totals.seconds = time.monotonic() - started
    return totals
