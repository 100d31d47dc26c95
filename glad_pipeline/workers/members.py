"""The workers that there are on a cluster: who they are, what each tells of itself, and their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glad_pipeline.workers import liveness
from glad_pipeline.workers.cluster import import_ray

if TYPE_CHECKING:
    from glad_pipeline.workers.pool import Member

ANSWER = 10.0  # seconds that a worker may take to tell of itself


def end_workers() -> int:
    """End every worker there is, for good. Returns how many."""
    all_there_are = members()
    for member in all_there_are:
        liveness.note_gone(member.name)
        import_ray().kill(member.handle, no_restart=True)
    return len(all_there_are)


def members() -> list[Member]:
    """The workers that there are now."""
    from glad_pipeline.workers.pool import Member

    ray = import_ray()
    names = [name for name in ray.util.list_named_actors() if name.startswith("worker-")]
    found = []
    for name in sorted(names, key=lambda name: int(name.removeprefix("worker-"))):
        try:
            found.append(Member(name=name, handle=ray.get_actor(name)))
        except ValueError:  # it has ended meanwhile
            continue
    return found


def states_of(some: list[Member]) -> list[Mapping[str, Any]]:
    """What each worker tells of itself; `error` for one that does not."""
    ray = import_ray()
    asked = [(member, member.handle.state.remote()) for member in some]
    ray.wait([reference for _, reference in asked], num_returns=len(asked), timeout=ANSWER) if asked else None
    states: list[Mapping[str, Any]] = []
    for member, reference in asked:
        try:
            states.append({"worker": member.name, **ray.get(reference, timeout=0)})
        except ray.exceptions.RayError as error:
            told = "is gone, or is being started anew"
            if isinstance(error, ray.exceptions.GetTimeoutError):
                told = f"has not answered for {ANSWER:.0f} s: the next run replaces it if it stays silent"
                if not liveness.is_here(member.name):
                    told = "has not come up: it waits for a free GPU or CPU, or is being started"
            states.append({"worker": member.name, "error": told})
    return states
