"""What runs in the processes of `test_kills.py`: a run that waits at a commit point for whatever is done to it there."""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from glad_pipeline import failpoints
from glad_pipeline.database import Database
from glad_pipeline_tests.faults.invariants import Findings
from glad_pipeline_tests.faults.processes import eventually
from glad_pipeline_tests.faults.world import World, shorten_grace

DAY = 86_400.0


def run_and_wait(moments: list[tuple[str, int]], folder: str) -> str | None:
    """A run that stops at each of these (moment, which time) until the file `go <n>` is there; says so by `at <n>`.

    Moments are the commit points, and `<name>.begin`: before the transaction of that name.
    """
    passed: dict[str, int] = {}

    def action(point: str) -> None:
        passed[point] = passed.get(point, 0) + 1
        if (point, passed[point]) in moments:
            place = moments.index((point, passed[point]))
            (Path(folder) / f"at {place}").touch()
            eventually((Path(folder) / f"go {place}").exists, 60, what="the word to go on")

    def transact(database: Database, point: str, *args: Any, **kwargs: Any) -> Any:
        action(f"{point}.begin")
        return real(database, point, *args, **kwargs)

    real = Database.transact
    Database.transact = transact  # type: ignore[method-assign]
    failpoints.arm(action)
    return World().run()


def held_by_the_living() -> int:
    """Prompts that a run claims whose lease is not over."""
    [row] = World().sql("SELECT count(*) AS n FROM prompts WHERE status = 'claimed' AND lease_expires_at > now()")
    return int(row["n"])


def add_hills(count: int) -> None:
    World().add_hills(count)


def recover_and_examine() -> tuple[list[str | None], Findings]:
    shorten_grace()
    world = World()
    return world.recover(), world.examine()


def run_with_a_clock_that_jumps(seconds: float) -> str | None:
    """A run whose wall clock jumps while it draws. The monotonic clock does not: no machine's does."""
    real_time, offset = time.time, 0.0

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime.datetime:
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=offset)

    def action(point: str) -> None:
        nonlocal offset
        if point == "begin_drawing.after":
            offset = seconds

    time.time = lambda: real_time() + offset
    for name, module in list(sys.modules.items()):
        if name.startswith("glad_pipeline.") and getattr(module, "datetime", None) is datetime.datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]
    failpoints.arm(action)
    return World().run()


def run_on_a_full_disk(times: int) -> str | None:
    """A run whose database says `times` times, as on a full disk, that nothing more fits."""
    world = World()
    world.sql("CREATE SEQUENCE refusals")
    world.sql(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF nextval('refusals') <= {times} THEN RAISE EXCEPTION 'could not extend file: No space left on device'"
        " USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$"
    )
    for table in ("images", "posts"):
        world.sql(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()")
    return world.run()


def free_the_disk() -> None:
    World().sql("DROP FUNCTION full_disk CASCADE")


def lease_is_over() -> bool:
    """What so many seconds of silence come to, by the database's clock. False: somebody has locked these prompts."""
    over = "UPDATE prompts SET lease_expires_at = now() - interval '1 second' WHERE lease_expires_at IS NOT NULL"
    try:
        World().sql(f"SET lock_timeout = '2s'; {over}")
    except psycopg.errors.LockNotAvailable:
        return False
    return True
