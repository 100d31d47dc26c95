"""The workers that there are on a cluster: who they are, what each tells of itself, and their end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.workers import liveness
from glad_pipeline.workers.cluster import import_ray
from glad_pipeline.workers.jobs import Job
from glad_pipeline.workers.worker import Done, shape_name

ANSWER = 10.0  # seconds that a worker may take to tell of itself
SILENCE = 60.0  # seconds without a sign of life after which a worker is replaced
STUCK = 1800.0  # seconds that a batch may take
LEADS = 8  # batches of which it is remembered how early they had to be sent


@dataclass(eq=False)
class Member:
    """One worker as this process sees it."""

    name: str
    handle: Any
    jobs: deque[Job] = field(default_factory=deque)  # the first is being drawn
    ready: bool = False  # the model is loaded
    node: str = ""  # Ray's id of its machine
    refused: str | None = None  # why it cannot draw with this model
    died: bool = False  # for good: it has to be made anew
    failures: int = 0  # to come up, in a row
    lost: int = 0  # while it drew, in a row
    broken: int = 0  # times that its device failed, in a row
    ask_at: float = 0.0  # when to ask one again that did not answer
    heard: float = field(default_factory=time.monotonic)  # when it last gave a sign of life
    asked: Any | None = None  # the question whether it lives
    asked_at: float = 0.0
    begun_at: float = 0.0  # when it began its first job, as far as we know
    shapes: dict[str, float | None] = field(default_factory=dict)  # drawn there: seconds of the last batch, once known
    starved: bool = False  # its turn has come, and nothing was there
    leads: deque[float] = field(default_factory=lambda: deque(maxlen=LEADS))  # seconds: sent so early they were in time

    @property
    def seconds(self) -> float | None:
        """How long the batch takes that it draws; None where nobody knows."""
        return self.shapes.get(shape_name(self.jobs[0].recipes[0])) if self.jobs else None

    def sent(self, job: Job) -> None:
        """It gets this batch now."""
        if not self.jobs:
            self.heard = self.begun_at = time.monotonic()
        self.jobs.append(job)
        self.starved = False
        self.shapes.setdefault(shape_name(job.recipes[0]))

    def has_drawn(self, job: Job, done: Done) -> None:
        """It has answered this batch."""
        self.jobs.remove(job)
        self.heard = self.begun_at = time.monotonic()
        self.shapes[shape_name(job.recipes[0])] = done.seconds
        if job.lead is not None:
            self.leads.append(max(0.0, job.lead - done.early))

    def ailment(self) -> str:
        """Why it has to be replaced: it gives no sign of life, or draws one batch for ever. Empty where nothing is."""
        ray = import_ray()
        now = time.monotonic()
        if now - self.heard < SILENCE / 2:
            return ""
        if self.asked is None:
            self.asked, self.asked_at = self.handle.state.remote(), now
        elif ray.wait([self.asked], timeout=0)[0]:
            asked, self.asked = self.asked, None
            with suppress(ray.exceptions.RayError):  # of a lost one its jobs tell
                drawing_seconds = ray.get(asked)["drawing_seconds"] or 0.0
                self.heard = now
                return f"has been drawing one batch for {drawing_seconds:.0f} s" if drawing_seconds > STUCK else ""
        elif now - self.asked_at > SILENCE / 2 and liveness.noted(liveness.HERE, self.name):
            return f"has given no sign of life for {SILENCE:.0f} s"
        return ""


def end_workers() -> int:
    """End every worker there is, for good. Returns how many."""
    all_there_are = members()
    for member in all_there_are:
        liveness.erase(liveness.HERE, member.name)
        import_ray().kill(member.handle, no_restart=True)
    return len(all_there_are)


def members() -> list[Member]:
    """The workers that there are now."""
    ray = import_ray()
    names = [name for name in ray.util.list_named_actors() if name.startswith("worker-")]
    found = []
    for name in sorted(names, key=lambda name: int(name.removeprefix("worker-"))):
        try:
            found.append(Member(name=name, handle=ray.get_actor(name)))
        except ValueError:  # it has ended meanwhile
            continue
    return found


def states_of(some: list[Member], patience: float = ANSWER) -> list[Mapping[str, Any]]:
    """What each worker tells of itself in these seconds; `error` for one that does not."""
    ray = import_ray()
    asked = [(member, member.handle.state.remote()) for member in some]
    ray.wait([reference for _, reference in asked], num_returns=len(asked), timeout=patience) if asked else None
    states: list[Mapping[str, Any]] = []
    for member, reference in asked:
        try:
            states.append({"worker": member.name, **ray.get(reference, timeout=0)})
        except ray.exceptions.RayError as error:
            reason = "is gone, or is being started anew"
            if isinstance(error, ray.exceptions.GetTimeoutError):
                reason = f"has not answered for {patience:.0f} s: the next run replaces it if it stays silent"
                if not liveness.noted(liveness.HERE, member.name):
                    reason = "has not come up: it waits for a free GPU or CPU, or is being started"
            states.append({"worker": member.name, "error": reason})
    return states
