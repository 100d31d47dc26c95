"""A TCP proxy that breaks connections on demand: what a network, a load balancer or a dying server does to us.

It stands between the pipeline and PostgreSQL or the S3 server, in a thread of its own, and is told what to do from the
test's thread. Whatever it is told is done when the call returns.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

CHUNK = 65_536
Result = TypeVar("Result")


class Proxy:
    """Listens on a port of 127.0.0.1 and passes everything on to `target`, until told otherwise. A context manager.

    Args:
        target: host and port of the server; may be set anew, for connections to come.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.port = 0
        self.accepted = 0  # connections so far
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        # the faults in force
        self.delay = 0.0  # seconds before each chunk
        self.rate = 0.0  # bytes a second each way; 0: no bound
        self.swallowing = False
        self.reset_at: int | None = None  # bytes of a connection, both ways together
        self.answering: bytes | None = None  # in the server's place
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._do(self._listen)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def heal(self) -> None:
        """Pass everything on again. A connection of which bytes were swallowed is reset: its peers disagree for good."""

        async def heal() -> None:
            self.delay, self.rate, self.swallowing, self.reset_at, self.answering = 0.0, 0.0, False, None, None
            for pair in [pair for pair in self._pairs if pair.lossy]:
                pair.end(reset=True)
            await self._listen()

        self._do(heal)

    def cut(self) -> None:
        """Close every connection; new ones are served."""
        self._do(self._each(lambda pair: pair.end(reset=False)))

    def reset(self) -> None:
        """Reset every connection (RST in place of FIN); new ones are served."""
        self._do(self._each(lambda pair: pair.end(reset=True)))

    def reset_after(self, count: int) -> None:
        """Reset each connection as its byte `count` passes, those that are open included."""

        async def arm() -> None:
            self.reset_at = count
            for pair in self._pairs:
                pair.passed = 0

        self._do(arm)

    def refuse(self) -> None:
        """Close every connection, and refuse new ones."""

        async def refuse() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None
            for pair in list(self._pairs):
                pair.end(reset=True)

        self._do(refuse)

    def half_close(self) -> None:
        """Say to every client that the server has nothing more to say; what clients send still arrives."""
        self._do(self._each(_Pair.half_close))

    def black_hole(self) -> None:
        """Accept connections and bytes, and pass nothing on."""

        async def swallow() -> None:
            self.swallowing = True

        self._do(swallow)

    def slow(self, *, delay: float = 0.0, rate: float = 0.0) -> None:
        """Hold each chunk back for `delay` seconds, and pass on at most `rate` bytes a second."""

        async def slow() -> None:
            self.delay, self.rate = delay, rate

        self._do(slow)

    def answer(self, answer: bytes) -> None:
        """Answer whatever a client says with this, and close its connection, as a server or balancer in trouble does."""

        async def answer_all() -> None:
            self.answering = answer

        self._do(answer_all)

    def close(self) -> None:
        if not self._loop.is_closed():
            self.refuse()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            self._loop.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, work: Callable[[], object]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(timeout=10)  # type: ignore[arg-type]

    def _each(self, act: Callable[[_Pair], None]) -> Callable[[], object]:
        async def each() -> None:
            for pair in list(self._pairs):
                act(pair)

        return each

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=CHUNK)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        pair = _Pair(self, writer)
        self._pairs.add(pair)
        try:
            await pair.serve(reader)
        finally:
            pair.end(reset=False)
            self._pairs.discard(pair)


class _Pair:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server: asyncio.StreamWriter | None = None
        self._mute = False  # half-closed: nothing more goes to the client
        self.passed = 0
        self.lossy = False

    async def serve(self, from_client: asyncio.StreamReader) -> None:
        while self._proxy.swallowing:  # a server that hears nothing has no connection either
            self.lossy = True
            if not await from_client.read(CHUNK):
                return
        try:
            from_server, self._server = await asyncio.open_connection(*self._proxy.target, limit=CHUNK)
        except OSError:
            self.end(reset=True)
            return
        await asyncio.gather(self._pump(from_client, self._server), self._pump(from_server, self._client))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        proxy = self._proxy
        try:
            while data := await source.read(CHUNK):
                if proxy.answering is not None and sink is self._server:
                    self._client.write(proxy.answering)
                    self.end(reset=False)
                    return
                if proxy.delay:
                    await asyncio.sleep(proxy.delay)
                if proxy.rate:
                    await asyncio.sleep(len(data) / proxy.rate)
                if proxy.swallowing:
                    self.lossy = True
                    continue
                if self._mute and sink is self._client:
                    continue
                if proxy.reset_at is not None and self.passed + len(data) >= proxy.reset_at:
                    sink.write(data[: max(0, proxy.reset_at - self.passed)])
                    await sink.drain()
                    self.end(reset=True)
                    return
                self.passed += len(data)
                sink.write(data)
                await sink.drain()
            if not (self._mute and sink is self._client):
                sink.write_eof()
        except OSError:
            self.end(reset=True)

    def half_close(self) -> None:
        if not self._mute and not self._client.is_closing():
            self._mute = True
            self._client.write_eof()

    def end(self, *, reset: bool) -> None:
        for writer in (self._client, self._server):
            if writer is None or writer.is_closing():
                continue
            if reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()
