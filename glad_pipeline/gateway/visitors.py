"""For whom the site asks: its server makes one visitor's requests like another's, all from one address.

Who has the secret that the site and we share (GLAD_REVALIDATE_SECRET) is the site's server. It says whose request it
passes on, and that visitor's rates count; what it asks for by itself, for all of its visitors, counts for nobody. A
visitor whose address is none counts as the site's server: anybody may write `X-Forwarded-For` where no proxy does.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

SECRET, VISITOR = b"x-glad-site", b"x-glad-visitor"
OF_SITE = "glad.of_site"  # in a scope: the site asks by itself


class Visitors:
    """ASGI middleware. `secret`: None where there is no site that could say anything."""

    def __init__(self, app: ASGIApp, *, secret: SecretStr | None) -> None:
        self._app = app
        self._secret = secret.get_secret_value().encode() if secret else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_of_site(scope):
            visitor = next((value.decode("latin-1") for name, value in scope["headers"] if name == VISITOR), None)
            if visitor is None:
                scope[OF_SITE] = True  # `front` has it too
            elif _is_address(visitor):
                scope["client"] = (visitor, 0)
        await self._app(scope, receive, send)

    def _is_of_site(self, scope: Scope) -> bool:
        shown = next((value for name, value in scope["headers"] if name == SECRET), None)
        return shown is not None and bool(self._secret) and hmac.compare_digest(shown, self._secret or b"")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
