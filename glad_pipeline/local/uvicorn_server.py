"""uvicorn as the web UI and the gateway use it: it costs less while nothing happens. Knows no application."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import uvicorn

TICK = 0.5  # seconds between looks whether it is to end; uvicorn itself looks ten times a second
NOT_STARTED = 3  # the exit code of uvicorn itself


class Server(uvicorn.Server):
    """uvicorn's, for one process."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await asyncio.sleep(TICK)

    def run_to_its_end(self) -> None:
        """Serve until somebody asks for the end. Raises `SystemExit` if it could not start."""
        with suppress(KeyboardInterrupt):
            self.run()
        if not self.started:
            raise SystemExit(NOT_STARTED)
