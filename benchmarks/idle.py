"""What an idle `glad up` costs: CPU time of each program; sessions, statements and rows of ticks on Dagster's database.

    .venv/bin/python -m benchmarks.idle [--warm-up 60] [--seconds 120]

`glad up` on servers of its own, with every setting's default and an empty queue. After the warm-up it is watched for so
many seconds: of each of its processes the CPU time that it and its ended children have used (user and system), as a
share of one core; `pg_stat_database` counts the sessions that are opened on Dagster's database, `job_ticks` and
`event_logs` the rows that are added. The benchmark looks through a connection to another database. Prints the figures
last and writes them to `benchmarks/results/idle.json`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import psutil

from benchmarks import report
from benchmarks.site import Site, own_site
from glad_pipeline.database import Connection

GOAL_SESSIONS, GOAL_TICKS = 150, 6  # a minute
GOAL_CPU = 0.03  # of one core
SESSIONS = "SELECT sessions, xact_commit + xact_rollback AS transactions FROM pg_stat_database WHERE datname = %s"
LAST_ROWS = (  # that of sequences: old ticks are deleted meanwhile
    "SELECT (SELECT last_value FROM job_ticks_id_seq) AS ticks, (SELECT last_value FROM event_logs_id_seq) AS events"
)
PROGRAMS = {  # a word of the command line → what the program is called here
    "glad_pipeline.defs.daemon": "daemon",
    "glad_pipeline.defs.code_server": "code server",
    "glad_pipeline.defs.webserver": "web UI",
    "glad_pipeline.gateway": "gateway",
    "glad_pipeline.cli": "glad up",
}


def cpu_seconds(site: Site) -> Counter[str]:
    """What the processes of `glad up` have used until now, by program; what their children had used that ended too."""
    used: Counter[str] = Counter()
    up = psutil.Process(site.pid)
    for process in [up, *up.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used[_program(process)] += times.user + times.system + times.children_user + times.children_system
    return used


def _program(process: psutil.Process) -> str:
    words = process.cmdline()
    if process.name() in ("postgres", "weed"):
        return "PostgreSQL" if process.name() == "postgres" else "store"
    if words and words[0].startswith("next-server"):
        return "site"
    return next((name for word, name in PROGRAMS.items() if word in words), " ".join(words)[:60] or process.name())


def counted(site: Site, statistics: Connection) -> dict[str, int]:
    """The counters now. The session that asks Dagster's tables is opened and closed here, one for each call."""
    with site.connect("DAGSTER_DATABASE_URL") as runs:
        rows = dict(runs.execute(LAST_ROWS).fetchone() or {})
        name = runs.info.dbname
    time.sleep(1)  # a session that ends has reported itself by then
    return {**dict(statistics.execute(SESSIONS, [name]).fetchone() or {}), **rows}


def watch(warm_up: float, seconds: float) -> dict[str, Any]:
    """Figures of an idle `glad up`."""
    with own_site() as site, site.connect("DATABASE_URL") as statistics:
        time.sleep(warm_up)
        before, used_before, began = counted(site, statistics), cpu_seconds(site), time.monotonic()
        time.sleep(seconds)
        used, watched = cpu_seconds(site), time.monotonic() - began
        used.subtract(used_before)
        after = counted(site, statistics)
    more = {name: after[name] - before[name] for name in before}
    more["sessions"] -= 1  # our own
    assert more["ticks"], "the sensor has not looked: that costs little, but it is not idle"
    shares = {name: round(used / watched, 4) for name, used in used.most_common()}
    return {
        "seconds": seconds,
        **{f"{name}_per_minute": round(count * 60 / (seconds + 1), 1) for name, count in more.items()},
        "goal_sessions": GOAL_SESSIONS,
        "goal_ticks": GOAL_TICKS,
        "core_share": round(sum(shares.values()), 4),
        "core_shares": shares,
        "goal_core_share": GOAL_CPU,
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
    shares = ", ".join(f"{name} {share:.1%}" for name, share in figures["core_shares"].items())
    print(f"idle: {figures['core_share']:.1%} of a core (goal ≤ {GOAL_CPU:.0%}): {shares}")


if __name__ == "__main__":
    main()
