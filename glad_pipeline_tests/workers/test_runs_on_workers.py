"""The job on workers: the same posts, without torch in the run, whatever dies under it; and the same pixels as here."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra `ray` is not installed: warm workers are left out", allow_module_level=True)

from hypothesis import HealthCheck, given, settings

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import UnavailableError
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import DEMO_CHECKPOINT
from glad_pipeline.local.stack import project_root
from glad_pipeline.workers.remote import RemoteEngine
from glad_pipeline_tests.faults.world import DRAW_LOG, World
from glad_pipeline_tests.integration.test_same_pixels import recipes as any_recipes
from glad_pipeline_tests.workers.conftest import DEMO, end_workers, options_of, recipes
from glad_pipeline_tests.workers.faked import on_workers

BUCKET = 4
SMALL = {"GLAD_WORKERS": "4", "GLAD_WORKER_GPUS": "0", "GLAD_WORKER_CPUS": "0.1", "GLAD_WORKER_START_SECONDS": "60"}


@pytest.fixture
def environment(ray_home, migrated_url, s3):
    """The environment of a run on the workers of this file's Ray."""
    return {**s3, **SMALL, "DATABASE_URL": migrated_url, "GLAD_HOME": str(ray_home), DRAW_LOG: str(ray_home / "draws")}


@pytest.fixture
def world(environment, ray_home, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    end_workers(ray_home)
    (ray_home / "draws").unlink(missing_ok=True)
    world = World()
    yield world
    end_workers(ray_home)
    world.empty_bucket()


@pytest.fixture(scope="module")
def here_and_there(ray_home, no_workers_of_other_files):
    """The engine of this process, and that of real workers, which stay for the next test."""

    from glad_pipeline.workers.pool import Pool

    real = {"GLAD_GPU_BATCH": 2, "GLAD_DEVICE": "cpu", "GLAD_WORKER_START_SECONDS": 180}  # each imports torch
    options = options_of(ray_home, GLAD_WORKERS=2, **real)
    return Engine(DEMO, EngineOptions(device="cpu", gpu_batch=2)), lambda: RemoteEngine(DEMO, Pool(options))


def pixels_by_recipe(drawn):
    return {d.recipe: d.pixels is not None and hashlib.sha256(d.pixels.tobytes()).hexdigest() for d in drawn}


@pytest.mark.parametrize("examples", [6, pytest.param(30, marks=pytest.mark.deep)])
def test_the_same_recipe_has_the_same_pixels_here_and_on_any_worker(here_and_there, examples):
    here, there = here_and_there

    @given(some=any_recipes)
    @settings(
        max_examples=examples,
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


def test_a_run_on_workers_has_no_torch_in_it(environment, here_and_there):
    program = (
        "import sys\n"
        "from glad_pipeline_tests.faults.world import World\n"
        "from glad_pipeline.defs.wiring import build_resources\n"
        "from glad_pipeline.settings import load_settings\n"
        "world = World()\n"
        "world.sql(\"INSERT INTO prompts (prompt, title, seed) VALUES ('a hill', 'Hill', 1)\")\n"
        "print(world.run(build_resources(load_settings())['sdxl']))\n"
        "print(world.sql('SELECT status, last_error FROM prompts'))\n"
        "print('torch' in sys.modules, 'diffusers' in sys.modules)\n"
        "world.empty_bucket()\n"
    )
    drawing = {"GLAD_GPU_BATCH": "2", "GLAD_DEVICE": "cpu", "GLAD_STEPS": "1", "GLAD_WIDTH": "64", "GLAD_HEIGHT": "64"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment, **drawing, "GLAD_WORKERS": "1", "GLAD_BACKEND": "ray"},
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.splitlines() == ["None", "[{'status': 'published', 'last_error': None}]", "False False"], done


def test_kill_9_of_a_worker_and_of_a_node_in_a_batch_of_200(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "glad_pipeline_tests.workers.two_nodes"],
        env={**os.environ, **environment, "GLAD_HOME": str(tmp_path / "home"), DRAW_LOG: str(tmp_path / "draws")},
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr[:2_000]} … {done.stderr[-2_000:]}"
    told = json.loads(done.stdout.splitlines()[-1])
    assert min(told["here"], told["there"]) > 0, "the workers were not spread over both nodes"
    assert (told["failed"], told["broken"]) == ([None], [])
    assert told["posts"] == told["published"] == 200
    assert told["redrawn"] <= BUCKET * (1 + told["there"])  # what the killed were drawing


def test_without_a_cluster_the_run_says_so_and_its_prompts_are_free(world, monkeypatch, tmp_path):
    world.add_hills(3)
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    told = world.run(on_workers())
    assert "no workers run on this machine: start them with ./glad workers up" in told
    rows = world.sql("SELECT status, attempts, claim_token FROM prompts")
    assert {(row["status"], row["attempts"], row["claim_token"]) for row in rows} == {("pending", 0, None)}


def test_a_model_that_workers_cannot_read_costs_no_prompt_a_try(world, monkeypatch):
    world.add_hills(3)
    sdxl = on_workers(engine="glad_pipeline_tests.engines:NotHere")
    told = world.run(sdxl)
    assert "no worker can draw: worker-" in told
    assert "/nowhere has no model_index.json" in told
    rows = world.sql("SELECT status, attempts, claim_token FROM prompts")
    assert {(row["status"], row["attempts"], row["claim_token"]) for row in rows} == {("pending", 0, None)}


@pytest.mark.deep
def test_a_prompt_s_own_model_that_workers_cannot_read_is_tried_again_and_not_rejected(world, monkeypatch, tmp_path):
    shutil.copytree(DEMO_CHECKPOINT, tmp_path / "model")
    world.add_hills(2)
    world.sql("INSERT INTO prompts (prompt, title, model) VALUES ('a hill', 'Other', %s)", str(tmp_path / "model"))
    sdxl = on_workers(engine="glad_pipeline_tests.engines:OnlyTheDemoModel", allowed_models=f"{tmp_path}/*")
    assert world.run(sdxl) is None
    rows = {row["title"]: row for row in world.sql("SELECT title, status, attempts, last_error FROM prompts")}
    other = rows.pop("Other")
    assert (other["status"], other["attempts"]) == ("pending", 1)
    assert "cannot be loaded here" in other["last_error"]
    assert "/nowhere" not in other["last_error"]  # which files are where is nobody's to ask
    assert {row["status"] for row in rows.values()} == {"published"}


@pytest.mark.deep
def test_waiting_for_workers_ends_when_the_run_does(ray_home, monkeypatch):
    class Enough(UnavailableError):
        pass

    def on_batch_start(some):
        raise Enough

    wanted = {**SMALL, "GLAD_HOME": str(ray_home), "GLAD_WORKER_CPUS": "500"}
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    sdxl = on_workers()
    sdxl.sdxl.profile()
    with pytest.raises(Enough):
        list(sdxl.generate(recipes(1), on_batch_start=on_batch_start))
    end_workers(ray_home)


A_RUN = """
from glad_pipeline_tests.workers.faked import on_workers
from glad_pipeline_tests.faults.world import World
print(World().run(on_workers()))
"""


def test_of_two_runs_that_are_up_one_draws_and_the_other_claims_when_the_last_batch_is_begun(
    world, environment, ray_home
):
    from glad_pipeline.workers.cluster import Cluster
    from glad_pipeline.workers.pool import Pool

    one = {"GLAD_WORKERS": "1", "GLAD_BATCH_SIZE": "12"}
    options = on_workers(workers=1).sdxl.options
    RemoteEngine(DEMO, Pool(options)).warm_up(recipes(1)[0])
    cluster = Cluster(options)
    cluster.note(workers=1)
    for number in range(24):
        world.add("a hill for 1 s", title=f"Hill {number}", seed=number)
    try:
        command, given = [sys.executable, "-c", A_RUN], {**os.environ, **environment, **one}
        runs = [
            subprocess.Popen(command, env=given, cwd=project_root(), stdout=subprocess.PIPE, stderr=-3, text=True)
            for _ in range(2)
        ]
        assert [run.communicate(timeout=150)[0].splitlines()[-1:] for run in runs] == [["None"], ["None"]]
    finally:
        cluster.note(workers=None)
    found = world.sql(
        "SELECT extract(epoch FROM claimed_at)::float AS claimed, key, status FROM prompts p JOIN images i"
        " ON i.id = image_id ORDER BY claimed_at"
    )
    assert [row["status"] for row in found] == ["published"] * 24
    drawn = {line[:32]: float(line.split()[2]) for line in (ray_home / "draws").read_text().splitlines()}
    ends = [drawn[row["key"].rpartition("/")[2].removesuffix(".png")] for row in found]
    of_first, of_second = ends[:12], ends[12:]
    assert max(of_first) - 1.5 < found[12]["claimed"] < min(of_second)
    assert found[11]["claimed"] < min(of_first)
    assert min(of_second) > max(of_first)
