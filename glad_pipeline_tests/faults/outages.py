"""What happens to a run when its connections break at a given moment: the run, the fault and its end in one process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from glad_pipeline import failpoints
from glad_pipeline_tests.faults.invariants import Findings
from glad_pipeline_tests.faults.proxy import Proxy
from glad_pipeline_tests.faults.world import World, shorten_grace

Side = Literal["database", "store"]
PROMPTS = 30

FAULTS: Mapping[str, Callable[[Proxy], None]] = {
    "cut": Proxy.cut,
    "reset": Proxy.reset,
    "refused": Proxy.refuse,
    "half-closed": Proxy.half_close,
    "swallowed": Proxy.black_hole,
    "slow": lambda proxy: proxy.slow(delay=0.05, rate=100_000),
    "overloaded": lambda proxy: proxy.answer(
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ),
    "full": lambda proxy: proxy.answer(
        b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ),
    "reset at byte 1": lambda proxy: proxy.reset_after(1),
    "reset at byte 700": lambda proxy: proxy.reset_after(700),
}


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Which connections break how, when, and for how long."""

    side: Side
    fault: str  # of FAULTS
    at: str  # a commit point
    occurrence: int = 1  # which time it is reached
    seconds: float | None = 1.0  # until it heals; None: when the run has ended

    def __str__(self) -> str:
        return f"{self.side} {self.fault} at {self.at} {self.occurrence} {'' if self.seconds else 'for good'}".strip()


@dataclass(frozen=True, kw_only=True)
class Survived:
    """What became of it."""

    hit: bool
    ended: str | None  # why the run failed; None: it finished
    recovery: Sequence[str | None]
    findings: Findings
    attempts: int  # the most that any prompt was charged with


def suffer(outage: Outage) -> Survived:
    """In a process of its own: a run over PROMPTS prompts, through an outage; then recovery and the invariants."""
    world = World()
    world.add_hills(PROMPTS)
    direct = dict(os.environ)
    with _proxy(outage.side) as proxy:
        left = outage.occurrence

        def action(point: str) -> None:
            nonlocal left
            left -= point == outage.at
            if point == outage.at and left == 0:
                FAULTS[outage.fault](proxy)
                if outage.seconds is not None:
                    threading.Timer(outage.seconds, proxy.heal).start()

        failpoints.arm(action)
        ended = world.run()
        failpoints.arm(None)
        proxy.heal()
        shorten_grace()
        recovery = world.recover()  # through the proxy: a spool belongs to one address of a store
    os.environ.update(direct)
    [row] = world.sql("SELECT max(attempts) AS most FROM prompts")
    return Survived(hit=left <= 0, ended=ended, recovery=recovery, findings=world.examine(), attempts=row["most"])


def _proxy(side: Side) -> Proxy:
    """A proxy before that server, and this process's environment pointed at it."""
    variable = "DATABASE_URL" if side == "database" else "AWS_ENDPOINT_URL_S3"
    url = urlsplit(os.environ[variable])
    proxy = Proxy((url.hostname or "", url.port or 0))
    login = f"{url.username}:{url.password}@" if url.username else ""
    if side == "store":  # what visitors are told is the server's own address
        os.environ["GLAD_PUBLIC_BASE_URL"] = f"{os.environ[variable]}/{os.environ['AWS_S3_BUCKET']}"
    os.environ[variable] = urlunsplit(url._replace(netloc=f"{login}127.0.0.1:{proxy.port}"))
    return proxy
