"""The workers of a cluster: found, made, chosen, replaced, withdrawn. What a run does with them is `remote`."""

from __future__ import annotations

import logging
import math
import os
import random
import time
from collections.abc import Collection, Sequence
from typing import Any
from uuid import uuid4

from glad_pipeline import __version__
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers import liveness
from glad_pipeline.workers.batch_sizes import LEAST_BATCH
from glad_pipeline.workers.cluster import Cluster, import_ray, resources
from glad_pipeline.workers.members import Member, members, states_of
from glad_pipeline.workers.worker import Loaded, Worker, shape_name

LOOK = 1.0  # seconds between looks at what has not answered
CLUSTER_PATIENCE = 60.0  # seconds for which a cluster that became unreachable is waited for

log = logging.getLogger(__name__)


class Pool:
    """The workers of a cluster. Connects when first used; `close` it."""

    def __init__(self, options: EngineOptions, *, log: logging.Logger = log) -> None:
        self.cluster = Cluster(options)
        self.log = log  # for what happens to workers
        self.options = options
        self._members: dict[str, Member] = {}  # by name
        self._me = ""

    @property
    def share(self) -> tuple[float, float]:
        """GPUs and CPUs of each worker. Raises `GladError` where a GPU is asked for and this machine has none."""
        gpus = self.options.worker_gpus
        found = resources().get("GPU", 0.0)
        if gpus is None:
            asked = self.options.device
            gpus = 1.0 if found or asked == "cuda" or (asked == "auto" and not self.cluster.is_ours) else 0.0
        if gpus and not found and self.cluster.is_ours:
            raise GladError(
                f"each worker wants {gpus:g} of a GPU and Ray finds none on this machine: install the driver (does "
                "nvidia-smi work?), or draw the demo model on the CPU with GLAD_WORKER_GPUS=0 and GLAD_DEVICE=auto"
            )
        return gpus, self.options.worker_cpus

    def size(self) -> int:
        """How many workers there are to be: as set, else one a GPU, else one a machine, for one uses all its cores."""
        if self.options.workers is not None:
            return self.options.workers
        gpus, _ = self.share
        if gpus:
            return max(1, int(resources().get("GPU", 0.0) / gpus + 1e-6))
        return max(1, sum(bool(node["Alive"]) for node in import_ray().nodes()))

    def open(
        self, profile: ModelProfile, wanted: Sequence[Recipe] | None = None, *, besides: Collection[str] = ()
    ) -> list[Member]:
        """Connect, and see to it that there are workers for `wanted`; None: all of them. Those `besides` which there
        are some already, by name. Raises `GladError`."""
        self.cluster.connect()
        try:
            return self._open(profile, wanted, besides)
        except liveness.unreachable() as error:
            raise UnavailableError(f"the Ray cluster does not do what it is asked: {reason_of(error)}") from error

    def _open(self, profile: ModelProfile, wanted: Sequence[Recipe] | None, besides: Collection[str]) -> list[Member]:
        if not self._me:
            self._me = f"run {uuid4().hex}"
            liveness.note(liveness.HERE, self._me)
        names = [name for place in range(self.size()) if (name := f"worker-{place}") not in besides]
        need = len(names)
        if wanted is not None:
            need = max(not besides, math.ceil(len(wanted) / (self.options.gpu_batch or LEAST_BATCH)) - len(besides))
        if wanted is not None and 0 < need < len(names):
            random.shuffle(names)  # not every run the same ones
            names = self._fittest(names, profile, {shape_name(recipe) for recipe in wanted})
        return [self._member(name) for name in names[:need]]

    def _fittest(self, names: Sequence[str], profile: ModelProfile, shapes: set[str]) -> list[str]:
        """Those first that are up, idle, and have drawn such shapes with the model."""
        up = [member for member in members() if member.name in names]
        states = {state["worker"]: state for state in states_of(up, patience=LOOK)}
        room = self._room()
        new = [name for name in names if name not in states]

        def worth(name: str) -> tuple[float, ...]:
            if name in new:  # better than a busy one if it can be had at once
                return (1.0 if new.index(name) < room else -2.0,)
            state = states[name]
            if "error" in state:
                return (-1.0,)
            rank = 2.0 if state["idle_seconds"] is not None else 0.0
            return rank, -state["waiting"], profile.name in state["models"], len(shapes & set(state["shapes"]))

        return sorted(names, key=worth, reverse=True)

    def _room(self) -> int:
        """How many more workers would fit at this moment."""
        free = import_ray().available_resources()
        shares = zip(self.share, ("GPU", "CPU"), strict=True)
        return min((int(free.get(kind, 0.0) / share + 1e-6) for share, kind in shares if share), default=0)

    def reopen(self, profile: ModelProfile, wanted: Sequence[Recipe] | None) -> list[Member]:
        """After the cluster was unreachable: wait for it, connect anew. Raises `UnavailableError` in the end."""
        self._members, self._me = {}, ""
        self.cluster.disconnect()
        until = time.monotonic() + CLUSTER_PATIENCE
        while not self.cluster.answers():
            if time.monotonic() > until:
                raise UnavailableError(
                    f"the Ray cluster went away and did not come back in {CLUSTER_PATIENCE:.0f} s: "
                    "./glad workers up starts this machine's anew; with GLAD_BACKEND=auto runs without it draw for "
                    "themselves"
                )
            time.sleep(LOOK)
        return self.open(profile, wanted)

    def _member(self, name: str) -> Member:
        if name not in self._members:
            self._members[name] = Member(name=name, handle=self._handle(name))
        return self._members[name]

    def revive(self, member: Member) -> None:
        """A worker that ended for good is made anew, under its name."""
        member.handle = self._handle(member.name)
        member.died = False

    def replace(self, member: Member) -> None:
        """End a worker that does not answer; Ray starts it anew."""
        import_ray().kill(member.handle, no_restart=False)

    def withdraw(self, member: Member) -> None:
        """A worker that never came up is not asked for any more: a cluster that grows by demand need not find room."""
        if not liveness.noted(liveness.HERE, member.name):
            import_ray().kill(member.handle, no_restart=True)
            self._members.pop(member.name, None)

    def why_none(self) -> str:
        """What to tell when no worker came up in time."""
        gpus, cpus = self.share
        has = resources()
        return (
            f"no worker came up in {self.options.worker_start_seconds:.0f} s (GLAD_WORKER_START_SECONDS): each wants "
            f"{gpus:g} GPUs and {cpus:g} CPUs, and the cluster has {has.get('GPU', 0):g} and {has.get('CPU', 0):g} "
            "in all. ./glad workers status shows who has them"
        )

    def problem_of(self, loaded: Loaded, *, keeps: bool) -> str | None:
        """Why a worker cannot draw for us; `keeps`: it is to stay for as long, and with as many models, too."""
        if getattr(loaded, "version", None) != __version__:  # it has outlived an update; earlier ones did not tell
            return f"it was started by another version than this one, {__version__}"
        ours, own = self.options, loaded.options
        if own.drawing != ours.drawing or (keeps and own.keeping != ours.keeping):
            return "it was started with other settings than now"
        return None

    def close(self) -> None:
        """Leave the cluster; its workers stay warm."""
        if self._me:
            with liveness.unless_unreachable():
                liveness.erase(liveness.HERE, self._me)
        self._members, self._me = {}, ""
        self.cluster.disconnect()

    def knows_us(self) -> bool:
        """Whether the cluster is there, and is the one that we have connected to, not started anew meanwhile."""
        with liveness.unless_unreachable():
            return self.cluster.answers() and liveness.noted(liveness.HERE, self._me)
        return False

    def _handle(self, name: str) -> Any:
        """The actor of that name; it is made if there is none."""
        gpus, cpus = self.share
        ray = import_ray()
        for look in (Worker.state, Worker.expect, Worker.forget, Worker.batch_of):
            ray.method(concurrency_group="looks")(look)
        actor = ray.remote(max_restarts=-1, num_gpus=gpus, num_cpus=cpus, concurrency_groups={"looks": 1})(Worker)
        actor = actor.options(name=name, lifetime="detached", get_if_exists=True, scheduling_strategy="SPREAD")
        options = self.options
        if options.ray_address or options.ray_exposed:  # on other machines files lie elsewhere: they decide where
            options = options.model_copy(update={"compile_cache": None, "hash_cache": None})
        return actor.remote(options, threads=os.environ.get("OMP_NUM_THREADS"))


def reason_of(error: Any) -> str:
    """What a worker raised: our own message, or the kind and last line of somebody else's."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, GladError):
        return str(cause)
    lines = [" ".join(line.split()) for line in str(cause).splitlines() if line.strip()]
    text = lines[-1].partition(" Some common causes include")[0] if lines else ""  # Ray's come with whole traces
    if "No module named 'glad_pipeline" in text:
        return f"{text}: install this very version of glad_pipeline on every machine of the cluster"
    if type(cause).__name__ in ("ObjectStoreFullError", "OutOfDiskError"):
        return (
            "Ray's object store and the disk behind it are full: give its machines more room in /dev/shm and TMPDIR, "
            f"or set GLAD_GPU_BATCH lower ({text[:120]})"
        )
    return f"{type(cause).__name__}: {text[:300]}"
