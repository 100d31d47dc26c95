"""What runs have done, as the studio shows it; the doctor; how long what waits will take."""

import asyncio
import os
import subprocess
import sys

import httpx2
import psutil
import pytest
from pydantic import SecretStr

from glad_pipeline.errors import GladError
from glad_pipeline.gateway.commands import run_command
from glad_pipeline.gateway.jobs import Jobs, Stopped
from glad_pipeline.gateway.studio_runs import Run
from glad_pipeline.local.processes import gone, wait_until
from glad_pipeline.prompts.progress import seconds_each
from glad_pipeline.settings import environment_of
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.runs import run
from glad_pipeline_tests.gateway.studio_rows import prompt_in, sql
from glad_pipeline_tests.gateway.test_studio_images import ended

RUNS = "/api/studio/runs"
RUN_ID = "3f2b8c1e-8c1a-4d0e-9d0a-2b7c5e1f0a11"


def test_a_run_is_shown_while_it_draws_and_once_it_is_over(settings, client_with, database):
    ids = [prompt_in(database, "pending", prompt=f"a lake {number}") for number in range(4)]
    headers = client_with("read").headers
    settings = settings.model_copy(update={"web_url": "https://dagster.example/"})
    with served(settings) as address, httpx2.Client(base_url=address, headers=headers) as client:
        with run(database, worker=RUN_ID) as now:
            now.draw(*ids)
            now.store(*ids[:2])
            now.reject(**{f"p{ids[2]}": "blank"})
            [shown] = client.get(RUNS).json()["data"]
            assert shown.keys() == Run.__dataclass_fields__.keys()
            assert (shown["run_id"], shown["is_alive"], shown["in_hand"]) == (RUN_ID, True, 1)
            assert (shown["claimed"], shown["stored"], shown["rejected"]) == (4, 2, 1)
            assert shown["dagster_url"] == f"https://dagster.example/runs/{RUN_ID}"
        [shown] = client.get(RUNS).json()["data"]
        assert (shown["is_alive"], shown["in_hand"]) == (False, 0)
        with run(database, worker="../x") as now:
            assert client.get(RUNS).json()["data"][0]["dagster_url"] is None


def test_the_doctor_is_a_job_of_its_own_process(client_with):
    client = client_with("admin")
    job = ended(client, client.post("/api/studio/doctor"))
    assert job["state"] == "done", job
    fine = {each["check"].partition(":")[0] for each in job["result"]["checks"] if each["level"] == "ok"}
    assert fine >= {"settings", "database", "store"}, job["result"]["checks"]  # it has the settings of this gateway
    assert client_with("review").post("/api/studio/doctor").status_code == 403


def test_a_command_ends_with_its_job(settings):
    def stop(progress):
        assert progress().startswith("under way")
        raise Stopped("the gateway was stopped")

    with pytest.raises(Stopped):
        run_command(["doctor", "--quick"], settings, stop, codes=(0,))
    assert not [each for each in psutil.Process().children(recursive=True) if "doctor" in each.cmdline()]


def children_with(word, of=None):
    found = psutil.Process(of).children(recursive=True)
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE and word in each.cmdline()]


def test_a_gateway_that_ends_takes_its_commands_along(settings):
    async def scenario():
        jobs = Jobs()
        job = await jobs.begin(
            "doctor", "me", lambda tell: run_command(["doctor", "--quick"], settings, tell, codes=(0,)), wait=0.5
        )
        assert children_with("doctor")
        await jobs.end()
        assert (job.state, "was stopped" in job.problem) == ("failed", True)
        assert not children_with("doctor")

    asyncio.run(scenario())


def test_a_gateway_that_is_killed_takes_its_commands_along(settings):
    program = (
        "from glad_pipeline.gateway.commands import run_command; from glad_pipeline.settings import load_settings;"
        "run_command(['doctor', '--quick'], load_settings(), lambda progress: None, codes=(0,))"
    )
    gateway = subprocess.Popen([sys.executable, "-c", program], env=os.environ | environment_of(settings))
    try:
        assert wait_until(lambda: bool(children_with("doctor", gateway.pid)), 30)
        commands = children_with("doctor", gateway.pid)
    finally:
        gateway.kill()
        gateway.wait()
    assert wait_until(lambda: all(gone(each) for each in commands), 10)


def test_a_command_that_ends_with_an_error_says_which(settings):
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://glad:p@127.0.0.1:1/glad")})
    with pytest.raises(GladError, match=r"glad reproduce: .*PostgreSQL"):  # by the exit code of a picture that differs
        run_command(["reproduce", "5"], away, lambda progress: None, codes=(0, 1))


def test_a_command_that_cannot_do_its_work_says_why(settings):
    with pytest.raises(GladError, match=r"glad reproduce: .*no post, no image"):
        run_command(["reproduce", "none"], settings, lambda progress: None, codes=(0, 1))


def test_the_pace_is_that_of_all_pictures_since_the_last_pause():
    assert seconds_each([]) is None
    assert seconds_each([100.0]) is None
    assert seconds_each([100.0, 96.0, 92.0]) == 4.0
    assert seconds_each([100.0, 100.0, 100.0, 94.0, 94.0]) == 2.0  # batches: of the first nobody knows when it began
    assert seconds_each([100.002, 100.001, 100.0]) is None  # one batch
    assert seconds_each([900.0, 700.0, 500.0, 300.0]) == 200.0  # a slow machine makes no pause
    assert seconds_each([5_000.0, 4_800.0, 4_600.0, 4_400.0, 10.0]) == 200.0
    assert seconds_each([1_000.0, 990.0, 500.0, 499.0]) == 10.0
    assert seconds_each([1_000.0, 500.0]) is None


def test_what_waits_is_told_how_long_it_takes_and_nobody_guesses_without_pictures(settings, client_with, database):
    client = client_with("read")
    waits = prompt_in(database, "pending")
    assert client.get("/api/studio/queue").json()["data"]["eta_seconds"] is None
    assert client.get(f"/api/media/tasks/{waits}").json()["eta_seconds"] is None
    for seconds in (10, 20, 30):
        each = prompt_in(database, "generated")
        sql(
            database,
            "UPDATE prompt_events SET at = now() - %s * interval '1 second' WHERE prompt_id = %s AND event = 'stored'",
            *(seconds, each),
        )
    with served(settings) as address:  # nobody draws: how long a run takes to start is not known
        assert httpx2.get(f"{address}/api/media/tasks/{waits}", headers=client.headers).json()["eta_seconds"] is None
    prompt_in(database, "claimed")
    with served(settings) as address:
        headers = client.headers
        task = httpx2.get(f"{address}/api/media/tasks/{waits}", headers=headers).json()
        assert (task["place"], task["eta_seconds"]) == (1, 10)
        queue = httpx2.get(f"{address}/api/studio/queue", headers=headers).json()["data"]
        assert queue["eta_seconds"] == 10
