"""The job on workers: the same posts, without torch in the run, whatever dies under it; and the same pixels as here."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading

import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra `ray` is not installed: warm workers are left out", allow_module_level=True)

from hypothesis import HealthCheck, given, settings

from glad_pipeline.database.migrations import migrate
from glad_pipeline.generation.engine import Engine
from glad_pipeline.local.processes import session_members
from glad_pipeline.local.stack import project_root
from glad_pipeline.workers.cluster import Cluster
from glad_pipeline.workers.options import ENGINE
from glad_pipeline.workers.pool import RemoteEngine
from glad_pipeline_tests.engines import WorkersSdxl
from glad_pipeline_tests.faults.processes import eventually
from glad_pipeline_tests.faults.world import DRAW_LOG, World
from glad_pipeline_tests.integration.test_same_pixels import recipes as any_recipes
from glad_pipeline_tests.workers.conftest import DEMO, end_workers, settings_of

BUCKET = 4
SMALL = {"GLAD_WORKERS": "4", "GLAD_WORKER_GPUS": "0", "GLAD_WORKER_CPUS": "0.1", "GLAD_WORKER_START_SECONDS": "60"}


@pytest.fixture
def environment(ray_home, database_url, s3):
    """The environment of a run on the workers of this file's Ray."""
    migrate(database_url)
    return {**s3, **SMALL, "DATABASE_URL": database_url, "GLAD_HOME": str(ray_home), DRAW_LOG: str(ray_home / "draws")}


@pytest.fixture
def world(environment, ray_home, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (ray_home / "draws").unlink(missing_ok=True)
    world = World()
    yield world
    end_workers()
    world.empty_bucket()


@pytest.fixture
def second_node(ray_home):
    """Another raylet of the same cluster, with everything it starts; its processes."""
    import ray

    cluster = Cluster(settings_of(ray_home))
    cluster.connect()
    before = len([node for node in ray.nodes() if node["Alive"]])
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={cluster.address}", "--block"]
    command += ["--node-ip-address=127.0.0.1", "--num-cpus=2", "--min-worker-port=0", "--max-worker-port=0"]
    command += ["--dashboard-agent-listen-port=0", "--disable-usage-stats"]
    node = subprocess.Popen(
        command, cwd=project_root(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    eventually(lambda: len([n for n in ray.nodes() if n["Alive"]]) > before, 60, what="the second node")
    yield lambda: session_members(node.pid)
    for process in session_members(node.pid):
        process.kill()
    node.wait()


def published(world):
    return world.sql("SELECT count(*) AS n FROM posts WHERE status = 'published'")[0]["n"]


def test_kill_9_of_a_worker_and_of_a_node_in_a_batch_of_200(world, second_node):
    from glad_pipeline.workers.commands import _members

    prompts = 200
    world.sql(
        "INSERT INTO prompts (prompt, title, seed) SELECT 'a hill for 0.4 s', 'Hill ' || n, n"
        " FROM generate_series(1, %s) n",
        prompts,
    )
    failed = []
    run = threading.Thread(target=lambda: failed.append(world.run(WorkersSdxl())))
    run.start()
    log = world.draw_log

    def drawn():
        return len(log.read_text().splitlines()) if log.exists() else 0

    import ray

    eventually(lambda: drawn() >= 40, 60, what="the first pictures")
    there = {process.pid for process in second_node()}
    pids = [ray.get(member.handle.state.remote())["pid"] for member in _members()]
    on_both = {pid in there for pid in pids}
    os.kill(next(pid for pid in pids if pid not in there), signal.SIGKILL)
    eventually(lambda: drawn() >= 80, 60, what="more pictures")
    lost = [pid for pid in pids if pid in there]
    for process in second_node():
        process.kill()
    run.join(timeout=180)
    assert failed == [None]
    assert on_both == {True, False}, "the workers were not spread over both nodes"
    findings = world.examine()
    assert not findings.broken
    assert published(world) == findings.published == prompts
    assert findings.redrawn <= BUCKET * (1 + len(lost))  # what the killed were drawing


def test_a_run_on_workers_has_no_torch_in_it(environment, ray_home):
    program = (
        "import sys\n"
        "from glad_pipeline_tests.faults.world import World\n"
        "from glad_pipeline.defs.resources import SdxlResource\n"
        "world = World()\n"
        "world.sql(\"INSERT INTO prompts (prompt, title) VALUES ('a hill', 'Hill')\")\n"
        "print(world.run(SdxlResource(model='demo', backend='ray')))\n"
        "print(world.sql('SELECT status, last_error FROM prompts'))\n"
        "print('torch' in sys.modules, 'diffusers' in sys.modules)\n"
        "world.empty_bucket()\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **environment, "GLAD_WORKERS": "1"},
            cwd=project_root(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        Cluster(settings_of(ray_home)).connect()
        end_workers()
    assert done.stdout.splitlines() == ["None", "[{'status': 'published', 'last_error': None}]", "False False"], done


def test_without_a_cluster_the_run_says_so_and_its_prompts_are_free(world, monkeypatch, tmp_path):
    world.add_hills(3)
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    told = world.run(WorkersSdxl())
    assert "no workers run on this machine: start them with ./glad workers up" in told
    rows = world.sql("SELECT status, attempts, claim_token FROM prompts")
    assert {(row["status"], row["attempts"], row["claim_token"]) for row in rows} == {("pending", 0, None)}


def test_a_model_that_workers_cannot_read_costs_no_prompt_a_try(world, monkeypatch):
    world.add_hills(3)
    sdxl = WorkersSdxl(engine="glad_pipeline_tests.engines:NotHere")
    told = world.run(sdxl)
    assert "no worker can draw: worker-" in told
    assert "/nowhere has no model_index.json" in told
    rows = world.sql("SELECT status, attempts, claim_token FROM prompts")
    assert {(row["status"], row["attempts"], row["claim_token"]) for row in rows} == {("pending", 0, None)}


@pytest.fixture(scope="module")
def here_and_there(ray_home):
    """The engine of this process, and that of real workers."""
    from glad_pipeline.workers.options import EngineOptions
    from glad_pipeline.workers.pool import Pool

    options = EngineOptions(engine=ENGINE, bucket=2, device="cpu")
    yield (
        Engine(DEMO, device="cpu", bucket=2),
        lambda: RemoteEngine(DEMO, Pool(settings_of(ray_home, GLAD_WORKERS=2), options)),
    )
    end_workers()


def pixels_by_recipe(drawn):
    return {d.recipe: d.pixels is not None and hashlib.sha256(d.pixels.tobytes()).hexdigest() for d in drawn}


def test_the_same_recipe_has_the_same_pixels_here_and_on_any_worker(here_and_there):
    here, there = here_and_there

    @given(some=any_recipes)
    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def check(some):
        group = [some, *_others(some)]
        remote = list(there().generate(group))
        assert pixels_by_recipe(remote) == pixels_by_recipe(here.generate(group))

    check()


def _others(recipe):
    """Five more of its shape: three buckets, for both workers."""
    from dataclasses import replace

    return [replace(recipe, seed=(recipe.seed + n) % 2**63) for n in range(1, 6)]
