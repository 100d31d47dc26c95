"""The application: its routes together, and what stands before all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from glad_pipeline import __version__
from glad_pipeline.gateway import events, media, problems, tasks, waiting, whoami
from glad_pipeline.gateway.state import state_of
from glad_pipeline.settings import Settings


def build_app(settings: Settings) -> FastAPI:
    """The gateway for these settings. Its routes answer once its lifespan has begun."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with state_of(settings) as app.state.glad:
            yield

    app = FastAPI(title="glad_pipeline", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.add_to(app)
    for routes in (whoami, waiting, media, tasks, events):
        app.include_router(routes.router)
    return app
