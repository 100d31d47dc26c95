"""How long a connection may be of no use, and how many one address may have: uvicorn has no limits of that kind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from glad_pipeline.guard.hosts import neighbourhood

HEAD_SECONDS = 10.0  # for the head of a request to arrive, from the connection on, or from the answer before
TAKEN_SECONDS = 60.0  # for a client to take what lies ready for it: at most some 300 kB of a file
MOST = 256  # of one address
LOCAL = ("127.0.0.0/8", "::1/128")  # this machine's own
Networks = Collection[IPv4Network | IPv6Network]


class Limited(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # it is one of two classes
    """uvicorn's protocol with these limits; `protocol_of` makes the one of a server."""

    of_many: Networks  # who may have any number of connections
    open_by: Counter[str]
    _late: asyncio.TimerHandle | None = None  # no head, and after that no end
    _untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = _address(self.client, self.of_many)
        self.open_by[self._address] += 1
        if self._address and self.open_by[self._address] > MOST:
            transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_by[self._address] -= 1
        if not self.open_by[self._address]:
            del self.open_by[self._address]
        for timer in (self._late, self._untaken):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._untaken = self.loop.call_later(TAKEN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._untaken is not None:
            self._untaken.cancel()

    def _watch(self) -> None:
        is_under_way = self.cycle is not None and not self.cycle.response_complete
        if is_under_way and self._late is not None:
            self._late.cancel()
            self._late = None
        elif not is_under_way and self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._end)

    def _end(self) -> None:
        self.transport.close()  # once the answer before is taken
        self._late = self.loop.call_later(TAKEN_SECONDS, self.transport.abort)


def protocol_of(proxies: Collection[str]) -> type[asyncio.Protocol]:
    """uvicorn's protocol with these limits. `proxies`, as this machine, have any number of connections."""
    own = {"of_many": [ip_network(each) for each in (*LOCAL, *proxies)], "open_by": Counter()}
    return type("Protocol", (Limited,), own)


def _address(client: tuple[str, int] | None, of_many: Networks) -> str:
    """Whose connection it is; empty for one that may have any number."""
    try:
        known = ip_address(client[0] if client else "")
    except ValueError:
        return ""
    plain = getattr(known, "ipv4_mapped", None) or known
    return "" if any(plain in each for each in of_many) else neighbourhood(str(known))
