"""Everything killed, again and again, while prompts keep coming: is each published once, and nothing drawn for nothing?

    python -m benchmarks.soak --minutes 20 --workers 3 --prompts 5000 [--seed 1] [--write docs/reliability.md]

Starts a PostgreSQL and an S3 server of its own in a temporary directory. `--workers` processes run the job
`publish_prompts` again and again with a GPU that draws noise; prompts come in almost to the end. Every few
seconds something breaks, drawn at random from `--seed`: a run is killed (kill -9) or stopped (SIGSTOP) for shorter or
longer than its lease, a server is killed and started again or stopped, its connections are cut, reset, refused,
half-closed, slowed down or swallowed; with `--store volume` the pictures are in a folder, which is unmounted for
seconds in place of what happens to the S3 server. Then the workers finish without faults, and every row, object and
link is held against every other. Writes `benchmarks/results/soak.json`, prints the figures last; exit 1 unless all
are 0.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import report
from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.testing.generator import BATCH
from glad_pipeline_tests.faults.document import write_between
from glad_pipeline_tests.faults.generators import drawn_for_nothing
from glad_pipeline_tests.faults.invariants import Findings
from glad_pipeline_tests.faults.processes import Child, call, eventually
from glad_pipeline_tests.faults.proxy import Proxy
from glad_pipeline_tests.faults.servers import Servers
from glad_pipeline_tests.faults.stores import shown_volume
from glad_pipeline_tests.faults.takeovers import WHYS, takeovers, watch
from glad_pipeline_tests.faults.world import DRAW_LOG, SITE_LOG, begun, examined, run_once, work_to_be_done
from glad_pipeline_tests.own import forget_the_persons

LEASE = 5  # seconds
BREAKING = 0.95  # of the time; prompts come in as long as that
KILLED, UNEXPLAINED = "its run was killed", "unexplained"
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
}
UNMOUNTED = {"volume unmounted": 2.0}  # in place of what happens to the S3 server


@dataclass
class Soak:
    """The state of one soak: its servers, its workers and what was done to them."""

    servers: Servers
    environment: dict[str, str]
    folder: Path
    workers: int
    seconds_each: float
    chance: random.Random
    running: list[Child] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    run_ids: dict[int, str] = field(default_factory=dict)  # of each process
    killed: set[str] = field(default_factory=set)  # runs
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)  # when what has to be undone
    started: int = 0
    volume: Path | None = None  # where the pictures are, if they are in a folder

    def tend(self) -> None:
        """Bury runs that ended, start others while there is work, and undo faults whose time is over."""
        now = time.monotonic()
        for due in [entry for entry in self.later if entry[0] <= now]:
            self.later.remove(due)
            due[1]()
        for child in [child for child in self.running if not child.running]:
            self.running.remove(child)
            pid, ended = child.pid, child.wait()
            self.note(f"run {pid} ended: {ended.exitcode} {ended.result or ''}")
            self.done["runs that failed"] += bool(ended.result)
            self.done["runs that finished"] += ended.exitcode == 0 and ended.result is None
            if ended.exitcode not in (0, -signal.SIGKILL):
                self.failures[f"exit {ended.exitcode}: {ended.log[-300:]}"] += 1
            if ended.result:
                self.failures[ended.result[:160]] += 1
        if len(self.running) < self.workers and self._work():
            self.started += 1
            log = self.folder / "logs" / f"{self.started}.log"
            run_id = str(uuid.uuid4())
            child = Child(run_once, {"seconds_each": self.seconds_each}, run_id, environment=self.environment, log=log)
            self.running.append(child)
            self.run_ids[child.pid] = run_id

    def note(self, event: str) -> None:
        """Into the file of events, for whoever has to find out what happened."""
        with (self.folder / "events").open("a") as file:
            file.write(f"{time.time():.2f} {event}\n")

    def _work(self) -> bool:
        """As the sensor would look; where there is no answer, a run finds out what that means for it."""
        try:
            return work_to_be_done(self.servers.direct["DATABASE_URL"])
        except (psycopg.Error, OSError):
            return self.chance.random() < 0.1

    def insert(self, first: int, last: int) -> bool:
        """Prompts `first` to `last - 1`, each once however often this is asked; False if the database is away."""
        with suppress(psycopg.Error), psycopg.connect(self.servers.direct["DATABASE_URL"], connect_timeout=2) as c:
            c.execute("SET statement_timeout = '2s'")
            c.execute(
                "INSERT INTO prompts (prompt, title, seed, task_id) SELECT 'a hill', 'Hill ' || n, n, 'soak-' || n"
                " FROM generate_series(%s::int, %s::int) n ON CONFLICT DO NOTHING",
                [first, last - 1],
            )
            return True
        return False

    def strike(self, fault: str) -> bool:
        """Break something. False if there was nothing to break just now."""
        if fault.startswith("run") and not self.running:
            return False
        self.note(fault)
        {
            "run killed": self._kill_run,
            "run stopped for a moment": lambda: self._stop_run(LEASE * 0.4),
            "run stopped beyond its lease": lambda: self._stop_run(LEASE * 2.0),
            "PostgreSQL killed": self._kill_postgres,
            "PostgreSQL stopped": lambda: self._stop_server(self.servers.signal_postgres),
            "PostgreSQL cut off": lambda: self._cut_off(self.servers.database),
            "S3 server killed": self._kill_store,
            "S3 server stopped": lambda: self._stop_server(self.servers.signal_store),
            "S3 server cut off": lambda: self._cut_off(self.servers.store),
            "volume unmounted": self._unmount,
        }[fault]()
        self.done[fault] += 1
        return True

    def _kill_run(self) -> None:
        victim = self.chance.choice(self.running)
        self.note(f"kill -9 {victim.pid}")
        self.killed.add(self.run_ids[victim.pid])
        victim.kill()

    def _stop_run(self, seconds: float) -> None:
        victim = self.chance.choice(self.running)
        self.note(f"SIGSTOP {victim.pid} for {seconds} s")
        victim.kill(signal.SIGSTOP)
        self._after(seconds, lambda: victim.kill(signal.SIGCONT) if victim in self.running else None)

    def _kill_postgres(self) -> None:
        self.servers.signal_postgres(signal.SIGKILL)
        time.sleep(self.chance.uniform(0, 2))
        self.servers.start_postgres()

    def _kill_store(self) -> None:
        self.servers.signal_store(signal.SIGKILL)
        time.sleep(self.chance.uniform(0, 2))
        self.servers.start_store()

    def _unmount(self) -> None:
        """An empty mount point is left, into which nothing may be written."""
        assert self.volume is not None
        away = self.volume.with_name(f"{self.volume.name}.away")
        self.volume.rename(away)
        self.volume.mkdir()
        time.sleep(self.chance.uniform(0.5, 4))
        eventually(lambda: not any(self.volume.iterdir()), what="an empty mount point")  # a trial is over in no time
        self.volume.rmdir()
        away.rename(self.volume)

    def _stop_server(self, send: Callable[[signal.Signals], None]) -> None:
        send(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.5, 3))
        send(signal.SIGCONT)

    def _cut_off(self, proxy: Proxy) -> None:
        chance = self.chance
        kind, break_it = chance.choice(
            [
                ("cut", proxy.cut),
                ("reset", proxy.reset),
                ("reset at a byte", lambda: proxy.reset_after(chance.randint(1, 5_000))),
                ("refused", proxy.refuse),
                ("half-closed", proxy.half_close),
                ("swallowed", proxy.black_hole),
                ("slow", lambda: proxy.slow(delay=chance.uniform(0.01, 0.3), rate=chance.uniform(5_000, 200_000))),
            ]
        )
        break_it()
        self.note(f"connections {kind}")
        self.done[f"connections {kind}"] += 1
        self._after(chance.uniform(0.5, 5), proxy.heal)

    def _after(self, seconds: float, undo: Callable[[], object]) -> None:
        self.later.append((time.monotonic() + seconds, undo))

    def undo_all(self) -> None:
        for _, undo in self.later:
            undo()
        self.later.clear()


def schedule(chance: random.Random, minutes: float, rates: Mapping[str, float]) -> list[tuple[float, str]]:
    """When (seconds from the start) which fault comes: each kind as often as it has to, in random order."""
    faults = [fault for fault, rate in rates.items() for _ in range(max(1, round(rate * minutes)))]
    chance.shuffle(faults)
    span = minutes * 60 * BREAKING / len(faults)
    return [((place + chance.random()) * span, fault) for place, fault in enumerate(faults)]


def soak(state: Soak, *, minutes: float, prompts: int, finish_minutes: float) -> None:
    """Insert, break and tend for `minutes`, then tend until all is done, for `finish_minutes` at most."""
    start = time.monotonic()
    rates = PER_MINUTE if state.volume is None else UNMOUNTED | {k: v for k, v in PER_MINUTE.items() if "S3" not in k}
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
    parser.add_argument("--store", choices=("s3", "volume"), default="s3", help="what keeps the pictures")
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
            "GLAD_DATABASE_PATIENCE_SECONDS": "20",
            "GLAD_STORE_PATIENCE_SECONDS": "20",
        }
        volume = resources.enter_context(shown_volume()) if args.store == "volume" else {}
        direct = {**servers.direct, **own, **volume}
        if volume:
            call(begun, environment=direct, log=folder / "logs" / "begin.log")
        state = Soak(
            servers=servers,
            environment={**servers.through_proxies(direct), **volume},
            volume=Path(volume["GLAD_VOLUME"]) if volume else None,
            folder=folder,
            workers=args.workers,
            seconds_each=args.seconds_each,
            chance=random.Random(seed),  # noqa: S311  faults, no secrets
        )
        began = time.monotonic()
        soak(state, minutes=args.minutes, prompts=args.prompts, finish_minutes=args.finish_minutes)
        findings: Findings = call(examined, environment=direct, log=folder / "logs" / "examination.log")
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
