"""What `benchmarks.soak` does to runs, servers and queue while prompts keep coming, and how it is undone."""

from __future__ import annotations

import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from glad_pipeline.database import Database, DatabaseError
from glad_pipeline.prompts.pauses import ALL
from glad_pipeline.prompts.sources import pause, resume
from glad_pipeline_tests.faults.processes import Child, eventually
from glad_pipeline_tests.faults.proxy import Proxy
from glad_pipeline_tests.faults.servers import Servers
from glad_pipeline_tests.faults.world import run_once, work_to_be_done

LEASE = 5  # seconds
SOURCES = ("desk", "import", "api")
PRIORITIES = [0] * 17 + [5, 5, 2**31 - 1]  # of twenty rows


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
                "INSERT INTO prompts (prompt, title, seed, task_id, source, priority)"
                " SELECT 'a hill', 'Hill ' || n, n, 'soak-' || n, (%s::text[])[1 + n %% 3], (%s::int[])[1 + n %% 20]"
                " FROM generate_series(%s::int, %s::int) n ON CONFLICT DO NOTHING",
                [list(SOURCES), PRIORITIES, first, last - 1],
            )
            return True
        return False

    def strike(self, fault: str) -> bool:
        """Break something. False if there was nothing to break just now."""
        if fault.startswith(("run", "queue")) and not self.running:
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
            "Supabase cut off": lambda: self._cut_off(self.servers.store),
            "volume unmounted": self._unmount,
            "queue paused": lambda: self._pause(ALL),
            "queue paused for a source": lambda: self._pause(self.chance.choice(SOURCES)),
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

    def _pause(self, source: str) -> None:
        """Nothing further is begun, of one source or of all; a while later it goes on, whatever died meanwhile."""
        with suppress(psycopg.Error, DatabaseError), self._database() as database:
            pause(database, source, reason="soak")
        self._after(self.chance.uniform(1, 10), lambda: self._resume(source))

    def _resume(self, source: str) -> None:
        try:
            with self._database() as database:
                resume(database, source)
        except (psycopg.Error, DatabaseError):  # it is away: later
            self._after(1, lambda: self._resume(source))

    def resume_all(self) -> None:
        with self._database() as database:
            for source in (ALL, *SOURCES):
                resume(database, source)

    def _database(self) -> closing[Database]:
        return closing(Database(self.servers.direct["DATABASE_URL"], application_name="soak", patience=0))

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
