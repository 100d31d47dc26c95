"""One Ray for all tests of a process, and pools of workers on it.

A process can know one cluster: Ray reads token and certificates once.
"""

import os

import pytest

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.settings import Settings
from glad_pipeline_tests import ray_once
from glad_pipeline_tests.engines import LOG, TIMED


def options_of(home, **values):
    """As from an environment with these variables: small workers, many on a core."""
    own = {"GLAD_WORKERS": 3, "GLAD_WORKER_GPUS": 0, "GLAD_WORKER_CPUS": 0.1, "GLAD_WORKER_START_SECONDS": 60}
    return Settings(GLAD_HOME=home, **{**own, **values}).engine


@pytest.fixture(scope="session")
def ray_home(tmp_path_factory):
    """A state directory with a Ray of its own, whose workers write what they draw to `draws` in it."""
    from glad_pipeline.workers.cluster import Cluster

    ray_once.allow()
    home = tmp_path_factory.mktemp("ray home")
    cluster = Cluster(options_of(home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOG, str(home / "draws"))  # to the end: a test may start the cluster again
        cluster.start(cpus=2)
        try:
            yield home
        finally:
            cluster.disconnect()
            cluster.stop()


@pytest.fixture(scope="module")
def no_workers_of_other_files(ray_home):
    end_workers(ray_home)


@pytest.fixture
def pool_of(ray_home, no_workers_of_other_files):
    """`pool_of(engine=…, batch=…, **settings)`: a pool. Its workers stay for the tests to come, since each takes a
    second or more to start: a test whose shapes are to be new to them has widths of its own."""

    from glad_pipeline.workers.pool import Pool

    def make(*, engine=TIMED, batch=4, small_batch=None, device="cpu", **values):
        given = {"engine": engine, "gpu_batch": batch, "gpu_small_batch": small_batch, "device": device}
        return Pool(options_of(ray_home, **values).model_copy(update=given))

    return make


@pytest.fixture
def fresh_pool_of(ray_home, pool_of):
    """The same for a test that finds no workers, and whose own are for no other."""
    end_workers(ray_home)
    yield pool_of
    end_workers(ray_home)


def end_workers(home):
    """Every worker there is, for good."""
    from glad_pipeline.workers.cluster import Cluster
    from glad_pipeline.workers.members import end_workers as end

    Cluster(options_of(home)).connect()
    end()


DEMO = resolve_model(EngineOptions())


def recipes(count, prompt="a hill", **changes):
    """`count` recipes with seeds of their own, never two alike in a whole test run."""
    values = {
        "width": 64,
        "height": 64,
        "num_inference_steps": 1,
        "guidance_scale": 3.0,
        "scheduler": "euler",
        "model": DEMO.name,
        "model_revision": DEMO.revision,
    }
    return [Recipe(prompt=prompt, seed=int.from_bytes(os.urandom(6)), **{**values, **changes}) for _ in range(count)]
