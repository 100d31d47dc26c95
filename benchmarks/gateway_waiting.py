"""What waiting costs the gateway: calls that are held open and event streams, and the blog's list beside them.

    .venv/bin/python -m benchmarks.gateway_waiting [--calls 1000] [--streams 1000] [--path /api/posts]

A gateway of one process, on a PostgreSQL of its own. First GETs of `--path` alone, one after the other, then the same
while so many calls of `POST /api/media/generate-image` wait and so many streams of events are open, and a run draws
their prompts, 16 a batch: each batch is claimed, begun and stored, so that every stream is told three events. Prints
the gateway's memory, its CPU, the times of both lists, and how late the last caller got its picture; writes
`benchmarks/results/gateway_waiting.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks import job, report
from glad_pipeline.callers.keys import make_key
from glad_pipeline.database import Database

GOAL_MB, GOAL_RATIO = 300, 1.5
BATCH = 16
ARRIVAL = 0.02  # seconds between two callers
IMAGE = (
    "INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,"
    " model_revision, verified_at) VALUES (%(key)s, %(hash)s, 'https://x/y.png', %(sha)s, 1, 8, 8, 'image/png', '{}',"
    " 'm', 'r', now()) RETURNING id"
)


class Client:
    """HTTP by hand: two thousand connections of a library would measure the library."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._head = port, f"Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"

    async def sent(self, line: str, body: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=16_384)
        more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{line} HTTP/1.1\r\n{self._head}{more}\r\n{body}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        return reader, writer, int(head.split()[1])

    async def call(self, number: int) -> float:
        """Wait for a picture; when it came."""
        body = json.dumps({"prompt": f"hill {number}", "task_id": f"t-{number}"})
        status = 503
        while status == 503:  # too many came at once: as told, it asks again
            _, writer, status = await self.sent("POST /api/media/generate-image?wait=120", body)
            writer.close()
        assert status == 200, status
        return time.monotonic()

    async def stream(self, number: int, opened: asyncio.Semaphore) -> float:
        """Follow a prompt to its end; when that came."""
        reader, writer, status = await self.sent(f"GET /api/media/tasks/{number}/events")
        assert status == 200, status
        opened.release()
        while b"event: ready" not in await reader.readline():
            pass
        writer.close()
        return time.monotonic()

    async def get(self, path: str) -> float:
        """Milliseconds until the whole answer."""
        began = time.perf_counter()
        reader, writer, status = await self.sent(f"GET {path}")
        assert status == 200, status
        await reader.read(1)
        writer.close()
        return (time.perf_counter() - began) * 1_000


@contextmanager
def gateway() -> Iterator[tuple[psutil.Process, int]]:
    """One in a process of its own, and its port."""
    port = 8_791
    arguments = [sys.executable, "-m", "glad_pipeline.gateway", "--port", str(port)]
    process = subprocess.Popen(arguments)
    try:
        while not any(each.status == "LISTEN" for each in psutil.Process(process.pid).net_connections("tcp")):
            assert process.poll() is None
            time.sleep(0.1)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait()


def draw(database: Database) -> None:
    """All that waits, a batch after the other."""
    token = 0
    while True:
        token += 1
        with database.transaction() as connection:
            claimed = connection.execute(
                "UPDATE prompts SET status = 'claimed', claimed_by = 'run', claim_token = %s,"
                " lease_expires_at = now() + interval '1 hour' WHERE id IN (SELECT id FROM prompts"
                " WHERE status = 'pending' ORDER BY id LIMIT %s) RETURNING id",
                [token, BATCH],
            ).fetchall()
        if not claimed:
            return
        ids = [row["id"] for row in claimed]
        with database.transaction() as connection:
            connection.execute("UPDATE prompts SET attempts = attempts + 1 WHERE id = ANY(%s)", [ids])
        time.sleep(0.1)
        with database.transaction() as connection:
            given = {"key": f"generated/{ids[0]}", "hash": f"{ids[0]:064x}", "sha": "0" * 64}
            image = connection.execute(IMAGE, given).fetchone()
            assert image is not None
            connection.execute(
                "UPDATE prompts SET status = 'ready', image_id = %s, claim_token = NULL, lease_expires_at = NULL"
                " WHERE id = ANY(%s)",
                [image["id"], ids],
            )


async def lists(client: Client, path: str, until: asyncio.Event | None = None, count: int = 300) -> list[float]:
    """The times of GETs, one each 20 ms, `count` of them, or until something is over."""
    times = []
    while len(times) < count if until is None else not until.is_set():
        times.append(await client.get(path))
        await asyncio.sleep(0.02)
    return times


async def measured(process: psutil.Process, port: int, database: Database, args: argparse.Namespace) -> dict[str, Any]:
    clients = [Client(port, make_key(database, f"bench-{n}", ["submit", "read"])[1]) for n in range(4)]
    alone_mb = process.memory_info().rss / 2**20
    alone = await lists(clients[0], args.path)
    calls = []
    for n in range(args.calls):
        calls.append(asyncio.create_task(clients[n % 2].call(n)))
        await asyncio.sleep(ARRIVAL)
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO prompts (prompt, publish, source) SELECT 'lake ' || n, 'picture', 'sql'"
            " FROM generate_series(1, %s) AS n",
            [args.streams],
        )
        ids = [row["id"] for row in connection.execute("SELECT id FROM prompts WHERE source = 'sql' ORDER BY id")]
    opened = asyncio.Semaphore(0)
    streams = []
    for n, each in enumerate(ids):
        streams.append(asyncio.create_task(clients[2 + n % 2].stream(each, opened)))
        await asyncio.sleep(ARRIVAL)
    for _ in streams:
        await opened.acquire()
    while not any(each.done() for each in (*calls, *streams)):
        with database.transaction() as connection:
            row = connection.execute("SELECT count(*) AS n FROM prompts").fetchone()
        if row is not None and row["n"] == args.calls + args.streams:
            break
        await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    held = await lists(clients[0], args.path)
    worked, began, over = process.cpu_times(), time.monotonic(), asyncio.Event()
    busy = asyncio.create_task(lists(clients[0], args.path, over))
    await asyncio.to_thread(draw, database)
    drawn = time.monotonic()
    ends = await asyncio.gather(*calls, *streams)
    over.set()
    used = process.cpu_times()
    cpu = used.user + used.system - worked.user - worked.system
    return {
        "calls": args.calls,
        "streams": args.streams,
        "path": args.path,
        "memory_alone_mb": round(alone_mb),
        "memory_mb": round(process.memory_info().rss / 2**20),
        "goal_memory_mb": GOAL_MB,
        "seconds_of_drawing": round(drawn - began, 1),
        "last_picture_seconds_late": round(max(ends) - drawn, 2),
        "core_share_while_drawing": round(cpu / (max(ends) - began), 2),
        **_percentiles("alone", alone),
        **_percentiles("waited_for", held),
        **_percentiles("drawing", await busy),
        "goal_ratio_of_p99": GOAL_RATIO,
    }


def _percentiles(name: str, times: list[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(times, n=100)
    return {f"{name}_p50_ms": round(hundredths[49], 1), f"{name}_p99_ms": round(hundredths[98], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--path", default="/api/posts")
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    gc.disable()  # its pauses in this process are none of the gateway's
    with job.own_world(), gateway() as (process, port), Database(os.environ["DATABASE_URL"]) as database:
        figures = asyncio.run(measured(process, port, database, args))
    report.write("gateway_waiting", figures)
    print(figures)


if __name__ == "__main__":
    main()
