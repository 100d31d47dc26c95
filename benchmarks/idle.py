"""What an idle `glad up` costs Dagster's database: sessions opened, statements and rows of ticks written a minute.

    .venv/bin/python -m benchmarks.idle [--warm-up 60] [--seconds 120]

`glad up` on servers of its own, with every setting's default and an empty queue. After the warm-up it is watched for so
many seconds: `pg_stat_database` counts the sessions that are opened on Dagster's database, `job_ticks` and `event_logs`
the rows that are added. The benchmark looks through a connection to another database. Prints the figures last and
writes them to `benchmarks/results/idle.json`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Any

from benchmarks import report
from benchmarks.site import Site, own_site
from glad_pipeline.database import Connection

GOAL_SESSIONS, GOAL_TICKS = 150, 6  # a minute
SESSIONS = "SELECT sessions, xact_commit + xact_rollback AS transactions FROM pg_stat_database WHERE datname = %s"
LAST_ROWS = (  # that of sequences: old ticks are deleted meanwhile
    "SELECT (SELECT last_value FROM job_ticks_id_seq) AS ticks, (SELECT last_value FROM event_logs_id_seq) AS events"
)


def counted(site: Site, statistics: Connection) -> dict[str, int]:
    """The counters now. The session that asks Dagster's tables is opened and closed here, one for each call."""
    with site.connect("DAGSTER_DATABASE_URL") as runs:
        rows = dict(runs.execute(LAST_ROWS).fetchone() or {})
        name = runs.info.dbname
    time.sleep(1)  # a session that ends has reported itself by then
    return {**dict(statistics.execute(SESSIONS, [name]).fetchone() or {}), **rows}


def watch(warm_up: float, seconds: float) -> dict[str, Any]:
    """Figures a minute of an idle `glad up`."""
    with own_site() as site, site.connect("DATABASE_URL") as statistics:
        time.sleep(warm_up)
        before = counted(site, statistics)
        time.sleep(seconds)
        after = counted(site, statistics)
    more = {name: after[name] - before[name] for name in before}
    more["sessions"] -= 1  # our own
    return {
        "seconds": seconds,
        **{f"{name}_per_minute": round(count * 60 / (seconds + 1), 1) for name, count in more.items()},
        "goal_sessions": GOAL_SESSIONS,
        "goal_ticks": GOAL_TICKS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm-up", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is ended
    figures = watch(args.warm_up, args.seconds)
    report.write("idle", figures)
    print(
        f"idle: {figures['events_per_minute']:g} events, {figures['transactions_per_minute']:g} transactions a minute"
    )
    print(
        f"idle: {figures['sessions_per_minute']:g} sessions a minute on Dagster's database (goal ≤ {GOAL_SESSIONS}), "
        f"{figures['ticks_per_minute']:g} tick rows (goal ≤ {GOAL_TICKS})"
    )


if __name__ == "__main__":
    main()
