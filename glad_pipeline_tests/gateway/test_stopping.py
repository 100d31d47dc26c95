"""A gateway that is stopped answers who waits, at once and in full."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

from glad_pipeline.callers.keys import make_key
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.test_task_events import ask, stream
from glad_pipeline_tests.integration.test_queue import execute


def test_calls_that_wait_are_answered_202_and_streams_end_when_the_stop_begins(settings, database):
    headers = {"Authorization": f"Bearer {make_key(database, 'site', ['submit'])[1]}"}
    is_open = threading.Event()

    def listen(client, number):
        with stream(client, number) as events:
            told = [next(events)[0]]
            is_open.set()
            return told + [name for name, _, _ in events]

    with ThreadPoolExecutor(2) as pool, httpx2.Client(headers=headers, timeout=60) as client:
        with served(settings) as address:
            client.base_url = address
            listening = pool.submit(listen, client, ask(client, "a lake"))
            waiting = pool.submit(
                client.post, "/api/media/generate-image", params={"wait": 60}, json={"prompt": "a hill"}
            )
            assert is_open.wait(20)
            while len(execute(database, "SELECT id FROM prompts")) < 2:
                time.sleep(0.02)
            time.sleep(0.3)  # it is answered by then, or waits
            began = time.monotonic()
        answer, told = waiting.result(), listening.result()
    assert time.monotonic() - began < 3
    assert (answer.status_code, answer.json()["state"], answer.json()["links"]["task"][:17]) == (
        *(202, "pending"),
        "/api/media/tasks/",
    )
    assert set(told) == {"queued"}
