"""`GET /metrics` for Prometheus: the requests of this process, and what the database says of queue and outbox.

For a key with the scope `read`: how long a queue is, is not for everybody. What has happened to prompts is counted from
the history of each (`prompt_events`) by the process that is asked, from its start on: of several, ask one.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from glad_pipeline.database.pool import Pool
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.state import Here
from glad_pipeline.outbox.messages import SQL as OUTBOX
from glad_pipeline.prompts.figures import QUERIES

FRESH = 10.0  # seconds for which what the database said is said again
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
router = APIRouter(tags=["monitoring"])


class Requests:
    """Those that were answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["method", "route"]
        self._answered = Counter(
            "glad_http_requests", "Requests by how they were answered", [*labels, "status"], registry=registry
        )
        self._seconds = Histogram(
            "glad_http_request_seconds", "How long they took", labels, buckets=SECONDS, registry=registry
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # looking a label up takes longest

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more."""
        key = (method, route, status)
        if key not in self._known:
            self._known[key] = self._answered.labels(*map(str, key)), self._seconds.labels(method, route)
        answered, took = self._known[key]
        answered.inc()
        took.observe(seconds)


class Figures:
    """What the database says."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._prompts = Gauge("glad_prompts", "Prompts by status", ["status"], registry=registry)
        self._oldest = Gauge(
            "glad_oldest_pending_seconds", "How long the oldest pending prompt has waited", registry=registry
        )
        self._outbox = Gauge("glad_outbox_messages", "Messages to site, CDN and bucket", ["status"], registry=registry)
        self._events = Counter(
            "glad_prompt_events",
            "What has happened to prompts; stored: pictures, published: posts",
            ["event"],
            registry=registry,
        )
        self._stages = Counter(
            "glad_stage_seconds", "Seconds from the event before, summed over all prompts", ["event"], registry=registry
        )
        self._turn = asyncio.Lock()
        self._fresh_until = 0.0
        self._counted_until: str | None = None

    async def look(self, pool: Pool) -> None:
        """Ask, unless somebody has just done so."""
        async with self._turn:
            if time.monotonic() < self._fresh_until:
                return
            states = await pool.rows(QUERIES["states"])
            oldest = await pool.row(QUERIES["oldest"])
            messages = await pool.rows(OUTBOX["counts"])
            events = await pool.rows(QUERIES["events_since"], {"since": self._counted_until})
            for gauge, rows, count in ((self._prompts, states, "prompts"), (self._outbox, messages, "messages")):
                gauge.clear()
                for row in rows:
                    gauge.labels(row["status"]).set(row[count])
            self._oldest.set(oldest["seconds"] if oldest else 0)
            for row in events:
                self._counted_until = row["until"]
                if row["event"] is not None:
                    self._events.labels(row["event"]).inc(row["number"])
                    self._stages.labels(row["event"]).inc(row["seconds"])
            self._fresh_until = time.monotonic() + FRESH


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, state: Here, caller: Annotated[Caller, needs("read")]) -> Response:
    """Queue, outbox, events of prompts, and the requests of this process."""
    await request.app.state.figures.look(state.pool)
    body = generate_latest(request.app.state.registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})
