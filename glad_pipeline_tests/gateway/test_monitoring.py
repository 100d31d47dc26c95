"""Health, readiness and metrics, while the database is there, away, silent, and back."""

import asyncio
import os
import signal
import time

import httpx2
import psycopg
import pytest
from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from glad_pipeline.database.schema_version import NEEDED
from glad_pipeline.gateway.metrics import SECONDS, Requests
from glad_pipeline.gateway.state import Here
from glad_pipeline.local import stack as local_stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.settings import settings_of
from glad_pipeline_tests.gateway.conftest import served


def sql(url, *statements):
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def figures(client):
    """The samples of /metrics by name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, _, number in lines}


def test_metrics_are_for_a_key_that_may_read(client_with):
    assert [client_with(*scopes).get("/metrics").status_code for scopes in ((), ("submit",), ("read",))] == [
        401,
        403,
        200,
    ]


def test_metrics_tell_the_queue_the_outbox_what_has_happened_and_the_requests(client_with, migrated_url, monkeypatch):
    monkeypatch.setattr("glad_pipeline.gateway.metrics.FRESH", 0.0)
    client = client_with("read")
    sql(
        migrated_url,
        "INSERT INTO prompts (prompt, created_at) VALUES ('a', now() - interval '1 hour'), ('b', now()), ('c', now())",
        "UPDATE prompts SET status = 'cancelled' WHERE prompt = 'c'",
        "INSERT INTO outbox (kind, subject, payload) VALUES ('revalidate', 'post:x', '{}')",
    )
    first = figures(client)
    assert (first['glad_prompts{status="pending"}'], first['glad_prompts{status="cancelled"}']) == (2, 1)
    assert 3_600 <= first["glad_oldest_pending_seconds"] < 3_700
    assert first['glad_outbox_messages{status="waiting"}'] == 1
    assert not [name for name in first if name.startswith("glad_prompt_events_total")]  # it counts from its start
    sql(
        migrated_url,
        "UPDATE prompts SET created_at = now() - interval '70 seconds' WHERE prompt = 'a'",
        "INSERT INTO prompt_events (prompt_id, event, at) SELECT id, event, now() - ago FROM prompts, (VALUES "
        "('claimed', interval '40 seconds'), ('stored', interval '5 seconds')) AS e (event, ago) WHERE prompt = 'a'",
    )
    monkeypatch.setattr("glad_pipeline.gateway.metrics.QUERIES", now_instead_of_ten_seconds_ago())
    second = figures(client)
    assert second['glad_prompt_events_total{event="stored"}'] == 1
    assert second['glad_stage_seconds_total{event="stored"}'] == pytest.approx(35, abs=0.1)
    third = figures(client)
    assert third['glad_prompt_events_total{event="stored"}'] == 1  # counted once
    assert third['glad_http_requests_total{method="GET",route="/metrics",status="200"}'] == 2
    assert third['glad_http_request_seconds_count{method="GET",route="/metrics"}'] == 2


def test_how_long_requests_took_is_counted_up_to_each_bound_and_the_list_has_its_route_with_a_key_and_without(
    client_with,
):
    client = client_with("read")
    for each in (client, client_with()):
        assert each.get("/api/posts").status_code == 200
    found = figures(client)
    of_list = 'method="GET",route="/api/posts"'
    assert found[f'glad_http_requests_total{{{of_list},status="200"}}'] == 2
    buckets = {name: number for name, number in found.items() if name.startswith("glad_http_request_seconds_bucket{")}
    bounds = [*map(str, map(float, SECONDS)), "+Inf"]
    counts = [buckets[f'glad_http_request_seconds_bucket{{le="{bound}",{of_list}}}'] for bound in bounds]
    assert counts == sorted(counts)
    assert counts[-1] == found[f"glad_http_request_seconds_count{{{of_list}}}"] == 2
    assert 0 < found[f"glad_http_request_seconds_sum{{{of_list}}}"] < 60


def test_a_request_that_took_as_long_as_a_bound_is_within_it():
    registry = CollectorRegistry()
    requests = Requests(registry)
    for seconds in (0.001, 0.002, 0.0021, 61):
        requests.note("GET", "/x", 200, seconds)
    labels = {"method": "GET", "route": "/x"}
    counts = [
        registry.get_sample_value("glad_http_request_seconds_bucket", {**labels, "le": bound})
        for bound in ("0.002", "0.005", "60.0", "+Inf")
    ]
    assert counts == [2, 3, 3, 4]


def now_instead_of_ten_seconds_ago():
    """The statements, for a test that does not wait until whoever writes an event has surely committed."""
    from glad_pipeline.prompts.figures import QUERIES

    return {
        name: text.replace("interval '10 seconds' AS until", "interval '0' AS until") for name, text in QUERIES.items()
    }


def test_a_schema_of_before_is_not_ready_and_the_log_has_the_cure(client_with, migrated_url, caplog):
    client = client_with()
    assert client.get("/readyz").json() == {"status": "ready"}
    for statement, told in (
        (
            "UPDATE glad_alembic_version SET version_num = '0003'",
            f"are those of 0003, this needs {NEEDED}: ./glad migrate",
        ),
        ("ALTER TABLE glad_alembic_version RENAME TO another", "no tables of ours: ./glad migrate"),
    ):
        sql(migrated_url, statement)
        time.sleep(0.6)
        away = client.get("/readyz")
        assert (away.status_code, away.json()["detail"]) == (503, "the database has not the tables of this version")
        assert "gateway.not_ready the database" in caplog.text
        assert told in caplog.text
    sql(
        migrated_url,
        "ALTER TABLE another RENAME TO glad_alembic_version",
        "UPDATE glad_alembic_version SET version_num = '9999'",  # of a newer program
    )
    time.sleep(0.6)
    assert client.get("/readyz").status_code == 200


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A PostgreSQL of its own, to be stopped, and its database migrated."""
    from glad_pipeline.database.migrations import migrate

    server = Postgres(Home(tmp_path_factory.mktemp("own") / "home").prepare())
    server.start(die_with_us=True)
    local_stack._create(server.url(), "glad")
    migrate(server.url("glad"))
    yield server
    server.stop()


blocking = APIRouter()


STATEMENTS = {
    "right": "SELECT 1",
    "wrong": "SELECT nonsense",
    "cut": "SELECT pg_terminate_backend(pg_backend_pid())",
    "no table": "SELECT * FROM no_such_table",
}


@blocking.get("/blocking")
async def _blocking(state: Here, what: str = "right") -> None:
    """A route whose database is asked in a thread."""

    def look() -> None:
        with state.database.transaction() as connection:
            connection.execute(STATEMENTS[what])

    await state.blocking(look)


def test_a_mistake_of_ours_is_500_with_the_trace_in_the_log_alone(settings, caplog):
    with served(settings, blocking) as address, httpx2.Client(base_url=address, timeout=30) as client:
        for what in ("wrong", "not in the list"):
            number = f"broken-{len(what)}"
            broken = client.get("/blocking", params={"what": what}, headers={"X-Request-Id": number})
            assert (broken.status_code, broken.headers["content-type"]) == (500, "application/problem+json")
            assert broken.headers["x-request-id"] == number
            assert broken.json()["detail"] == "this is a fault of the server: its log says more"
            assert f"gateway.failed method=GET path=/blocking id={number}" in caplog.text
        for what in ("cut", "no table"):  # a fault of the database's
            away = client.get("/blocking", params={"what": what})
            assert (away.status_code, away.headers["retry-after"]) == (503, "5"), away.text
    assert "KeyError" in caplog.text


def test_a_database_that_is_away_is_503_at_once_and_back_in_a_second(own_server, tmp_path):
    from glad_pipeline.callers.keys import make_key
    from glad_pipeline.database import Database

    url = own_server.url("glad")
    with Database(url) as database:
        _, key = make_key(database, "outage", ["admin"])
    settings = settings_of({"DATABASE_URL": url, "GLAD_HOME": str(tmp_path)})
    with served(settings, blocking) as address, httpx2.Client(base_url=address, timeout=30) as client:
        shown = {"Authorization": f"Bearer {key}"}

        def asked():
            began = time.monotonic()
            answers = [
                client.get("/api/caller", headers=shown),
                client.post("/api/studio/session", json={"key": key}),
                client.get("/readyz"),
                client.get("/blocking"),
            ]
            return answers, time.monotonic() - began

        assert [each.status_code for each in asked()[0]] == [200] * 4
        port = own_server.port
        own_server.stop()
        time.sleep(0.6)
        away, took = asked()
        assert [(each.status_code, each.headers["retry-after"]) for each in away] == [(503, "5")] * 4
        assert took < 2
        told = "".join(each.text for each in away)
        assert not [part for part in ("127.0.0.1", str(own_server.port), "/glad", "FATAL") if part in told]
        assert client.get("/healthz").status_code == 200
        own_server.start(die_with_us=True, port=port)
        time.sleep(0.6)
        back, _ = asked()
        assert [each.status_code for each in back] == [200] * 4  # nobody is told of connections that are no more


def test_a_database_that_says_nothing_is_not_ready_within_a_second_and_others_are_answered(own_server, tmp_path):
    settings = settings_of({"DATABASE_URL": own_server.url("glad"), "GLAD_HOME": str(tmp_path)})
    with served(settings) as address, httpx2.Client(base_url=address, timeout=30) as client:
        assert client.get("/readyz").status_code == 200
        backend = own_server.running()
        frozen = [backend, *backend.children()]
        for process in frozen:
            os.kill(process.pid, signal.SIGSTOP)
        try:
            time.sleep(0.6)
            began = time.monotonic()
            assert client.get("/readyz").status_code == 503
            assert time.monotonic() - began < 1.5
            assert client.get("/healthz").status_code == 200
        finally:
            for process in frozen:
                os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.6)
        assert client.get("/readyz").status_code == 200


def test_it_starts_while_the_database_is_away(tmp_path):
    settings = settings_of({"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d", "GLAD_HOME": str(tmp_path)})
    with served(settings) as address:
        assert httpx2.get(f"{address}/healthz").status_code == 200
        assert httpx2.get(f"{address}/readyz").status_code == 503


def test_a_client_that_hangs_up_leaves_nothing_behind(gateway, client_with):
    client = client_with("read")
    assert client.get("/api/caller").status_code == 200

    async def hang_up():
        host, port = client.base_url.host, client.base_url.port
        for head in (
            b"GET /api/caller HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST /api/studio/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
            b"GET /metr",
        ):
            for _ in range(30):
                _, writer = await asyncio.open_connection(host, port)
                writer.write(head)
                await writer.drain()
                writer.transport.abort()

    asyncio.run(hang_up())
    assert client.get("/api/caller").status_code == 200
