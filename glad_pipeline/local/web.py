"""Who is let in to the web UI of this deployment, and the token that is made for it at the first start.

Knows the settings and the state directory; not how the UI is served.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.guard import LOGIN, Access, Guard
from glad_pipeline.guard.hosts import hosts_in, is_loopback
from glad_pipeline.local.home import Home, write_atomically
from glad_pipeline.settings import Settings

TOKEN_FILE = "web-token"  # noqa: S105 - a name


def access(settings: Settings) -> Access:
    """Token and password, as the settings say; a token that they do not name is the one in GLAD_HOME.

    Raises `UsageError` where they want no token, and more than this machine alone.
    """
    password = settings.web_password.get_secret_value() if settings.web_password else None
    if settings.web_token is None:
        return Access(token=_token(Home(settings.home).prepare()), password=password)
    given = settings.web_token.get_secret_value()
    if given != "off":
        return Access(token=given, password=password)
    for name, value in (("GLAD_WEB_HOSTS", settings.web_hosts), ("GLAD_WEB_PASSWORD", password)):
        if value:
            raise UsageError(
                f"GLAD_WEB_TOKEN is off and {name} is set: without a token the web UI asks nobody for anything, and is "
                "for the programs of this machine alone. Unset one of them"
            )
    return Access(token=None)


def guard(app: Any, settings: Settings, host: str, prefix: str = "") -> Guard:
    """The guard that the settings want, for an application that listens there."""
    wanted = access(settings)
    if wanted.is_open and not is_loopback(host):
        raise UsageError(
            f"GLAD_WEB_TOKEN is off, and {host} can be reached by others. Unset it, or listen on 127.0.0.1"
        )
    return Guard(app, access=wanted, hosts=hosts_in(settings.web_hosts), prefix=prefix)


def address(url: str, settings: Settings) -> str:
    """What a person opens: the address that logs them in, unless they log in with a password or not at all."""
    wanted = access(settings)
    return url if wanted.token is None or wanted.password else f"{url}{LOGIN}?token={quote(wanted.token, safe='')}"


def _token(home: Home) -> str:
    """The token of this state directory: a file of its own, so that `cat` is enough and removing it makes a new one."""
    file = home.path / TOKEN_FILE
    with home.lock():
        if not file.exists():
            write_atomically(file, secrets.token_urlsafe(24))
        token = file.read_text(encoding="utf-8").strip()
    if len(token) < 20:
        raise GladError(f"{file} holds no token. Remove it, and a new one is made at the next start")
    return token
