"""The gateway as a process: uvicorn with the application, until somebody asks for the end."""

from __future__ import annotations

import argparse

import uvicorn

from glad_pipeline.errors import GladError
from glad_pipeline.gateway.app import build_app
from glad_pipeline.redaction import at_every_door
from glad_pipeline.settings import load_settings

GRACE = 10  # seconds for which requests that are under way are waited for at the end


def main() -> None:
    """Serve; a mistake in the settings is a message."""
    at_every_door()
    parser = argparse.ArgumentParser(prog="glad gateway", description="The blog's API and the studio's.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    try:
        app = build_app(load_settings())
    except GladError as error:
        raise SystemExit(f"glad gateway: {error}") from error
    uvicorn.run(
        app,
        host=given.host,
        port=given.port,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
