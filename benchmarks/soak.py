"""Everything killed, again and again, while prompts keep coming: is each published once, and nothing drawn for nothing?

    python -m benchmarks.soak --minutes 20 --workers 3 --prompts 5000 [--seed 1] [--write docs/reliability.md]

Starts a PostgreSQL and an S3 server of its own in a temporary directory. `--workers` processes run the job
`publish_prompts` again and again with a GPU that draws noise; prompts come in almost to the end. Every few
seconds something breaks, drawn at random from `--seed`: a run is killed (kill -9) or stopped (SIGSTOP) for shorter or
longer than its lease, a server is killed and started again or stopped, its connections are cut, reset, refused,
half-closed, slowed down or swallowed; the queue is paused, or one of three sources is, and goes on seconds later. Of
twenty rows two are urgent, and one as urgent as can be. With `--store volume` the pictures are in a folder, which is
unmounted for seconds in place of what happens to the S3 server; with `--store supabase` they are in the tests'
Supabase, whose connections are broken. Then the workers finish without faults, and every row, object and link is held
against every other. Writes `benchmarks/results/soak.json`, prints the figures last; exit 1 unless all are 0.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import report
from benchmarks.soak_faults import LEASE, Soak
from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.testing.generator import BATCH
from glad_pipeline_tests.faults.document import write_between
from glad_pipeline_tests.faults.generators import drawn_for_nothing
from glad_pipeline_tests.faults.invariants import Findings
from glad_pipeline_tests.faults.processes import call
from glad_pipeline_tests.faults.servers import Servers
from glad_pipeline_tests.faults.stores import KIND, buckets
from glad_pipeline_tests.faults.takeovers import WHYS, takeovers, watch
from glad_pipeline_tests.faults.world import DRAW_LOG, SITE_LOG, begun, examined, work_to_be_done
from glad_pipeline_tests.own import forget_the_persons

BREAKING = 0.95  # of the time; prompts come in as long as that
KILLED, UNEXPLAINED = "its run was killed", "unexplained"
EXAMINATION = 0.2  # seconds a prompt, at most: a dozen objects are fetched and held against their rows
BURST = 5.0  # seconds between groups of new prompts
PER_MINUTE = {  # how often each fault comes
    "run killed": 3.5,
    "run stopped for a moment": 0.5,
    "run stopped beyond its lease": 0.6,
    "PostgreSQL killed": 0.65,
    "PostgreSQL stopped": 0.3,
    "PostgreSQL cut off": 1.2,
    "S3 server killed": 0.65,
    "S3 server stopped": 0.3,
    "S3 server cut off": 1.2,
    "queue paused": 0.5,
    "queue paused for a source": 0.5,
}
ELSEWHERE = {  # by the kind of store: in place of what happens to the S3 server
    "supabase": {"Supabase cut off": 2.0},
    "volume": {"volume unmounted": 2.0},
}


def schedule(chance: random.Random, minutes: float, rates: Mapping[str, float]) -> list[tuple[float, str]]:
    """When (seconds from the start) which fault comes: each kind as often as it has to, in random order."""
    faults = [fault for fault, rate in rates.items() for _ in range(max(1, round(rate * minutes)))]
    chance.shuffle(faults)
    span = minutes * 60 * BREAKING / len(faults)
    return [((place + chance.random()) * span, fault) for place, fault in enumerate(faults)]


def soak(state: Soak, *, minutes: float, prompts: int, finish_minutes: float) -> None:
    """Insert, break and tend for `minutes`, then tend until all is done, for `finish_minutes` at most."""
    start = time.monotonic()
    rates: Mapping[str, float] = PER_MINUTE
    if kind := state.environment.get(KIND):
        rates = ELSEWHERE[kind] | {fault: rate for fault, rate in PER_MINUTE.items() if "S3" not in fault}
    waiting = schedule(state.chance, minutes, rates)
    inserted = 0
    told = burst = 0.0
    while (now := time.monotonic() - start) < minutes * 60 or waiting:
        state.tend()
        wanted = min(prompts, round(prompts * (now + BURST) / (minutes * 60 * BREAKING)))
        if wanted > inserted and now >= burst and state.insert(inserted, wanted):
            inserted, burst = wanted, now + BURST
        if waiting and waiting[0][0] <= now and (state.strike(waiting[0][1]) or now > minutes * 60):
            waiting.pop(0)  # without a run to break it waits for one, as long as there is work
        if now - told >= 30:
            told = now
            tell(state, now, inserted)
        time.sleep(0.1)
    state.undo_all()
    while not state.insert(inserted, prompts):
        time.sleep(0.5)
    state.resume_all()
    until = time.monotonic() + finish_minutes * 60
    while time.monotonic() < until:
        state.tend()
        with suppress(psycopg.Error):
            if not state.running and not work_to_be_done(state.servers.direct["DATABASE_URL"]):
                break
        time.sleep(0.2)
    for child in state.running:
        child.kill()


def tell(state: Soak, now: float, inserted: int) -> None:
    counts: Mapping[str, Any] = {}
    with suppress(psycopg.Error), connect(state.servers.direct["DATABASE_URL"]) as connection:
        counts = {
            row["status"]: row["n"]
            for row in connection.execute("SELECT status, count(*) AS n FROM prompts GROUP BY 1 ORDER BY 1")
        }
    print(f"{now:6.0f} s  {inserted} prompts {counts}  {state.started} runs  {dict(state.done)}", flush=True)


def left_in_spool(spool: Path) -> int:
    """Pictures that a run was killed over after the store had them: the next run would remove them."""
    return sum(1 for file in spool.rglob("*") if file.is_file())


def as_table(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    flat = {name: value for name, value in figures.items() if name != "done"} | figures["done"]
    return "\n".join(["| figure | |", "|---|---:|", *(f"| {name} | {value:,} |" for name, value in flat.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds-each", type=float, default=0.05, help="how long the GPU takes for a picture")
    parser.add_argument("--finish-minutes", type=float, default=5, help="how long the work may go on after the faults")
    parser.add_argument("--store", choices=("s3", *ELSEWHERE), default="s3", help="what keeps the pictures")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="put the figures into docs/reliability.md")
    parser.add_argument("--keep", action="store_true", help="keep the directory of logs and data")
    args = parser.parse_args()
    forget_the_persons()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10_000)
    folder = Path(tempfile.mkdtemp(prefix="glad-soak-"))
    print(f"seed {seed}, in {folder}", flush=True)
    (folder / "logs").mkdir()
    with ExitStack() as resources:
        if not args.keep:
            resources.callback(shutil.rmtree, folder, ignore_errors=True)
        servers = resources.enter_context(Servers(folder / "home"))
        migrate(servers.direct["DATABASE_URL"])
        with connect(servers.direct["DATABASE_URL"], autocommit=True) as connection:
            watch(connection)
        own = {
            DRAW_LOG: str(folder / "draws"),
            SITE_LOG: str(folder / "told"),
            "GLAD_HOME": str(folder / "home"),
            "GLAD_LEASE_SECONDS": str(LEASE),
            "GLAD_BATCH_SIZE": "64",
            "GLAD_RUN_SECONDS": "20",
            "GLAD_DATABASE_PATIENCE_SECONDS": "20",
            "GLAD_STORE_PATIENCE_SECONDS": "20",
        }
        store = resources.enter_context(buckets({KIND: args.store}, 1))[0] if args.store in ELSEWHERE else {}
        direct = {**servers.direct, **own, **store}
        if store:
            call(begun, environment=direct, log=folder / "logs" / "begin.log")
        state = Soak(
            servers=servers,
            environment={**servers.through_proxies(direct), **servers.behind_proxy(store)},
            volume=Path(store["GLAD_VOLUME"]) if "GLAD_VOLUME" in store else None,
            folder=folder,
            workers=args.workers,
            seconds_each=args.seconds_each,
            chance=random.Random(seed),  # noqa: S311  faults, no secrets
        )
        began = time.monotonic()
        soak(state, minutes=args.minutes, prompts=args.prompts, finish_minutes=args.finish_minutes)
        findings: Findings = call(
            examined,
            environment=direct,
            log=folder / "logs" / "examination.log",
            timeout=120 + EXAMINATION * args.prompts,
        )
        with connect(servers.direct["DATABASE_URL"]) as connection:
            [row] = connection.execute("SELECT count(*) AS n FROM prompts")
            taken = takeovers(connection)
        missing = args.prompts - row["n"]
        ended = taken | dict.fromkeys(state.killed, KILLED)
        why = {pid: ended[run_id] for pid, run_id in state.run_ids.items() if run_id in ended}
        wasted = drawn_for_nothing(folder / "draws", why)
        spooled = left_in_spool(folder / "home" / "spool")
    causes = Counter({f"redrawn, {cause}": 0 for cause in (KILLED, *WHYS, UNEXPLAINED)})
    for pid, count in wasted.items():
        causes[f"redrawn, {why.get(pid, UNEXPLAINED)}"] += count
        print(f"run {state.run_ids[pid]}, process {pid}: drew {count} for nothing; {why.get(pid, UNEXPLAINED)}")
    beyond = sum(max(0, count - (BATCH if pid in why else 0)) for pid, count in wasted.items())
    figures = {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "workers": args.workers,
        "prompts": args.prompts,
        "seed": seed,
        "seconds_each": args.seconds_each,
        "runs": state.started,
        "done": dict(sorted(state.done.items())),
        "published": findings.published,
        "pictures left in the spool": spooled,
        "lost": len(findings.lost) + missing,
        "duplicated": len(findings.duplicated),
        "dead links": len(findings.dead_links),
        "orphans": len(findings.orphans),
        "untold": len(findings.untold),
        "found by glad audit": len(findings.audited),
        "redrawn": findings.redrawn,
        **causes,
        "runs that lost their prompts to another": len(taken.keys() - state.killed),
        "redrawn beyond a bucket per death or lost lease": beyond,
    }
    for reason, count in state.failures.most_common(12):
        print(f"{count:4} × {reason}")
    for fault in findings.broken[:20]:
        print(f"BROKEN: {fault}")
    report.write("soak", figures)
    if args.write:
        write_between(args.write, "soak", "python -m benchmarks.soak", as_table(figures))
    for name, value in figures.items():
        print(f"{name}: {value}")
    zeros = (
        "lost",
        "duplicated",
        "dead links",
        "orphans",
        "untold",
        "found by glad audit",
        "redrawn beyond a bucket per death or lost lease",
    )
    sys.exit(any(figures[name] for name in zeros))


if __name__ == "__main__":
    main()
