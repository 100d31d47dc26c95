"""Dagster's own code server, with all its options, as `glad up` runs it: it costs less while nothing happens.

gRPC lets its main thread look ten times a second whether it was told to end, for Pythons in which a thread that waits
hears no signal. Ours hears it at once.
"""

from dagster import _cli
from grpc import _common

LOOKS_EVERY = 5.0  # seconds


def look_less_often() -> None:
    """In this process."""
    _common.MAXIMUM_WAIT_TIMEOUT = LOOKS_EVERY


if __name__ == "__main__":
    look_less_often()
    _cli.main()  # type: ignore[no-untyped-call]
