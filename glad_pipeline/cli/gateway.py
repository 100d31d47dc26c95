"""`glad gateway`: the gateway alone, in the foreground: a program of its own, which takes the place of this one."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from glad_pipeline.cli.runtime import Runtime

PROGRAM = "glad_pipeline.gateway"


def gateway(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="H", help="address to listen on; for others, see GLAD_GATEWAY_HOSTS")] = (
        "127.0.0.1"
    ),
    port: Annotated[int | None, typer.Option(metavar="P", help="absent: GLAD_GATEWAY_PORT")] = None,
    openapi: Annotated[bool, typer.Option("--openapi", help="print its OpenAPI document instead")] = False,
) -> int:
    """The API of blog and studio alone, in the foreground; Ctrl-C stops it."""
    if openapi:
        os.execv(sys.executable, [sys.executable, "-m", PROGRAM, "--openapi"])  # noqa: S606 - as below
    runtime = Runtime.of(context)
    settings = runtime.settings
    is_whole = settings.database_url is not None and settings.names_store  # then it starts while both are away, too
    environment = dict(os.environ) if is_whole else runtime.environment()
    where = ["--host", host, "--port", str(port or settings.gateway_port)]
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", PROGRAM, *where], environment)  # noqa: S606 - as `glad run` does
