"""Who calls: nobody in particular, somebody with an API key, or a person in the studio with a session.

A route says which scope it asks for: `caller: Annotated[Caller, needs("submit")]`. Without it, it is for everybody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from glad_pipeline.callers import keys, sessions
from glad_pipeline.callers.keys import Scope, allows, digest, is_key
from glad_pipeline.callers.sessions import csrf_token
from glad_pipeline.database import actor, describe
from glad_pipeline.gateway.bounds import too_many
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import CALLER, State
from glad_pipeline.guard.public import READS
from glad_pipeline.settings import Settings

CHALLENGE = {"WWW-Authenticate": "Bearer"}
CSRF = "X-CSRF-Token"
_bearer = HTTPBearer(
    auto_error=False,
    description="An API key, of `./glad keys make NAME --scope submit`; also as the header X-API-Key. The studio's "
    "pages have a session in its place (`POST /api/studio/session`).",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody with a key, or with a session that was opened with one."""

    key_id: int
    name: str
    scopes: Collection[str]
    session: str | None = field(default=None, repr=False)  # what the cookie has
    session_expires_at: datetime | None = None


FOR_ANYBODY: dict[str, Any] = {"security": [{}]}  # `openapi_extra` of a route that is for who shows no key, too
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def caller_of(request: Request, shown: Shown) -> Caller | None:
    """Who has shown a key or a session; None: nobody has.

    Raises `Problem`: 401 for one that opens nothing, 403 for a change by a session without its CSRF token, 429.
    """
    state: State = request.app.state.glad  # no dependency: each costs at every start, for every route, and each request
    text = shown.credentials if shown else request.headers.get("x-api-key")
    if text is not None:
        caller = await caller_of_key(request, state, text)
    elif session := request.cookies.get(cookie_name(request, state.settings)):
        caller = await _caller_of_session(request, state, session)
    else:
        return None
    request.scope[CALLER] = caller.name
    if request.method not in READS:
        actor.set(caller.name)
    if wait := state.rates.of_key(caller.key_id):
        raise too_many(f"the key {caller.name}", wait)
    return caller


async def caller_of_key(request: Request, state: State, text: str) -> Caller:
    """Whose key this is. Raises `Problem`: 401 for nobody's, 429 for an address that has shown too many such."""
    hashed = digest(text)
    if wait := state.rates.of_guess(request.scope, hashed):
        raise too_many("this address, with keys that open nothing,", wait)
    row = await state.pool.row(keys.QUERIES["caller"], {"hash": hashed}) if is_key(text) else None
    if row is None:
        state.rates.was_wrong(request.scope, hashed)
        raise Problem(401, "this key is not known, has expired or was revoked", headers=CHALLENGE)
    state.rates.was_right(hashed)
    return Caller(key_id=row["id"], name=row["name"], scopes=row["scopes"])


async def _caller_of_session(request: Request, state: State, text: str) -> Caller:
    hashed = digest(text)
    row = await state.pool.row(sessions.QUERIES["caller"], {"hash": hashed})
    if row is None:
        state.rates.was_over(hashed)
        raise Problem(401, "this session is over: log in again", headers=CHALLENGE)
    state.rates.was_right(hashed)
    token = request.headers.get(CSRF, "")
    if request.method not in READS and not hmac.compare_digest(token.encode(), csrf_token(text).encode()):
        raise Problem(
            403,
            f"a change by a session needs its header {CSRF}: POST and GET /api/studio/session answer its csrf_token",
        )
    return Caller(
        key_id=row["id"],
        name=row["name"],
        scopes=row["scopes"],
        session=text,
        session_expires_at=row["expires_at"],
    )


def cookie_name(request: Request, settings: Settings) -> str:
    """Of a session's cookie."""
    name = plain_cookie_name(settings)
    return f"__Host-{name}" if request.url.scheme == "https" else name


def plain_cookie_name(settings: Settings) -> str:
    """The same without what https adds. Cookies know no ports: two deployments on one machine have two names."""
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    mark = hashlib.sha256(f"{settings.home.absolute()} {describe(url)}".encode()).hexdigest()[:8]
    return f"glad-studio-{mark}"


def needs(*scopes: Scope) -> Any:
    """The caller of a route that is for any of these scopes. Raises as `caller_of` and `require`."""

    async def check(request: Request, shown: Shown) -> Caller:
        return require(await caller_of(request, shown), *scopes)

    return Depends(check)


def require(caller: Caller | None, *scopes: Scope) -> Caller:
    """A caller with any of these scopes. Raises `Problem`: 401 for nobody, 403 for another one."""
    wanted = " or ".join(scopes)
    if caller is None:
        raise Problem(
            401, f"this asks for an API key with the scope {wanted}: Authorization: Bearer KEY", headers=CHALLENGE
        )
    if not any(allows(caller.scopes, scope) for scope in scopes):
        raise Problem(403, f"the key {caller.name} has the scopes {', '.join(caller.scopes)}: this needs {wanted}")
    return caller
