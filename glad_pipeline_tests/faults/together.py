"""Two runs, two daemons and a CLI call at the same moment, on the same prompts.

    python -m glad_pipeline_tests.faults.together --prompts 1000

What two machines with a `glad up` each do that share a database and a bucket, while a person runs the job by hand on
both and another starts it from a terminal. The daemons are Dagster's own, each with a database and a state directory
of its own.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from glad_pipeline.database import connect
from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.display import tail
from glad_pipeline.local.processes import end_session, spawn
from glad_pipeline.local.stack import project_root
from glad_pipeline_tests.faults.cells import database_on, databases
from glad_pipeline_tests.faults.invariants import Findings
from glad_pipeline_tests.faults.kills import add_hills
from glad_pipeline_tests.faults.processes import Child, call, eventually
from glad_pipeline_tests.faults.stores import buckets
from glad_pipeline_tests.faults.world import DRAW_LOG, emptied, examined, run_once, work_to_be_done
from glad_pipeline_tests.own import forget_the_persons, own_settings, require_no_env_file

LOCATION = ["-m", "glad_pipeline_tests.faults.location"]
MACHINES = 2


class Machine:
    """One of the machines: Dagster's state, a daemon, and the environment of whatever else runs there."""

    def __init__(self, name: str, shared: Mapping[str, str], folder: Path) -> None:
        self.folder = folder / name
        (self.folder / "dagster").mkdir(parents=True)
        shutil.copy(project_root() / "dagster.yaml", self.folder / "dagster")
        parts = conninfo_to_dict(shared["DATABASE_URL"])
        self.dagster = f"{parts['dbname']}_{name}"
        self._url = shared["DATABASE_URL"]
        with connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.dagster)))
        self.environment = {
            **shared,
            "GLAD_HOME": str(self.folder / "home"),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "DAGSTER_PG_HOST": str(parts["host"]),
            "DAGSTER_PG_PORT": str(parts["port"]),
            "DAGSTER_PG_USER": str(parts["user"]),
            "DAGSTER_PG_PASSWORD": str(parts["password"]),
            "DAGSTER_PG_DB": self.dagster,
        }

    def start(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        """One of Dagster's programs."""
        return spawn(
            [sys.executable, "-m", *words, *LOCATION],
            log=self.folder / f"{name}.log",
            cwd=project_root(),
            env=self.environment,
            die_with_us=signal.SIGTERM,
        )

    def count(self, table: str) -> int:
        """Rows of a table of its Dagster."""
        with connect(database_on(self._url, self.dagster)) as connection:
            found = connection.execute("SELECT to_regclass(%s) IS NOT NULL AS there", [table]).fetchone()
            if not found or not found["there"]:
                return 0
            row = connection.execute(sql.SQL("SELECT count(*) AS n FROM {}").format(sql.Identifier(table))).fetchone()
        return int(row["n"]) if row else 0

    @contextmanager
    def daemon(self) -> Iterator[None]:
        process = self.start("daemon", ["dagster._daemon", "run"])
        try:
            yield
        finally:
            end_session(process, signal.SIGTERM, seconds=10)
            with connect(self._url, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.dagster)))


def together(stack: Mapping[str, str], folder: Path, *, prompts: int) -> tuple[Findings, list[int]]:
    """Run them all: what was found afterwards, and how many runs each daemon has asked for."""
    with ExitStack() as resources:
        [variables] = resources.enter_context(buckets(stack, 1))
        [url] = resources.enter_context(databases(stack["DATABASE_URL"], 1))
        inherited = {name: value for name, value in stack.items() if not name.startswith(("GLAD_", "DAGSTER_"))}
        shared = {
            **inherited,
            **variables,
            "DATABASE_URL": url,
            DRAW_LOG: str(folder / "draws"),
            "GLAD_BATCH_SIZE": str(prompts // 5),  # so that everybody gets a share
            "PYTHONPATH": str(project_root()),
        }
        machines = [Machine(f"m{number}", shared, folder) for number in range(MACHINES)]
        for machine in machines:
            resources.enter_context(machine.daemon())
        for machine in machines:
            log = machine.folder / "daemon.log"
            eventually(
                lambda m=machine: m.count("job_ticks"), 120, every=0.5, what=f"a tick of the sensor:\n{tail(log)}\nThis"
            )
        call(add_hills, prompts, environment=shared, log=folder / "log")
        runs = [
            Child(run_once, {"seconds_each": 0.01}, environment=machine.environment, log=machine.folder / "run.log")
            for machine in machines
        ]
        command = machines[0].start("cli", ["dagster", "job", "execute", "-j", JOB_NAME])
        assert [run.wait(300).result for run in runs] == [None] * MACHINES
        assert command.wait(300) == 0, tail(machines[0].folder / "cli.log")
        eventually(lambda: not work_to_be_done(url), 300, every=0.5, what="the end of the work")
        findings: Findings = call(examined, environment=shared, log=folder / "log")
        asked = [machine.count("runs") for machine in machines]
        call(emptied, environment=shared, log=folder / "log")
    return findings, asked


def main() -> None:
    from glad_pipeline.local import stack

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1_000)
    args = parser.parse_args()
    forget_the_persons()
    require_no_env_file()
    with tempfile.TemporaryDirectory(prefix="glad-together-") as folder:
        settings = own_settings(Path(folder) / "stack")
        try:
            environment = stack.ensure(settings, foreground=True)
            findings, asked = together(environment, Path(folder), prompts=args.prompts)
        finally:
            stack.stop(settings)
    for fault in findings.broken[:20]:
        print(f"BROKEN: {fault}")
    print(f"runs asked for by each daemon, and by hand on the first: {asked}")
    print(f"{args.prompts} prompts: {findings.published} published, {findings.drawn} drawn; {findings}")
    sys.exit(bool(findings.broken or findings.redrawn or findings.published != args.prompts))


if __name__ == "__main__":
    main()
