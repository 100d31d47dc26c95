"""What is written down on the cluster's head, where it outlives a worker: who is there, and what is being drawn."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

NAMESPACE = "glad"
PATIENCE = 2.0  # seconds that the head may take; it does not answer any more once the cluster is gone


def away() -> tuple[type[BaseException], ...]:
    """What Ray raises where a worker, the head, or the whole cluster is away."""
    from ray.exceptions import RayError

    return RayError, OSError, RuntimeError  # TimeoutError and ConnectionError are of OSError


def unless_away() -> suppress:
    """For what can be done without if the head is away."""
    return suppress(*away())


def note_here(who: str) -> None:
    """A worker, or a run, is there."""
    _write(f"here/{who}")


def note_gone(who: str) -> None:
    """It has been told to end."""
    _erase(f"here/{who}")


def is_here(who: str) -> bool:
    """Whether it has come, and was not told to end since; False too in a cluster that was started anew meanwhile."""
    return _has(f"here/{who}")


def begin_drawing(job: str) -> None:
    """A worker has begun with this job."""
    _write(f"drawing/{job}")


def end_drawing(job: str) -> None:
    """It is done with it."""
    _erase(f"drawing/{job}")


def is_drawing(job: str) -> bool:
    """Whether this job was begun and not ended: of a lost worker, whether it was lost over it."""
    return _has(f"drawing/{job}")


# Ray's own libraries keep their state in the head's key-value store. Through ray:// there is no client of ours that
# could be told to be patient; there a connection that is lost is noticed at once.


def _write(key: str) -> None:
    kv, head = _store()
    if head is None:
        kv._internal_kv_put(key, b"", namespace=NAMESPACE)
    else:
        head.internal_kv_put(key.encode(), b"", True, NAMESPACE.encode(), PATIENCE)


def _erase(key: str) -> None:
    kv, head = _store()
    if head is None:
        kv._internal_kv_del(key, namespace=NAMESPACE)
    else:
        head.internal_kv_del(key.encode(), False, NAMESPACE.encode(), PATIENCE)


def _has(key: str) -> bool:
    kv, head = _store()
    if head is None:
        return bool(kv._internal_kv_exists(key, namespace=NAMESPACE))
    return bool(head.internal_kv_exists(key.encode(), NAMESPACE.encode(), PATIENCE))


def _store() -> tuple[Any, Any]:
    ray: Any = importlib.import_module("ray")
    if not ray.is_initialized():
        raise ConnectionError("not connected to a Ray cluster")
    kv: Any = importlib.import_module("ray.experimental.internal_kv")
    return kv, kv.internal_kv_get_gcs_client()
