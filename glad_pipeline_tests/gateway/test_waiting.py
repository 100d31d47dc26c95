"""Those who wait for prompts, while what they wait by breaks: the database, the connection that listens, a pooler."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest

from glad_pipeline.callers.keys import make_key
from glad_pipeline.gateway import waiting
from glad_pipeline.gateway.waiting import Shared
from glad_pipeline.settings import settings_of
from glad_pipeline_tests.faults.proxy import Proxy
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.runs import drawn, run
from glad_pipeline_tests.gateway.test_task_events import ask, names, stream
from glad_pipeline_tests.integration.test_queue import add, execute
from glad_pipeline_tests.poolers import pgbouncer

ASK = "/api/media/generate-image"


@contextmanager
def client_through(url, database, tmp_path, *scopes):
    """A client of a gateway whose database is `url`."""
    _, key = make_key(database, f"key-{time.monotonic_ns()}", scopes)
    settings = settings_of({"DATABASE_URL": url, "GLAD_HOME": str(tmp_path)})
    with (
        served(settings) as address,
        httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def proxy(migrated_url):
    parts = urlsplit(migrated_url)
    with Proxy((parts.hostname, parts.port)) as proxy:
        yield proxy


@pytest.fixture
def client(proxy, migrated_url, database, tmp_path):
    parts = urlsplit(migrated_url)
    url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
    with client_through(url, database, tmp_path, "submit", "read") as client:
        yield client


def listeners(database):
    """Server processes that listen."""
    found = execute(
        database, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
    )
    return [row["pid"] for row in found]


def eventually(true, seconds=15):
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)
    return found


def test_a_call_goes_on_when_the_database_is_back_within_its_wait(client, proxy, database):
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(client.post, ASK, params={"wait": 60}, json={"prompt": "a hill"})
        eventually(lambda: execute(database, "SELECT id FROM prompts"))
        proxy.refuse()
        drawn(database)
        time.sleep(1.5)
        assert not waits.done()
        proxy.heal()
        answer = waits.result(timeout=30)
    assert (answer.status_code, answer.json()["success"]) == (200, True)


def test_a_call_ends_with_503_when_the_database_is_away_at_its_end(client, proxy, database):
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(client.post, ASK, params={"wait": 2}, json={"prompt": "a hill"})
        eventually(lambda: execute(database, "SELECT id FROM prompts"))
        proxy.refuse()
        answer = waits.result(timeout=30)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    proxy.heal()


def test_the_connection_that_listens_is_made_anew_and_streams_miss_nothing(client, proxy, database, monkeypatch):
    monkeypatch.setattr(waiting, "QUIET", 60.0)  # only a notification wakes a look
    number = ask(client)
    (first,) = eventually(lambda: listeners(database))
    with stream(client, number) as events:
        assert next(events)[0] == "queued"
        execute(database, "SELECT pg_terminate_backend(%s)", first)
        eventually(lambda: listeners(database) not in ([], [first]))
        began = time.monotonic()
        drawn(database)
        assert names(events) == ["claimed", "drawing", "ready"]
        assert time.monotonic() - began < 10


def test_a_stream_outlasts_an_outage(client, proxy, database):
    number = ask(client)
    with stream(client, number) as events:
        assert next(events)[0] == "queued"
        proxy.refuse()
        drawn(database)
        time.sleep(1.0)
        proxy.heal()
        assert names(events) == ["claimed", "drawing", "ready"]


def test_a_post_that_cannot_be_read_holds_up_nobody_s_news(client, database, caplog):
    number, other = ask(client, title="A hill"), ask(client, "a lake")
    with stream(client, number) as events, stream(client, other) as others:
        assert names([next(events), next(others)]) == ["queued", "queued"]
        execute(database, "ALTER TABLE posts RENAME COLUMN slug TO path")
        with run(database) as now:
            now.store(*now.ids)
            holder = now._holder
            database.transact(
                "publish", lambda c: holder.published(c, {p.id: None for p in holder.publishable(c, 9)}, {})
            )
        *_, (name, _, data) = events
        assert (name, data["state"], data["post"]) == ("published", "published", None)
        assert names(others)[-1] == "ready"
    assert client.get(f"/api/media/tasks/{number}").json() == data
    assert "cannot be read" in caplog.text


def test_that_nothing_can_be_told_is_logged_once(client, proxy, database, caplog):
    number = ask(client)
    with stream(client, number) as events:
        assert next(events)[0] == "queued"
        proxy.refuse()
        eventually(lambda: "who waits is told nothing" in caplog.text)
        time.sleep(2 * waiting.POLL)
        proxy.heal()
        drawn(database)
        assert names(events) == ["claimed", "drawing", "ready"]
    assert caplog.text.count("who waits is told nothing") == 1


def test_behind_a_pooler_in_transaction_mode_it_is_asked_once_a_second(migrated_url, database, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "QUIET", 60.0)
    (number,) = add(database, publish="picture")
    with (
        pgbouncer(migrated_url, "transaction") as url,
        client_through(url, database, tmp_path, "read") as client,
        stream(client, number) as events,
    ):
        assert next(events)[0] == "queued"
        drawn(database)
        assert names(events) == ["claimed", "drawing", "ready"]


def test_a_client_that_hangs_up_while_it_waits_makes_room(client, database, monkeypatch):
    monkeypatch.setattr(waiting, "LARGEST", 1)
    monkeypatch.setattr("glad_pipeline.gateway.media.LOOK", 0.1)
    address = urlsplit(str(client.base_url))
    body = b'{"prompt": "a hill"}'
    with socket.create_connection((address.hostname, address.port)) as line:
        line.sendall(
            b"POST /api/media/generate-image HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\n"
            b"authorization: %s\r\ncontent-length: %d\r\n\r\n%s"
            % (address.netloc.encode(), client.headers["authorization"].encode(), len(body), body)
        )
        number = eventually(lambda: execute(database, "SELECT id FROM prompts"))[0]["id"]
        path = f"/api/media/tasks/{number}/events"
        eventually(lambda: client.get(path).status_code == 429)

    def is_free():
        with client.stream("GET", path) as response:
            return response.status_code == 200

    eventually(is_free)


def test_looks_are_few_however_many_wait_and_however_much_happens(client, database, monkeypatch):
    asked = []
    real = waiting.Waiting._tell_news
    monkeypatch.setattr(waiting.Waiting, "_tell_news", lambda self: asked.append(1) or real(self))
    numbers = [ask(client, f"a hill {n}") for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        began = time.monotonic()
        with stream(client, numbers[0]) as events:
            assert next(events)[0] == "queued"
            waits = [
                pool.submit(client.post, ASK, params={"wait": 30}, json={"prompt": f"a hill {n}"}) for n in range(20)
            ]
            for _ in range(30):
                execute(database, "UPDATE prompts SET status = 'cancelled'")
                execute(database, "UPDATE prompts SET status = 'pending'")
                time.sleep(0.02)
            drawn(database)
            list(events)
        assert {each.result(timeout=30).status_code for each in waits} <= {200, 409}
        assert len(asked) <= waiting.LOOKS * (time.monotonic() - began) + 2


def test_one_question_is_put_once_for_all_who_come_before_it():
    async def scenario():
        asked, go = [], asyncio.Event()

        async def ask():
            asked.append(len(asked))
            await go.wait()
            return asked[-1]

        shared = Shared(ask)
        first = asyncio.create_task(shared.ask())
        await asyncio.sleep(0.01)
        late = [asyncio.create_task(shared.ask()) for _ in range(100)]
        late[0].cancel()
        await asyncio.sleep(0.01)
        go.set()
        return await first, {await each for each in late[1:]}

    assert asyncio.run(scenario()) == (0, {1})
