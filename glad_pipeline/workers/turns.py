"""Whose turn it is: when a worker is sent its next batch, and which one of several gets a batch. Knows no Ray.

A worker gets the next batch just before the one that it draws ends: its GPU does not wait, and a row that comes
meanwhile may be in it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Collection, Iterator, Sequence

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers.members import Member
from glad_pipeline.workers.worker import shape_name

FIRST_LEAD = 0.15  # seconds before a batch's end, as long as nobody knows how long it takes to hand one over
MOST_LEAD = 0.5  # seconds: what takes longer is no handover, but a store or a spool that holds the batch up
SPARE = 0.04  # seconds², over those of a batch: in a short one a wait costs more, and a row that just misses it less
AT_A_WORKER = 2  # batches at most: the one that it draws and the next


def due_at(member: Member, *, others_load: bool = False) -> float:
    """When to send it a batch: at once where it has none, or nobody knows how long its own takes.

    `others_load`: then what nobody knows the end of is not followed by more: they may be sooner.
    """
    if not member.ready or len(member.jobs) >= AT_A_WORKER:
        return math.inf
    if not member.jobs:
        return 0.0
    if (early := lead(member)) is None or member.seconds is None:
        return math.inf if others_load else 0.0
    return member.begun_at + member.seconds - early


def lead(member: Member) -> float | None:
    """How long before the end of what it draws the next batch is sent to it; None where nobody knows that end.

    As early as the last few had to be sent so that the worker did not wait, whatever the handover took: the queue, the
    database, Ray, and how well the end was foretold. The one that took longest does not count: one in so many may wait.
    Nor does a wait for something to draw.
    """
    if member.seconds is None:
        return None
    needed = min(MOST_LEAD, sorted(member.leads)[-2:][0]) if member.leads else FIRST_LEAD
    return needed + SPARE / max(member.seconds, SPARE)


def free(some: Sequence[Member]) -> list[Member]:
    """Those whose turn it is, and of these those with the least to do."""
    now = time.monotonic()
    due = [member for member, at in _all_due(some) if at <= now]
    least = min((len(member.jobs) for member in due), default=0)
    return [member for member in due if len(member.jobs) == least]


def is_worth_a_look(some: Sequence[Member]) -> bool:
    """Whether to look once more what has come, before these get a batch: while they draw, and once for each batch."""
    return all(member.jobs for member in some) and not all(member.starved for member in some)


def nothing_was_there(some: Sequence[Member]) -> None:
    """For those whose turn it is: what they get is sent later than it was due, whatever its handover takes."""
    now = time.monotonic()
    for member, at in _all_due(some):
        member.starved = member.starved or at <= now


def seconds_until_one_is_due(some: Sequence[Member], *, most: float) -> float:
    """At most so many."""
    soonest = min((at for _, at in _all_due(some)), default=math.inf)
    return min(most, max(0.0, soonest - time.monotonic()))


def _all_due(some: Sequence[Member]) -> Iterator[tuple[Member, float]]:
    loading = any(not member.ready and not member.refused for member in some)
    return ((member, due_at(member, others_load=loading)) for member in some)


def fits(some: Collection[Member], recipe: Recipe) -> bool:
    """Whether one of them has drawn such a shape: its graph is compiled there."""
    return any(shape_name(recipe) in member.shapes for member in some)


def fittest(some: Sequence[Member], recipe: Recipe) -> Member:
    """One that has drawn such a shape, else any: other runs, of whose batches we do not know, choose too."""
    return random.choice([member for member in some if fits([member], recipe)] or list(some))  # noqa: S311
