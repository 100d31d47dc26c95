"""The guard of an application that is for everybody and asks for keys itself: what pages of others may not do with it.

The host is one of ours, so that no other name can be made to point here. A page of another origin changes nothing,
unless its origin is listed; and no page but our own has the session with it: a cookie that a browser sends along from
elsewhere is taken off. Knows HTTP, not what is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from glad_pipeline.guard.hosts import LOOPBACK, Origin, host_name, origin, origin_of

READS = ("GET", "HEAD")
OURS = (b"same-origin", b"none")  # Sec-Fetch-Site of our own page, and of an address that a person typed
ALONE = {
    *(b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"authorization", b"x-api-key"),
    *(b"content-type", b"content-encoding", b"x-csrf-token"),
}
Refuse = Callable[[Scope, str], Response]


class PublicGuard:
    """Lets through to `app` what no stranger's page can misuse; `refuse` makes the response of what it does not.

    `hosts`: the names, beside this machine's own, by which the application is reached. `origins`: whose pages may call
    it from a browser. `probes`: paths that tell nothing and are asked for by whatever name a probe knows.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        origins: Collection[Origin],
        probes: Collection[str] = (),
        refuse: Refuse,
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK | set(hosts)
        self._origins = frozenset(origins)
        self._probes = frozenset(probes)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # there is none
        elif scope["type"] == "http" and (why := self._why_refused(scope)):
            await self._refuse(scope, why)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _why_refused(self, scope: Scope) -> str | None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in ALONE:
                return f"there is more than one header {name.decode('latin-1')}"
            headers[name] = value
        authority = headers.get(b"host", b"").decode("latin-1")
        if host_name(authority) not in self._hosts and scope["path"] not in self._probes:
            return (
                f"this is not the host {authority[:100]!r}: if it is to be, name it in GLAD_GATEWAY_HOSTS; a proxy has "
                "to hand on the header Host as it came"
            )
        if not _is_foreign(scope, headers, authority):
            return None
        claimed = headers.get(b"origin", b"").decode("latin-1")
        is_listed = bool(claimed) and origin_of(claimed) in self._origins
        if not is_listed and scope["method"] not in READS:
            return (
                f"a page of {claimed[:100] or 'another site'!r} may not call {scope['scheme']}://{authority}: its "
                "origin is not in GLAD_GATEWAY_ORIGINS. Behind a proxy with TLS, GLAD_GATEWAY_PROXIES has to name the "
                "proxy, and it has to send X-Forwarded-Proto"
            )
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"cookie"]
        return None


def _is_foreign(scope: Scope, headers: dict[bytes, bytes], authority: str) -> bool:
    """Whether a page of another origin has made a browser send this."""
    if (claimed := headers.get(b"origin")) is not None:
        found = origin_of(claimed.decode("latin-1"))
        return found is None or found != origin(scope["scheme"], authority)
    if headers.get(b"sec-fetch-site", b"none") in OURS:
        return False
    follows_a_link = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    return not (follows_a_link and scope["method"] in READS)
