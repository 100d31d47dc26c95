"""Beside strangers in one Dagster: is anybody's run touched, any asset swallowed, and the GPU ever used by two?

    .venv/bin/python -m benchmarks.neighbours [--training 150] [--upstream 90] [--quiet 60] [--granularity op]

`examples/dagster_project` under a real `dagster-daemon` on an instance on PostgreSQL whose pools let one work at a
time, with a second component on a database and a bucket of its own, and with neighbours: another code location whose
job holds the pool `gpu` for `--training` seconds; an asset of the project's that runs for `--upstream` seconds before
the pipeline's prompts, in one run with them; assets with two kinds of partitions, one with required configuration.
While the training runs, rows are inserted for both pipelines and the project's run is started; when all are posts, one
more row each, and then nothing for `--quiet` seconds. What happened is read from Dagster's runs and events. Prints the
figures last and writes them to `benchmarks/results/neighbours.json`; exit 1 unless each is as it should be.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import yaml

from benchmarks import job, report
from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.storage.protocol import ObjectStore

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
PIPELINES = ("blog", "second")
GRAPH = ("prompts", "generated_images", "s3_objects", "published_posts", "site_revalidations")
WORKING = {
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
}


@dataclass
class Project:
    """The project in a folder of its own, with its Dagster instance."""

    folder: Path
    environment: dict[str, str]

    def launch(self, location: str, name: str) -> None:
        """Ask for a run, as the web UI does."""
        command = ["dagster", "job", "launch", "-w", "workspace.yaml", "-l", location, "-j", name]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, timeout=120, capture_output=True)

    def add(self, pipeline: str, title: str) -> None:
        with self.queue(pipeline) as connection:
            connection.execute("INSERT INTO prompts (prompt, title) VALUES ('a bay at night', %s)", [title])

    def titles(self, pipeline: str) -> list[str]:
        with self.queue(pipeline) as connection:
            return sorted(row["title"] for row in connection.execute("SELECT title FROM posts"))

    def queue(self, pipeline: str) -> Any:
        return connect(self.environment["DATABASE_URL" if pipeline == "blog" else "SECOND_DATABASE_URL"])


def lay(folder: Path, training: float, upstream: float, granularity: str) -> Project:
    """The example project with neighbours, a second component, and an instance on PostgreSQL."""
    shutil.copytree(ROOT / "examples/dagster_project", folder, dirs_exist_ok=True)
    defs = folder / "src/magazine/defs"
    shutil.copy(ROOT / "benchmarks/neighbours_project/neighbours.py", defs)
    shutil.copy(ROOT / "benchmarks/neighbours_project/training.py", folder)
    component = yaml.safe_load((defs / "blog/defs.yaml").read_text())
    second = yaml.safe_load((defs / "blog/defs.yaml").read_text())
    prompts = {"target": "key:blog/prompts", "attributes": {"deps": ["blog/prompts_table", "slow_research"]}}
    component["post_processing"]["assets"].append(prompts)
    for each in (component, second):
        each["attributes"]["settings"] = {"GLAD_STEPS": 4}  # the pool is looked at, not the pictures
    (defs / "blog/defs.yaml").write_text(yaml.safe_dump(component))
    del second["post_processing"]
    second["attributes"] |= {"name": "second", "database": "{{ env.SECOND_DATABASE_URL }}"}
    second["attributes"]["store"]["bucket"] = "second"
    (defs / "second").mkdir()
    (defs / "second/defs.yaml").write_text(yaml.safe_dump(second))
    targets = [
        {"python_module": {"module_name": "magazine.definitions", "location_name": "magazine"}},
        {"python_file": {"relative_path": "training.py", "location_name": "training"}},
    ]
    (folder / "workspace.yaml").write_text(yaml.safe_dump({"load_from": targets}))
    home = folder / "instance"
    home.mkdir()
    instance = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    ours = {
        "storage": {"postgres": {"postgres_url": {"env": "DAGSTER_DATABASE_URL"}}},
        "sensors": instance["sensors"],
        "concurrency": {"pools": {"default_limit": 1, "granularity": granularity}},
        "run_monitoring": {"enabled": True, "poll_interval_seconds": 15},
        "telemetry": {"enabled": False},
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(ours))
    url = os.environ["DAGSTER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://", 1)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DATABASE_URL": url,
        "SECOND_DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path="/second").geturl(),
        "TRAINING_SECONDS": str(training),
        "UPSTREAM_SECONDS": str(upstream),
        "DAGSTER_GRPC_TIMEOUT_SECONDS": "600",  # busy cores: Dagster gives a run up that is not started in 60 s
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "src")]),
        "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
    }
    return Project(folder, environment)


def make_second(project: Project, store: ObjectStore) -> None:
    """A database and a bucket for the second component."""
    with connect(project.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE second")
    migrate(project.environment["SECOND_DATABASE_URL"])
    store.client.create_bucket(Bucket="second")  # type: ignore[attr-defined]


@contextmanager
def daemon(project: Project) -> Iterator[None]:
    log = project.folder / "daemon.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["dagster-daemon", "run", "-w", "workspace.yaml"],
            cwd=project.folder, env=project.environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield
        assert process.poll() is None, log.read_text()[-5_000:]
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(what: str, condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"after {seconds:.0f} s still not: {what}")
        time.sleep(1)
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def play(project: Project, instance: dg.DagsterInstance, quiet: float, patience: float) -> int:
    """What happens while the daemon runs. Returns how many runs there were when nothing was left to do."""
    rows: dict[str, list[str]] = {name: [] for name in PIPELINES}

    def add(title: str) -> None:
        for name in PIPELINES:
            project.add(name, f"{title} of {name}")
            rows[name] = sorted([*rows[name], f"{title} of {name}"])

    def published() -> bool:
        return all(len(project.titles(name)) >= len(rows[name]) for name in PIPELINES)

    def idle() -> bool:
        return all(run.status not in WORKING for run in instance.get_runs())

    def newsletters() -> int:
        return _made(instance, ["newsletter"])

    def posts() -> int:
        return _made(instance, ["blog", "published_posts"])

    def training_works() -> bool:
        return any(steps_in_pool(instance, instance.get_runs(dg.RunsFilter(job_name="training"))))

    project.launch("training", "training")
    until("the training holds the pool", training_works, 120)
    for number in (1, 2, 3):
        add(f"Row {number}")
    project.launch("magazine", "everything")
    until("the rows that came during the training are posts", published, patience)
    until("every run has ended", idle, patience)
    add("Row 4")
    until("the row that came afterwards is a post", published, patience)
    until("every run has ended, the newsletter's too", lambda: idle() and newsletters() == posts(), patience)
    runs = len(instance.get_runs())
    time.sleep(quiet)
    return runs


def steps_in_pool(
    instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]
) -> Iterator[tuple[float, float, str, str]]:
    """Begin, end, step and run of each step that has worked in the pool; the end of one that works still is 0."""
    for run in runs:
        ends = {}
        events = [e for e in instance.all_logs(run.run_id) if e.dagster_event is not None]
        for event in events:
            if event.dagster_event.event_type_value in ("STEP_SUCCESS", "STEP_FAILURE"):  # type: ignore[union-attr]
                ends[event.step_key] = event.timestamp
        for event in events:
            step = event.step_key or ""
            if event.dagster_event.event_type_value == "STEP_START" and step.endswith(("train", "generated_images")):  # type: ignore[union-attr]
                yield event.timestamp, ends.get(event.step_key, 0.0), step, run.job_name


def examined(project: Project, instance: dg.DagsterInstance, asked: Sequence[str], expected: int) -> dict[str, Any]:
    """What is to be 0 or empty, and the figures beside it. `expected`: runs at the beginning of the quiet time."""
    records = instance.get_run_records()
    runs = [record.dagster_run for record in records]
    steps = sorted(steps_in_pool(instance, runs))
    by_job: dict[str, int] = {}
    for run in runs:
        by_job[run.job_name] = by_job.get(run.job_name, 0) + 1
    ours = [run for run in runs if run.job_name.endswith("_publish_prompts")]
    made = {name: _made(instance, [name, "published_posts"]) for name in PIPELINES}
    mine = {f"{name}/{asset}" for name in PIPELINES for asset in GRAPH}
    return {
        "wrong": {
            "runs not successful": [f"{run.job_name} {run.run_id}" for run in runs if not run.is_success],
            "steps in the pool at once": [
                (a[2:], b[2:]) for a, b in itertools.pairwise(steps) if b[0] < a[1]
            ],
            "strangers' assets in our runs": sorted(
                {key for run in ours for key in _planned(instance, run) - mine}
            ),
            "partitioned assets made": [
                name for name in ("daily_figures", "by_kind") if _made(instance, [name])
            ],
            "posts missing or doubled": {
                name: project.titles(name) for name in PIPELINES
                if project.titles(name) != [f"{title} of {name}" for title in asked]
            },
            "newsletters more or fewer than publications": _made(instance, ["newsletter"]) - made["blog"],
            "runs started while there was nothing to do": len(runs) - expected,
        },
        "runs": by_job,
        "publications": made,
        "steps_in_pool": [
            {"step": step, "job": name, "seconds": round(end - begin, 1), "begin": round(begin - steps[0][0], 1)}
            for begin, end, step, name in steps
        ],
    }  # fmt: skip


def _made(instance: dg.DagsterInstance, key: Sequence[str]) -> int:
    return len(instance.fetch_materializations(dg.AssetKey(key), limit=100).records)


def _planned(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[str]:
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    keys = (each.dagster_event.asset_key for each in events if each.dagster_event)
    return {key.to_user_string() for key in keys if key}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training", type=float, default=150.0)
    parser.add_argument("--upstream", type=float, default=90.0)
    parser.add_argument("--quiet", type=float, default=60.0)
    parser.add_argument("--granularity", choices=["op", "run"], default="op", help="of the pools; op is Dagster's own")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is ended
    with job.own_world() as store, tempfile.TemporaryDirectory(prefix="glad-neighbours-") as folder:
        project = lay(Path(folder) / "magazine", args.training, args.upstream, args.granularity)
        make_second(project, store)
        os.environ |= {name: project.environment[name] for name in ("DAGSTER_HOME", "DAGSTER_DATABASE_URL")}
        with dg.DagsterInstance.get() as instance:
            with daemon(project):
                runs = play(project, instance, args.quiet, 300 + args.training + 2 * args.upstream)
            found = examined(project, instance, [f"Row {number}" for number in (1, 2, 3, 4)], runs)
    report.write("neighbours", {**vars(args), **found})
    for step in found["steps_in_pool"]:
        print(f"{step['job']} {step['step']}: from {step['begin']} s for {step['seconds']} s")
    print(f"neighbours: {found['runs']}, publications {found['publications']}")
    wrong = {name: what for name, what in found["wrong"].items() if what}
    print(f"neighbours: {wrong or 'nobody is touched, nothing swallowed, no loop, the pool never used by two'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
