"""`glad-webserver`: Dagster's own webserver, with all its options, behind the guard.

What Dagster hands to uvicorn goes into the guard first, so nothing is served that has not passed it. Decides nothing
about who is let in.
"""

from typing import Any

import click
import uvicorn
from dagster_webserver import cli

from glad_pipeline.defs.daemon import watch_less_often
from glad_pipeline.errors import GladError
from glad_pipeline.local.uvicorn_server import Server
from glad_pipeline.local.web import guard
from glad_pipeline.redaction import at_every_door
from glad_pipeline.settings import load_settings


def main() -> None:
    """Run Dagster's command; a mistake in the settings is a message."""
    at_every_door()
    watch_less_often()
    uvicorn.run = serve_guarded  # type: ignore[assignment]
    try:
        cli.main()  # type: ignore[no-untyped-call]
    except GladError as error:
        raise SystemExit(f"glad-webserver: {error}") from error


def serve_guarded(app: Any, *, host: str, **options: Any) -> None:
    """What `uvicorn.run` does, for the guarded application. Raises `UsageError` for an open door to the network."""
    settings = load_settings()
    current = click.get_current_context(silent=True)
    guarded = guard(app, settings, host, current.params.get("path_prefix", "") if current else "")
    proxies = [address.strip() for address in (settings.web_proxies or "").split(",") if address.strip()]
    ours = {"proxy_headers": bool(proxies), "forwarded_allow_ips": proxies}
    _serve(guarded, host=host, **{**options, **ours, "access_log": False, "server_header": False})


def _serve(app: Any, **options: Any) -> None:
    """What `uvicorn.run` does for one process."""
    Server(uvicorn.Config(app, **options)).run_to_its_end()


if __name__ == "__main__":
    main()
