"""The application: its routes together, and what stands before all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from glad_pipeline import __version__
from glad_pipeline.gateway import (
    document,
    events,
    files,
    health,
    media,
    metrics,
    post_pages,
    posts,
    problems,
    sitemap,
    studio_audit,
    studio_images,
    studio_import,
    studio_keys,
    studio_options,
    studio_outbox,
    studio_posts,
    studio_prompts,
    studio_queue,
    studio_review,
    studio_runs,
    studio_session,
    tasks,
    taxonomies,
    waiting,
    whoami,
)
from glad_pipeline.gateway.bounds import PROBES, Bounds
from glad_pipeline.gateway.callers import plain_cookie_name
from glad_pipeline.gateway.front import Front
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.rates import Rates
from glad_pipeline.gateway.state import state_of
from glad_pipeline.gateway.visitors import Visitors
from glad_pipeline.guard.hosts import Origin, hosts_in, origin_of
from glad_pipeline.guard.public import PublicGuard
from glad_pipeline.settings import Settings

FILES = ("/api/studio/prompts/import",)  # what takes a whole file of prompts
ROUTES = (  # in this order
    whoami,
    studio_session,
    health,
    metrics,
    post_pages,  # before those of any slug
    posts,
    taxonomies,
    sitemap,
    files,
    waiting,
    media,
    tasks,
    events,
    studio_options,
    studio_prompts,
    studio_import,
    studio_review,
    studio_posts,
    studio_images,
    studio_queue,
    studio_runs,
    studio_outbox,
    studio_audit,
    studio_keys,
)


class Cors(CORSMiddleware):
    """Starlette's, for what a page has sent: it would cost any other request as much as all else that stands here.

    That an answer depends on the origin `front` says of each.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_of_page = scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"])
        await (super().__call__ if is_of_page else self.app)(scope, receive, send)


def build_app(settings: Settings) -> FastAPI:
    """The gateway for these settings. Its routes answer once its lifespan has begun."""
    rates = Rates(anonymous=settings.gateway_rate, with_key=settings.gateway_key_rate)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.readiness, app.state.figures = health.Readiness(), metrics.Figures(app.state.registry)
        async with state_of(settings, rates) as app.state.glad:
            yield

    app = FastAPI(title="glad_pipeline", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.registry = CollectorRegistry()
    problems.add_to(app)
    app.router.routes.append(posts.anonymous)  # before FastAPI's own
    for routes in ROUTES:
        app.include_router(routes.router)
    _stand_before(app, settings, rates)
    document.complete(app)
    return app


def _stand_before(app: FastAPI, settings: Settings, rates: Rates) -> None:
    """What each request passes before it reaches a route, the last first."""
    origins = _origins(settings)
    app.add_middleware(
        Bounds,
        rates=rates,
        cookie=plain_cookie_name(settings),
        most=settings.gateway_body_kb * 1_024,
        files=FILES,
        most_of_file=settings.gateway_import_kb * 1_024,
    )
    app.add_middleware(Visitors, secret=settings.revalidate_secret)
    app.add_middleware(
        Cors,
        allow_origins=[str(each) for each in origins],
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-None-Match",
            "Last-Event-ID",
            "X-API-Key",
            "X-Request-Id",
        ],
        expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-Id"],
    )
    app.add_middleware(
        PublicGuard,
        hosts=hosts_in(settings.gateway_hosts),
        origins=origins,
        probes=PROBES,
        refuse=lambda scope, why: problems.answer(Problem(403, why)),
    )
    app.add_middleware(Front, requests=metrics.Requests(app.state.registry))


def _origins(settings: Settings) -> list[Origin]:
    """Whose pages may call from a browser: those that are listed, and the site."""
    listed = (settings.gateway_origins or "").split(",")
    site = "/".join((settings.site_url or "").split("/")[:3])
    found = [origin_of(each.strip()) for each in (*listed, site)]
    return [each for each in found if each]
