"""`/api/studio/session`: logging in to the studio with a key, who is logged in, logging out.

The cookie is for the browser alone (HttpOnly), goes to no other site (SameSite=Lax), and over https only where the
login came so. Each change needs the CSRF token, which is in the answers here and which only a page of ours can read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from glad_pipeline.callers.keys import digest
from glad_pipeline.callers.sessions import HOURS, Session, close_session, csrf_token, open_session
from glad_pipeline.gateway.callers import CHALLENGE, Caller, caller_of, caller_of_key, cookie_name
from glad_pipeline.gateway.models import Asked, Model
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here

router = APIRouter(prefix="/api/studio/session", tags=["studio"])
NO_SESSION: dict[int | str, dict[str, Any]] = {401: {"description": "nobody is logged in"}}


class Login(Asked):
    """What a person shows."""

    key: str = Field(max_length=200, description="An API key.", examples=["glad_…"])


class Opened(Model):
    """Who is logged in."""

    name: str = Field(description="The name of the key.")
    scopes: list[str]
    csrf_token: str = Field(description="The header X-CSRF-Token of every change.")
    expires_at: datetime


class Answer(Model):
    """The session."""

    data: Opened


def _session_of(caller: Caller | None) -> tuple[str, datetime]:
    """What the cookie has, and until when. Raises `Problem` for nobody, and for who shows a key."""
    if caller is None or caller.session is None or caller.session_expires_at is None:
        raise Problem(401, "nobody is logged in: POST /api/studio/session with a key", headers=CHALLENGE)
    return caller.session, caller.session_expires_at


async def _caller(caller: Annotated[Caller | None, Depends(caller_of)]) -> Caller | None:
    _session_of(caller)
    return caller


LoggedIn = Annotated[Caller, Depends(_caller)]


@router.post("", summary="Log in with a key", responses={401: {"description": "the key opens nothing"}})
async def log_in(login: Login, request: Request, response: Response, state: Here) -> Answer:
    """A cookie for the browser, and the CSRF token. Ends after half a day, with the key, or by logging out."""
    caller = await caller_of_key(request, state, login.key)
    session: Session | None = await state.blocking(open_session, state.database, caller.key_id, digest(login.key))
    if session is None:
        raise Problem(401, "this key was revoked", headers=CHALLENGE)
    _set_cookie(request, response, state, session.text, HOURS * 3_600)
    return _answer(response, caller, session.text, session.expires_at)


@router.get("", summary="Who is logged in", responses=NO_SESSION)
async def look(caller: LoggedIn, response: Response) -> Answer:
    """The session that the cookie is of, with its CSRF token."""
    return _answer(response, caller, *_session_of(caller))


@router.delete("", status_code=204, summary="Log out", responses=NO_SESSION)
async def log_out(caller: LoggedIn, request: Request, response: Response, state: Here) -> None:
    """The session opens nothing any more."""
    await state.blocking(close_session, state.database, _session_of(caller)[0])
    _set_cookie(request, response, state, "", 0)


def _set_cookie(request: Request, response: Response, state: Here, text: str, seconds: int) -> None:
    is_secure = request.url.scheme == "https"
    name = cookie_name(request, state.settings)
    response.set_cookie(name, text, max_age=seconds, secure=is_secure, httponly=True, samesite="lax")


def _answer(response: Response, caller: Caller, text: str, expires_at: datetime) -> Answer:
    response.headers["Cache-Control"] = "no-store"
    opened = Opened(name=caller.name, scopes=list(caller.scopes), csrf_token=csrf_token(text), expires_at=expires_at)
    return Answer(data=opened)
