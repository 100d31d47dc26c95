"""What is written down on the cluster's head, where it outlives a worker: who is there, and what is being drawn."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

NAMESPACE = "glad"
HERE, DRAWING = "here", "drawing"  # kinds of notes
PATIENCE = 2.0  # seconds that the head may take; it does not answer any more once the cluster is gone


def unreachable() -> tuple[type[BaseException], ...]:
    """What Ray raises where a worker, the head, or the whole cluster is unreachable."""
    from ray.exceptions import RayError

    return RayError, OSError, RuntimeError  # TimeoutError and ConnectionError are of OSError


def unless_unreachable() -> suppress:
    """For what can be done without if the head is unreachable."""
    return suppress(*unreachable())


# Ray's own libraries keep their state in the head's key-value store. Through ray:// there is no client of ours that
# could be set to be patient; there a connection that is lost is noticed at once.


def note(kind: str, name: str) -> None:
    """That a worker or a run is HERE, or that a worker has begun DRAWING a job."""
    kv, head = _store()
    if head is None:
        kv._internal_kv_put(f"{kind}/{name}", b"", namespace=NAMESPACE)
    else:
        head.internal_kv_put(f"{kind}/{name}".encode(), b"", True, NAMESPACE.encode(), PATIENCE)


def erase(kind: str, name: str) -> None:
    """That it has been asked to end, or is done with the job."""
    kv, head = _store()
    if head is None:
        kv._internal_kv_del(f"{kind}/{name}", namespace=NAMESPACE)
    else:
        head.internal_kv_del(f"{kind}/{name}".encode(), False, NAMESPACE.encode(), PATIENCE)


def noted(kind: str, name: str) -> bool:
    """Whether it was noted, and not erased since; False too in a cluster that was started anew meanwhile."""
    kv, head = _store()
    if head is None:
        return bool(kv._internal_kv_exists(f"{kind}/{name}", namespace=NAMESPACE))
    return bool(head.internal_kv_exists(f"{kind}/{name}".encode(), NAMESPACE.encode(), PATIENCE))


def _store() -> tuple[Any, Any]:
    ray: Any = importlib.import_module("ray")
    if not ray.is_initialized():
        raise ConnectionError("not connected to a Ray cluster")
    kv: Any = importlib.import_module("ray.experimental.internal_kv")
    return kv, kv.internal_kv_get_gcs_client()
