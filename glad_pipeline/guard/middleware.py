"""The guard: an ASGI application around another one, which sees only what may reach it.

In this order: the host is one of ours, so that no other name can be made to point here; the request comes from our own
page or from no page at all; who asks is known; and what may change something is a POST of JSON, which no page of
another origin can send unasked. Knows HTTP and WebSockets, not what is asked for.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterable
from urllib.parse import parse_qs, quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glad_pipeline.guard import pages
from glad_pipeline.guard.access import SESSION_SECONDS, Access
from glad_pipeline.guard.hosts import LOOPBACK, host_name, is_loopback, origin, origin_of
from glad_pipeline.guard.patience import Patience

LOGIN = "/guard/login"
SAFE = ("GET", "HEAD", "OPTIONS")
OURS = ("same-origin", "none")  # Sec-Fetch-Site of our own page, and of an address that a person typed
MOST_BYTES = 8_192  # of a login
ALONE = ("host", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "authorization", "content-type")
HEADERS = {  # unless the application says something itself
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

logger = logging.getLogger(__name__)


class Guard:
    """Lets through to `app` whoever may call it.

    `hosts` are the names, beside this machine's own, by which the application is reached. GET is for looking: a path
    with `graphql` in it, where an application may take a whole mutation from the address, gets no query. `prefix` is
    what stands before every path of the application, `/dagster` for instance.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        hosts: Iterable[str] = (),
        prefix: str = "",
        patience: Patience | None = None,
    ) -> None:
        self._app = app
        self._login_path, self._front = f"{prefix}{LOGIN}", f"{prefix}/"
        self._access = access
        self._hosts = LOOPBACK | set(hosts)
        self._patience = patience or Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            caller = HTTPConnection(scope)
            if self._why_foreign(caller) or not self._knows(caller) or _is_nobodys(caller):
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            else:
                await self._app(scope, receive, send)
        elif scope["type"] == "http":
            send = _with_headers(send)
            answer = await self._answer(Request(scope, receive))
            if answer is None:
                await self._app(scope, receive, send)
            else:
                await answer(scope, receive, send)
        else:
            raise ValueError(f"the guard knows no {scope['type']}")

    async def _answer(self, request: Request) -> Response | None:
        """The guard's own answer; None where the application is to answer."""
        if why := self._why_foreign(request):
            return _refused(403, why)
        if request.scope["path"] == self._login_path:
            return await self._login(request)
        if not self._knows(request):
            return self._stranger(request)
        return self._why_not(request)

    def _why_foreign(self, caller: HTTPConnection) -> str | None:
        """Why this comes from elsewhere, whoever sends it."""
        if twice := next((name for name in ALONE if len(caller.headers.getlist(name)) > 1), None):
            return f"There is more than one header {twice}."
        authority = caller.headers.get("host", "")
        if host_name(authority) not in self._hosts:
            return (
                f"This is not the host {authority[:100]!r}. If it is to be, name it in GLAD_WEB_HOSTS; "
                "a proxy has to hand on the header Host as it came."
            )
        if self._access.is_open and not is_loopback((caller.scope.get("server") or ("",))[0]):
            return "Without a token this is for programs of this machine. Unset GLAD_WEB_TOKEN."
        claimed, own = caller.headers.get("origin"), origin(caller.scope["scheme"], authority)
        if claimed is not None and origin_of(claimed) != own:
            return (
                f"A page of {claimed[:100]!r} may not call {caller.scope['scheme']}://{authority}. Behind a proxy with "
                "TLS, GLAD_WEB_PROXIES has to name the proxy, and it has to send X-Forwarded-Proto."
            )
        if caller.headers.get("sec-fetch-site", "none") not in OURS and not _is_navigation(caller):
            return "A page of another site may not call this."
        return None

    def _knows(self, caller: HTTPConnection) -> bool:
        """Whether the caller has shown the token, or a session."""
        if self._access.is_open:
            return True
        if shown := caller.headers.get("authorization"):
            return self._access.is_token(_credentials(shown, from_browser="sec-fetch-site" in caller.headers))
        names = {self._access.cookie, f"__Host-{self._access.cookie}"}
        pairs = (pair.strip().partition("=") for pair in ";".join(caller.headers.getlist("cookie")).split(";"))
        return any(name in names and self._access.is_session(value) for name, _, value in pairs)

    def _stranger(self, request: Request) -> Response:
        """For somebody unknown: a page to log in, if it is a person who wants to see one."""
        path, query = (
            request.scope.get("raw_path") or quote(request.scope["path"]).encode(),
            request.scope["query_string"],
        )
        wanted = (path + (b"?" + query if query else b"")).decode("latin-1")
        if request.method in SAFE and _accepts_html(request):
            if request.headers.get("sec-fetch-site", "none") not in OURS:
                # a link on another site: the browser has kept back the session that there may be. From here it comes.
                return _page(pages.onward_page(_local(wanted)))
            return self._login_page(401, wanted)
        return _refused(
            401,
            "This asks for the token: Authorization: Bearer TOKEN. It is in the file "
            ".glad/web-token (web-token in GLAD_HOME), or what GLAD_WEB_TOKEN says.",
            {"WWW-Authenticate": "Bearer"},
        )

    def _why_not(self, request: Request) -> Response | None:
        """What somebody known may not do in this way."""
        if request.method in SAFE:
            if "graphql" in request.scope["path"].lower() and request.scope["query_string"]:
                if not _accepts_html(request):
                    return _refused(405, "GraphQL is asked by POST, as JSON.", {"Allow": "POST"})
                request.scope["query_string"] = b""  # its page for trying reads it in the browser
            return None
        if _is_nobodys(request):
            return _refused(403, "What changes something has to say where it comes from (Origin), or show the token.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refused(415, "What changes something is a request with a body of JSON (Content-Type).")
        return None

    async def _login(self, request: Request) -> Response:
        """A session for whoever shows the token (in the address or typed) or the password (typed)."""
        if self._access.is_open:
            return RedirectResponse(self._front, 303)
        if request.method in ("GET", "HEAD"):
            shown = request.query_params.get("token")
            if shown is None:
                return self._login_page(200, self._front)
            if self._access.is_token(shown):
                return self._opened(request, _page(pages.onward_page(self._front), {"Referrer-Policy": "no-referrer"}))
            return self._login_page(
                401, self._front, "The token in this address is not, or is no longer, the right one."
            )
        if request.method != "POST":
            return _refused(405, "Log in by GET or POST.", {"Allow": "GET, HEAD, POST"})
        form = await _form(request)
        if form is None:
            return _refused(413, "This is too long for a login.")
        given, after = form.get("password", ""), form.get("after", self._front)
        client = request.client.host if request.client else ""
        right: bool | None = self._access.is_token(given)
        if not right and self._access.password is not None:
            right = await self._patience.guess(client, lambda: self._access.is_password(given))
        if right:
            return self._opened(request, RedirectResponse(_local(after), 303))
        logger.warning("web.login.refused client=%r", client)
        if right is None:
            notice = "Too many guesses from your address are being looked at. Try again in a minute, or use the token."
            return self._login_page(429, after, notice)
        asked = "token" if self._access.password is None else "password"
        return self._login_page(401, after, f"That is not the {asked}.")

    def _opened(self, request: Request, answer: Response) -> Response:
        secure = request.scope["scheme"] == "https"
        answer.set_cookie(
            f"__Host-{self._access.cookie}" if secure else self._access.cookie,
            self._access.session(),
            max_age=SESSION_SECONDS,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _login_page(self, status: int, after: str, notice: str = "") -> Response:
        has_password = self._access.password is not None
        body = pages.login_page(action=self._login_path, after=_local(after), has_password=has_password, notice=notice)
        return _page(body, status=status)


def _is_nobodys(caller: HTTPConnection) -> bool:
    """Whether a session is all that is shown, and no header says which page sent it: every browser of today says."""
    says = {"authorization", "origin", "sec-fetch-site"} & set(caller.headers)
    return "cookie" in caller.headers and not says


def _is_navigation(caller: HTTPConnection) -> bool:
    """Whether a person followed a link: the page is shown, in a window of its own, and nobody else reads it."""
    return (
        caller.scope["type"] == "http"
        and caller.scope["method"] in ("GET", "HEAD")
        and caller.headers.get("sec-fetch-mode") == "navigate"
        and caller.headers.get("sec-fetch-dest") == "document"
    )


def _credentials(header: str, *, from_browser: bool) -> str:
    """The token in `Bearer TOKEN`, or in `Basic` as the password, for programs that can only be given an address.

    Not for browsers: they would send it along from any page.
    """
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic" and not from_browser:
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _accepts_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _local(path: str) -> str:
    """A path on this host; `/` in place of anything that a browser might take for another host."""
    fits = re.fullmatch(r"/(?![/\\])[^\\\x00-\x1f\x7f]*", path)
    return quote(path, safe="/?&=%:@!$'()*+,;~#[]") if fits else "/"


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a posted form; None for more than a login has."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _page(body: str, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    policy = {"Content-Security-Policy": pages.POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(body, status, {**policy, **(headers or {})})


def _refused(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{why}\n", status, {"Cache-Control": "no-store", **(headers or {})})


def _with_headers(send: Send) -> Send:
    """Nobody frames, embeds or holds a window of what is answered."""

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("Content-Security-Policy", "frame-ancestors 'none'")  # beside the application's own
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return telling
