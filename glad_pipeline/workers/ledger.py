"""What workers write down on the cluster's head, where it outlives them: that they came up, and what they draw."""

from __future__ import annotations

from typing import Any

NAMESPACE = "glad"


def _kv() -> Any:
    from ray.experimental import internal_kv  # Ray's own libraries keep their state there; ray:// carries it too

    return internal_kv


def note_up(worker: str) -> None:
    """It is there."""
    _kv()._internal_kv_put(f"up/{worker}", b"1", namespace=NAMESPACE)


def note_end(worker: str) -> None:
    """It has been told to end."""
    _kv()._internal_kv_del(f"up/{worker}", namespace=NAMESPACE)


def has_come_up(worker: str) -> bool:
    """Whether it has been there since it was last told to end."""
    return bool(_kv()._internal_kv_exists(f"up/{worker}", namespace=NAMESPACE))


def begin_drawing(job: str) -> None:
    """A worker has begun with this job."""
    _kv()._internal_kv_put(f"drawing/{job}", b"1", namespace=NAMESPACE)


def end_drawing(job: str) -> None:
    """It is done with it."""
    _kv()._internal_kv_del(f"drawing/{job}", namespace=NAMESPACE)


def is_drawing(job: str) -> bool:
    """Whether this job was begun and not ended: of a lost worker, whether it was lost over it."""
    return bool(_kv()._internal_kv_exists(f"drawing/{job}", namespace=NAMESPACE))
