"""The application: its routes together, and what stands before all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from glad_pipeline import __version__
from glad_pipeline.gateway import (
    problems,
    studio_audit,
    studio_import,
    studio_keys,
    studio_outbox,
    studio_posts,
    studio_prompts,
    studio_queue,
    studio_review,
    whoami,
)
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
    studio = (
        *(studio_prompts, studio_import, studio_review, studio_posts),
        *(studio_queue, studio_outbox, studio_audit, studio_keys),
    )
    for routes in (whoami, *studio):
        app.include_router(routes.router)
    return app
