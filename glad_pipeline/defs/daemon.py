"""Dagster's own daemon, with all its options, as `glad up` runs it: it costs less while nothing happens.

Left to themselves daemon and webserver ask the code server every second whether it is the one they know, each time by
a new connection. They need its answer only where it was started again. The daemon then reads all its definitions again;
left to itself it does so every minute besides.
"""

from dagster._daemon import cli, controller
from dagster._grpc import server_watcher

WATCH_INTERVAL = 5.0  # seconds
RELOAD_INTERVAL = 180.0  # seconds; less than the 300 after which the daemon ends where it cannot read them


def watch_less_often() -> None:
    """In this process."""
    server_watcher.WATCH_INTERVAL = WATCH_INTERVAL  # type: ignore[assignment]


def reload_less_often() -> None:
    """In this process."""
    controller.RELOAD_WORKSPACE_INTERVAL = RELOAD_INTERVAL  # type: ignore[assignment]


if __name__ == "__main__":
    watch_less_often()
    reload_less_often()
    cli.main()
