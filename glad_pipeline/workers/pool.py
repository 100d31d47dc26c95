"""Drawing with all workers of a cluster: the same `generate` as an engine's, in order of readiness.

Each worker has one bucket to draw and one waiting, so memory stays bounded and no GPU waits for us. Buckets go where
their shape was drawn before, for its graph is compiled there. A lost worker's buckets go to others: the one that it was
drawing split into single pictures, so that one that kills whoever draws it is found out and answered as failed.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.generation.buckets import faults_of, grouped
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe, Shape
from glad_pipeline.settings import Settings
from glad_pipeline.workers.cluster import Cluster, import_ray, resources
from glad_pipeline.workers.options import EngineOptions
from glad_pipeline.workers.worker import Loaded, Worker, shape_name

AT_A_WORKER = 2  # buckets: the one it draws and the next
READ_AHEAD = 64  # buckets among which one is chosen that fits a worker
LOSSES = 2  # workers that may be lost over a picture before it is answered as failed
LOOK = 1.0  # seconds between looks at what has not answered
SILENCE = 60.0  # seconds without a sign of life after which a worker is replaced
CLUSTER_PATIENCE = 60.0  # seconds for which a cluster that went away is waited for
LEAST_BUCKET = 4  # pictures that a worker is asked for, where nobody says how many are drawn at once
CPU_WORKERS = 4  # at most, by default

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Recipes of one shape, at most a bucket of them, on their way."""

    recipes: list[Recipe]
    losses: int = 0  # workers lost over it


@dataclass(eq=False)
class Member:
    """One worker as this process sees it."""

    name: str
    handle: Any
    jobs: deque[Job] = field(default_factory=deque)  # the first is being drawn
    ready: bool = False  # the model is loaded
    refused: str | None = None  # why it cannot draw with this model
    ask_at: float = 0.0  # when to ask one again that did not answer
    heard: float = 0.0  # when it last gave a sign of life
    asked: Any | None = None  # the question whether it lives
    shapes: set[str] = field(default_factory=set)


class Pool:
    """The workers of a cluster. Connects when first used; `close` it."""

    def __init__(self, settings: Settings, options: EngineOptions) -> None:
        self.cluster = Cluster(settings)
        self.options = options
        self.start_seconds = settings.worker_start_seconds
        self._members: dict[str, Member] = {}  # by name
        self._settings = settings

    @property
    def share(self) -> tuple[float, float]:
        """GPUs and CPUs of each worker. Raises `GladError` where a GPU is asked for and this machine has none."""
        gpus = self._settings.worker_gpus
        found = resources().get("GPU", 0.0)
        if gpus is None:
            asked = self.options.device
            gpus = 1.0 if found or asked == "cuda" or (asked == "auto" and not self.cluster.is_ours) else 0.0
        if gpus and not found and self.cluster.is_ours:
            raise GladError(
                f"each worker wants {gpus:g} of a GPU and Ray finds none on this machine: install the driver (does "
                "nvidia-smi work?), or draw the demo model on the CPU with GLAD_WORKER_GPUS=0 and GLAD_DEVICE=auto"
            )
        return gpus, self._settings.worker_cpus

    def size(self) -> int:
        """How many workers there are to be."""
        if self._settings.workers is not None:
            return self._settings.workers
        gpus, cpus = self.share
        if gpus:
            return max(1, int(resources().get("GPU", 0.0) / gpus + 1e-6))
        return max(1, min(CPU_WORKERS, int(resources().get("CPU", 1.0) / cpus + 1e-6)))

    def open(self, wanted: int | None = None) -> list[Member]:
        """Connect, and see to it that there are workers, `wanted` at most. Raises `GladError`."""
        self.cluster.connect()
        names = [f"worker-{place}" for place in range(self.size())]
        if wanted is not None and wanted < len(names):  # those that are there first, and not every run the same ones
            there = set(import_ray().util.list_named_actors())
            random.shuffle(names)
            names = sorted(names, key=lambda name: name not in there)[: max(1, wanted)]
        return [self._member(name) for name in names]

    def reopen(self, wanted: int) -> list[Member]:
        """After the cluster went away: wait for it, connect anew. Raises `UnavailableError` when patience is spent."""
        self._members = {}
        self.cluster.disconnect()
        until = time.monotonic() + CLUSTER_PATIENCE
        while not self.cluster.answers():
            if time.monotonic() > until:
                raise UnavailableError(
                    f"the Ray cluster went away and did not come back in {CLUSTER_PATIENCE:.0f} s: "
                    "./glad workers up starts this machine's anew"
                )
            time.sleep(LOOK)
        return self.open(wanted)

    def _member(self, name: str) -> Member:
        if name not in self._members:
            self._members[name] = Member(name=name, handle=self._handle(name))
        return self._members[name]

    def revive(self, member: Member) -> None:
        """A worker that ended for good is started anew, under its name."""
        member.handle = self._handle(member.name)

    def replace(self, member: Member) -> None:
        """End a worker that does not answer; Ray starts it anew."""
        import_ray().kill(member.handle, no_restart=False)

    def why_none(self) -> str:
        """What to tell when no worker came up in time."""
        gpus, cpus = self.share
        has = resources()
        return (
            f"no worker came up in {self.start_seconds:.0f} s (GLAD_WORKER_START_SECONDS): each wants {gpus:g} GPUs "
            f"and {cpus:g} CPUs, and the cluster has {has.get('GPU', 0):g} and {has.get('CPU', 0):g} in all. "
            "./glad workers status shows who has them"
        )

    def close(self) -> None:
        """Leave the cluster; its workers stay warm."""
        self._members = {}
        self.cluster.disconnect()

    def _handle(self, name: str) -> Any:
        """The actor of that name; it is made if there is none."""
        gpus, cpus = self.share
        ray = import_ray()
        for look in (Worker.state, Worker.expect):
            ray.method(concurrency_group="looks")(look)
        actor = ray.remote(max_restarts=-1, num_gpus=gpus, num_cpus=cpus, concurrency_groups={"looks": 1})(Worker)
        actor = actor.options(name=name, lifetime="detached", get_if_exists=True, scheduling_strategy="SPREAD")
        settings = self._settings
        return actor.remote(self.options, models=settings.worker_models, idle_seconds=settings.worker_idle_seconds)


class RemoteEngine:
    """An `Engine` whose drawing is done by the workers of a pool, with the model that `profile` names.

    Args:
        wanted: how many pictures there will be: no more workers than that need are asked for. None: all.

    `load_seconds` and `warm_seconds` are the slowest worker's; 0 where all was warm. Not thread-safe.
    """

    def __init__(self, profile: ModelProfile, pool: Pool, *, wanted: int | None = None) -> None:
        self.profile = profile
        self.load_seconds: float | None = None
        self.warm_seconds = 0.0
        self._pool = pool
        self._wanted = None if wanted is None else math.ceil(wanted / (pool.options.bucket or LEAST_BUCKET))
        self._members: list[Member] = []  # that work for us
        self._buckets: dict[Shape, int] = {}
        self._loading: dict[Any, Member] = {}  # by reference
        self._drawing: dict[Any, Member] = {}  # a member's references are in the order of its jobs
        self._again: deque[Job] = deque()
        self._warm: dict[str, float] = {}  # seconds by member
        self._pulse: Callable[[], None] = lambda: None  # called about once a second while we wait

    def load(self) -> None:
        """Wait until a first worker can draw.

        Raises `UnavailableError` where there is no cluster or no worker comes up in time, `GladError` where none can
        load the model.
        """
        if self.load_seconds is not None:
            return
        self._members = self._pool.open(self._wanted)
        self.load_seconds = 0.0
        for member in self._members:
            member.refused = None
            self._ask(member)
        self._wait_for_one()

    def warm_up(self, recipe: Recipe) -> list[Member]:
        """Have every worker load the model and draw a bucket like `recipe` for nothing, for all that is done once.

        Raises `GladError` where one of them cannot, or does not come up in time.
        """
        self._members = self._pool.open()
        ray = import_ray()
        asked = {member.handle.load.remote(self.profile, recipe): member for member in self._members}
        done, left = ray.wait(list(asked), num_returns=len(asked), timeout=self._pool.start_seconds)
        for reference in done:
            try:
                ray.get(reference)
            except ray.exceptions.RayError as error:
                raise GladError(f"{asked[reference].name} cannot draw: {_reason(error)}") from error
        if left:
            raise UnavailableError(f"{asked[left[0]].name}: {self._pool.why_none()}")
        return self._members

    def close(self) -> None:
        """Let go of the workers; the model stays loaded in them."""
        ray = import_ray()
        for reference in self._drawing:
            with suppress(ray.exceptions.RayError, RuntimeError):  # the cluster may be gone
                ray.cancel(reference)  # what waits at a worker is not drawn; what is being drawn is
        self._drawing.clear()
        self._loading.clear()
        for member in self._members:
            member.jobs.clear()

    def generate(
        self, recipes: Iterable[Recipe], *, begun: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        """As `Engine.generate`. `begun` is also called, with no recipes, about once a second while nothing is ready.

        A bucket whose worker is lost is begun again. Raises `GladError` also when all workers are lost for good.
        """
        self._pulse = lambda: begun(())
        self.load()
        fresh = grouped(recipes, self.profile, self._bucket_of, self._pool.options.small_bucket)
        waiting: deque[Job] = deque()
        exhausted = False
        try:
            while True:
                while not exhausted and len(waiting) < READ_AHEAD:
                    group, bucket = next(fresh, ([], -1))
                    if bucket > 0:
                        waiting.append(Job(group))
                    elif bucket == 0:
                        faults = "; ".join(faults_of(group[0], self.profile))
                        yield Drawn(recipe=group[0], error=faults, fault="recipe", provenance={})
                    else:
                        exhausted = True
                while (left := len(waiting) + len(self._again)) and (member := self._free(left)):
                    job = self._again.popleft() if self._again else _fitting(member, waiting)
                    if job.losses >= LOSSES:
                        yield from map(_poison, job.recipes)
                        continue
                    begun(job.recipes)
                    self._send(member, job)
                if exhausted and not waiting and not self._again and not self._drawing:
                    return
                if not self._drawing:
                    self._wait_for_one()
                    continue
                done = self._look()
                for reference in done:
                    yield from self._drawn(reference)
                if not done:
                    self._pulse()
        finally:
            self.close()

    # workers

    def _ask(self, member: Member) -> None:
        """Have it load the model; its answer says that it is ready."""
        member.ready = False
        member.ask_at = math.inf
        self._loading[member.handle.load.remote(self.profile)] = member

    def _free(self, waiting: int) -> Member | None:
        """The ready worker with the least to do, for one of so many buckets; those still loading may take one each."""
        loading = sum(not member.ready and not member.refused for member in self._members)
        most = AT_A_WORKER if waiting > loading else 1
        ready = [member for member in self._members if member.ready and len(member.jobs) < most]
        random.shuffle(ready)  # other runs, of whose buckets we do not know, choose too
        return min(ready, key=lambda member: len(member.jobs), default=None)

    def _wait_for_one(self) -> None:
        """Until a worker is ready. Raises `GladError` if none will be."""
        until = time.monotonic() + self._pool.start_seconds
        while not any(member.ready for member in self._members):
            refused = [member.refused for member in self._members]
            if all(refused):
                raise GladError(f"no worker can draw: {refused[0]}")
            if time.monotonic() > until:
                raise UnavailableError(self._pool.why_none())
            self._look()
            self._pulse()

    def _look(self) -> list[Any]:
        """Wait for answers, a second at most: those about loading are dealt with, those about drawing returned."""
        ray = import_ray()
        everything = [*self._drawing, *self._loading]
        done: list[Any] = []
        if everything:
            done, _ = ray.wait(everything, num_returns=1, timeout=LOOK)
            if done:  # whatever else is there already
                done, _ = ray.wait(everything, num_returns=len(everything), timeout=0)
        else:
            time.sleep(LOOK)
        for reference in [reference for reference in done if reference in self._loading]:
            self._loaded(reference)
        self._look_after()
        return [reference for reference in done if reference in self._drawing]

    def _loaded(self, reference: Any) -> None:
        ray = import_ray()
        member = self._loading.pop(reference)
        try:
            told: Loaded = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            member.refused = f"{member.name}: {_reason(error)}"
        except ray.exceptions.RayError as error:
            self._lost(member, error)
            return
        else:
            if told.options.drawing != self._pool.options.drawing:
                member.refused = (
                    f"{member.name} was started with other settings (device, batch sizes or compiling) than now: "
                    "./glad workers down, then ./glad workers up"
                )
        if member.refused:
            log.warning("a worker cannot draw with %s. %s", self.profile.name, member.refused)
            return
        member.ready = True
        member.shapes = set(told.shapes)
        member.heard = time.monotonic()
        self.load_seconds = max(self.load_seconds or 0.0, told.load_seconds)

    def _look_after(self) -> None:
        """Ask those again that did not answer, and find out about those that have been silent."""
        ray = import_ray()
        now = time.monotonic()
        for member in self._members:
            if now >= member.ask_at and not member.refused:
                self._ask(member)
            if not member.jobs or now - member.heard < SILENCE / 2:
                continue
            if member.asked is None:
                member.asked = member.handle.state.remote()
                continue
            done, _ = ray.wait([member.asked], timeout=0)
            if done:
                member.asked, member.heard = None, now  # of a lost one its jobs tell
            elif now - member.heard > SILENCE:
                log.warning("%s has given no sign of life for %.0f s and is replaced", member.name, SILENCE)
                member.asked, member.heard = None, now
                self._pool.replace(member)
        if not any(member.ready or member.refused for member in self._members) and not self._pool.cluster.answers():
            self._start_over()

    def _lost(self, member: Member, error: Exception | None) -> None:
        """The worker is gone, or is being started anew: what it had is for others."""
        ray = import_ray()
        for references in (self._drawing, self._loading):
            for reference in [reference for reference, whose in references.items() if whose is member]:
                del references[reference]
        if member.jobs:
            told = " ".join(str(error).split())[:200]
            log.warning("%s was lost with %s buckets, others draw them: %s", member.name, len(member.jobs), told)
            current = member.jobs.popleft()
            alone = [Job([recipe], current.losses + 1) for recipe in current.recipes]
            self._again.extendleft(reversed([*alone, *member.jobs]))
            member.jobs.clear()
        member.ready, member.asked = False, None
        member.ask_at = time.monotonic() + LOOK / 2
        if isinstance(error, ray.exceptions.ActorDiedError):
            self._pool.revive(member)

    def _start_over(self) -> None:
        """The whole cluster is gone, by no picture's fault. Wait for it, and draw there what is not drawn."""
        log.warning("the Ray cluster does not answer; it is waited for")
        for member in self._members:
            self._again.extend(member.jobs)
        self._drawing.clear()
        self._loading.clear()
        self._members = self._pool.reopen(len(self._members))
        for member in self._members:
            self._ask(member)

    # buckets

    def _bucket_of(self, recipe: Recipe) -> int:
        """As a ready worker has it, asked once for each shape."""
        ray = import_ray()
        while recipe.shape not in self._buckets:
            self._wait_for_one()
            member = next(member for member in self._members if member.ready)
            try:
                self._buckets[recipe.shape] = ray.get(member.handle.bucket_of.remote(self.profile, recipe))
            except ray.exceptions.RayError as error:
                self._lost(member, error)
        return self._buckets[recipe.shape]

    def _send(self, member: Member, job: Job) -> None:
        if not member.jobs:
            member.heard = time.monotonic()
        member.jobs.append(job)
        member.shapes.add(shape_name(job.recipes[0]))
        member.handle.expect.remote(id(job))
        self._drawing[member.handle.draw.remote(self.profile, job.recipes, id(job))] = member

    def _drawn(self, reference: Any) -> Iterator[Drawn]:
        """The pictures of a bucket that is done; of one that was lost none."""
        ray = import_ray()
        member = self._drawing.get(reference)
        if member is None:  # its worker was lost meanwhile
            return
        try:
            pictures, warm = ray.get(reference, timeout=SILENCE)
        except ray.exceptions.RayTaskError as error:
            raise GladError(f"{member.name} cannot draw: {_reason(error)}") from error
        except ray.exceptions.RayError as error:
            self._lost(member, error)
            return
        del self._drawing[reference]
        job = member.jobs.popleft()
        member.heard = time.monotonic()
        self._warm[member.name] = self._warm.get(member.name, 0.0) + warm
        self.warm_seconds = max(self._warm.values())
        broken = [picture for picture in pictures if picture.pixels is None and picture.fault == "device"]
        if broken:
            self._device_failed(member, job, pictures, broken)
        yield from (picture for picture in pictures if picture.fault != "device" or picture.pixels is not None)

    def _device_failed(self, member: Member, job: Job, pictures: Sequence[Drawn], broken: Sequence[Drawn]) -> None:
        """Its GPU failed. A new process may have it again; others draw meanwhile what it did not."""
        log.warning("%s is replaced: %s", member.name, broken[0].error)
        told = {picture.recipe for picture in pictures}
        left = [recipe for recipe in job.recipes if recipe not in told]
        alone = [Job([picture.recipe], job.losses + 1) for picture in broken]
        rest = [Job(left, job.losses)] if left else []
        self._again.extendleft(reversed([*alone, *rest, *member.jobs]))
        member.jobs.clear()
        self._pool.replace(member)
        self._lost(member, None)


def _poison(recipe: Recipe) -> Drawn:
    told = (
        f"{LOSSES} workers were lost while they drew it. If other pictures are drawn, this one needs more memory than "
        "there is, or does harm: change it, or look into the workers' logs"
    )
    return Drawn(recipe=recipe, error=told, provenance={})


def _fitting(member: Member, waiting: deque[Job]) -> Job:
    """The first bucket of a shape that this worker has drawn, else the first."""
    place = next((i for i, job in enumerate(waiting) if shape_name(job.recipes[0]) in member.shapes), 0)
    job = waiting[place]
    del waiting[place]
    return job


def _reason(error: Any) -> str:
    """What a worker raised: our own message, or the kind and last line of somebody else's."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, GladError):
        return str(cause)
    told = " ".join(str(cause).split())
    if type(cause).__name__ in ("ObjectStoreFullError", "OutOfDiskError"):
        return (
            "Ray's object store and the disk behind it are full: give its machines more room in /dev/shm and TMPDIR, "
            f"or set GLAD_GPU_BATCH lower ({told[:120]})"
        )
    return f"{type(cause).__name__}: {told[-300:]}"
