"""`GET /metrics` for Prometheus: the requests of this process, and what the database says of queue and outbox.

For a key with the scope `read`: how long a queue is, is not for everybody. What has happened to prompts is counted from
the history of each (`prompt_events`) by the process that is asked, from its start on: of several, ask one.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.utils import floatToGoString

from glad_pipeline.database.pool import Pool
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.state import Here
from glad_pipeline.outbox.messages import SQL as OUTBOX
from glad_pipeline.prompts.figures import QUERIES

FRESH = 10.0  # seconds for which what the database said is said again
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
router = APIRouter(tags=["monitoring"])


class Requests:
    """Those that were answered. Counted by hand, and made the library's own when they are asked for: its counters take
    ten times as long, of each request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered: dict[tuple[str, str, int], int] = {}
        self._took: dict[tuple[str, str], _Took] = {}
        registry.register(self)

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more."""
        key = (method, route, status)
        self._answered[key] = self._answered.get(key, 0) + 1
        took = self._took.get(key[:2])
        if took is None:
            took = self._took[key[:2]] = _Took()
        took.counts[bisect_left(SECONDS, seconds)] += 1
        took.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """As the registry asks for them."""
        labels = ["method", "route"]
        answered = CounterMetricFamily(
            "glad_http_requests", "Requests by how they were answered", labels=[*labels, "status"]
        )
        for key, count in self._answered.items():
            answered.add_metric([*map(str, key)], count)
        yield answered
        took = HistogramMetricFamily("glad_http_request_seconds", "How long they took", labels=labels)
        for each, of in self._took.items():
            bounds = [*map(floatToGoString, SECONDS), "+Inf"]
            took.add_metric(each, list(zip(bounds, accumulate(of.counts), strict=True)), of.seconds)
        yield took


class _Took:
    """How long the requests of a route took."""

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)  # between two bounds each
        self.seconds = 0.0


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
