"""The blog's API with 1,000,000 posts: what a page costs, and how much of that is ours.

    .venv/bin/python -m benchmarks.gateway [--posts 1000000] [--seconds 3] [--rounds 5]

Posts with a picture in two formats and three widths, made by `generate_series` in two databases of a PostgreSQL of its
own: the large one, and one of 1,000 posts. Four servers on sockets, each a process: the gateway on either database, and
on the large one a bare FastAPI route that runs the very statement through a pool of the same kind and answers its rows,
without keys, tags, pictures or a gateway's middleware. Pages of 20 from anywhere in the list, asked for by `after`.

Rounds take turns, so that what else the machine does falls on all of them. CPU is that of the server's process.
PostgreSQL's own time is `EXPLAIN (ANALYZE, SERIALIZE)` of the prepared statement, planning included. Prints the figures
last and writes `benchmarks/results/gateway.json`.
"""

from __future__ import annotations

import argparse
import base64
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import psycopg
from psycopg import sql

from benchmarks import report
from glad_pipeline.database import connect, value
from glad_pipeline.database.migrations import migrate
from glad_pipeline.publishing.post_reading import Asked, look_for_reading

FEW = 1_000  # posts of the small database
PAGE = 20  # posts
CURSORS = 500  # places in the list that are asked for, in turns
CLIENTS = 4  # connections that ask at once, for requests per second
BASE = "https://cdn.example.com/generated"
ROWS = """
    INSERT INTO posts (title, slug, content, excerpt, status, featured_image_url, cover_image_url, seo_title, metadata,
                       published_at, created_at)
    SELECT 'Post number ' || n, 'post-' || n,
           (SELECT string_agg(md5((n + m)::text), ' ') FROM generate_series(1, 24) AS m),
           'What post number ' || n || ' is about, in a line or two.',
           CASE n %% 20 WHEN 0 THEN 'draft' ELSE 'published' END,
           stem || '.png', stem || '-social.jpg', 'Post number ' || n,
           jsonb_build_object('featured_image_alt', 'a hill ' || n, 'featured_image_data', jsonb_build_object(
               'url', stem || '.png', 'width', 1024, 'height', 1024, 'alt', 'a hill ' || n,
               'placeholder', 'data:image/webp;base64,' || repeat(left(md5(n::text), 16), 12),
               'srcset', jsonb_build_object(
                   'webp', format('%%1$s-w400.webp 400w, %%1$s-w800.webp 800w, %%1$s-w1024.webp 1024w', stem),
                   'avif', format('%%1$s-w400.avif 400w, %%1$s-w800.avif 800w, %%1$s-w1024.avif 1024w', stem)))),
           now() - n * interval '7 minutes', now() - n * interval '7 minutes'
    FROM generate_series(1, %(posts)s::int) AS n,
         LATERAL (SELECT %(base)s || '/' || left(md5(n::text), 2) || '/' || md5(n::text) AS stem) AS s
"""


@contextmanager
def database(name: str, posts: int) -> Iterator[str]:
    """A migrated database with so many posts."""
    server = os.environ["DATABASE_URL"]
    url = f"{server.rpartition('/')[0]}/{name}"
    with connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(url)
    with connect(url, autocommit=True) as connection:
        connection.execute(ROWS, {"posts": posts, "base": BASE})
        connection.execute("VACUUM (ANALYZE) posts")
        connection.execute("CHECKPOINT")
    yield url


def places(url: str) -> list[tuple[str, str]]:
    """Places all over the list, as a cursor has them."""
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT coalesce(published_at, created_at)::text AS at, id::text AS id FROM posts"
            " WHERE status = 'published' ORDER BY md5(slug) LIMIT %s",
            [CURSORS],
        ).fetchall()
    return [(row["at"], row["id"]) for row in rows]


def cursor_of(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("|".join(place).encode()).decode().rstrip("=")


# --- servers ---


def serve(kind: str) -> None:
    """This process becomes a server on the database that DATABASE_URL names; it prints its port."""
    import uvicorn

    from glad_pipeline.gateway.app import build_app
    from glad_pipeline.settings import load_settings

    settings = load_settings()
    app = build_app(settings) if kind == "gateway" else bare(settings)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    server.run([listening])


def bare(settings: Any) -> Any:
    """A route that does nothing but run the gateway's statement."""
    from contextlib import asynccontextmanager

    import orjson
    from fastapi import FastAPI, Response

    from glad_pipeline.database.pool import Pool
    from glad_pipeline.gateway.state import CONNECTIONS

    url = settings.database_url.get_secret_value()
    with connect(url) as connection:
        statement = look_for_reading(connection).page(Asked(), PAGE, "after")
    pool = Pool(url, connections=CONNECTIONS, application_name="bare", blog=settings.blog)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/api/posts")
    async def posts(after: str) -> Response:
        at, _, id = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().partition("|")
        rows = await pool.rows(statement, {"at": at, "id": id})
        return Response(
            orjson.dumps({"data": [orjson.Fragment(row["post"]) for row in rows]}), media_type="application/json"
        )

    return app


class Server:
    """One of them, in a process of its own."""

    def __init__(self, kind: str, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from benchmarks.gateway import serve; serve({kind!r})"],
            env={**os.environ, "DATABASE_URL": url, "GLAD_GATEWAY_RATE": "off"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._seen = psutil.Process(self._process.pid)
        self.cursors = [cursor_of(place) for place in places(url)]

    def cpu(self) -> float:
        """Seconds so far."""
        times = self._seen.cpu_times()
        return times.user + times.system

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def asked(server: Server, seconds: float, told: list[float]) -> None:
    """Pages, one after another on one connection; the seconds of each."""
    order = server.cursors
    until = time.perf_counter() + seconds
    with socket.create_connection(("127.0.0.1", server.port)) as line, line.makefile("rb") as answers:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place = threading.get_ident() % len(order)  # each client begins somewhere else
        while time.perf_counter() < until:
            place += 1
            since = time.perf_counter()
            line.sendall(
                f"GET /api/posts?after={order[place % len(order)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            assert answers.readline().split()[1] == b"200"
            length = 0
            while (header := answers.readline()) != b"\r\n":
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            assert len(answers.read(length)) == length
            told.append(time.perf_counter() - since)


def crowd(server: Server, seconds: float) -> tuple[float, float]:
    """Requests per second of all clients together, and the server's own CPU, seconds a request."""
    told: list[float] = []
    clients = [threading.Thread(target=asked, args=(server, seconds, told)) for _ in range(CLIENTS)]
    cpu, since = server.cpu(), time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return len(told) / (time.perf_counter() - since), (server.cpu() - cpu) / len(told)


def alone(server: Server, seconds: float) -> list[float]:
    told: list[float] = []
    asked(server, seconds, told)
    return told


# --- what is measured ---


def in_postgres(url: str) -> float:
    """Milliseconds of a keyset page in PostgreSQL itself, the median."""
    found = []
    with connect(url, autocommit=True) as connection:
        text = look_for_reading(connection).page(Asked(), PAGE, "after").decode()
        connection.execute(
            f"PREPARE page (timestamptz, uuid) AS {text.replace('%(at)s', '$1').replace('%(id)s', '$2')}".encode()
        )
        for at, id in places(url):
            statement = sql.SQL(
                "EXPLAIN (ANALYZE, TIMING OFF, SERIALIZE TEXT, FORMAT JSON) EXECUTE page ({}, {})"
            ).format(at, id)
            plan = value(connection, statement)
            found.append(plan[0]["Planning Time"] + plan[0]["Execution Time"])
    return statistics.median(found)


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measure(many: str, few: str, seconds: float, rounds: int) -> dict[str, Any]:
    with ExitStack() as ends:
        large, small, plain = (Server(kind, url) for kind, url in (("gateway", many), ("gateway", few), ("bare", many)))
        for server in (large, small, plain):
            ends.callback(server.end)
            alone(server, 1.0)  # connections are made, statements prepared, pages read
        rates: dict[str, list[float]] = {"gateway": [], "bare": []}
        cpu: dict[str, list[float]] = {"gateway": [], "bare": []}
        waits: dict[str, list[float]] = {"many": [], "few": []}
        for number in range(rounds):
            for name, server in (("gateway", large), ("bare", plain))[:: 1 if number % 2 else -1]:
                rate, spent = crowd(server, seconds)
                rates[name].append(rate)
                cpu[name].append(spent)
            for name, server in (("many", large), ("few", small))[:: 1 if number % 2 else -1]:
                waits[name] += alone(server, seconds)
            print(f"round {number + 1} of {rounds}", flush=True)
    middle = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "server_cpu_ms_per_page": round(1_000 * statistics.median(cpu["gateway"]), 3),
        "server_cpu_ms_per_page_bare": round(1_000 * statistics.median(cpu["bare"]), 3),
        "postgres_ms_per_page": round(in_postgres(many), 3),
        "requests_per_second": round(middle["gateway"]),
        "requests_per_second_bare": round(middle["bare"]),
        "share_of_bare": round(middle["gateway"] / middle["bare"], 3),
        "p50_ms": round(1_000 * percentile(waits["many"], 0.5), 2),
        "p99_ms": round(1_000 * percentile(waits["many"], 0.99), 2),
        "p99_ms_of_few": round(1_000 * percentile(waits["few"], 0.99), 2),
        "p99_ratio": round(percentile(waits["many"], 0.99) / percentile(waits["few"], 0.99), 2),
    }


def main() -> None:
    from benchmarks.job import own_world

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with own_world(), database("many", args.posts) as many, database("few", FEW) as few:
        with psycopg.connect(many) as connection:
            [size] = connection.execute("SELECT pg_total_relation_size('posts')").fetchone() or [0]
        print(f"{args.posts:,} posts are there, {size / 2**20:,.0f} MiB", flush=True)
        pages = {"posts": args.posts, "mib": round(size / 2**20), **measure(many, few, args.seconds, args.rounds)}
    report.write("gateway", {"pages": pages})
    for name, figure in pages.items():
        print(f"{name}: {figure}")


if __name__ == "__main__":
    main()
