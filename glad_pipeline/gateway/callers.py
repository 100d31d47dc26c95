"""Who calls: nobody in particular, somebody with an API key, or a person in the studio with a session.

A route says which scope it asks for: `caller: Annotated[Caller, needs("submit")]`. Without it, it is for everybody.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from glad_pipeline.callers.keys import QUERIES, Scope, allows, digest, is_key
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here

_bearer = HTTPBearer(auto_error=False, description="An API key: `./glad keys make NAME --scope submit`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody with a key, or with a session that was opened with one."""

    key_id: int
    name: str
    scopes: Collection[str]


async def caller_of(
    request: Request, state: Here, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller | None:
    """Who has shown a key; None: nobody has. Raises `Problem` (401) for one that opens nothing."""
    text = shown.credentials if shown else request.headers.get("x-api-key")
    if text is None:
        return None
    row = await state.pool.row(QUERIES["caller"], {"hash": digest(text)}) if is_key(text) else None
    if row is None:
        raise Problem(401, "this key is not known, has expired or was revoked", headers=CHALLENGE)
    return Caller(key_id=row["id"], name=row["name"], scopes=row["scopes"])


CHALLENGE = {"WWW-Authenticate": "Bearer"}


def needs(scope: Scope) -> Any:
    """The caller of a route that is for this scope. Raises `Problem`: 401 for nobody, 403 for another scope."""

    async def check(caller: Annotated[Caller | None, Depends(caller_of)]) -> Caller:
        if caller is None:
            raise Problem(
                401, f"this asks for an API key with the scope {scope}: Authorization: Bearer KEY", headers=CHALLENGE
            )
        if not allows(caller.scopes, scope):
            raise Problem(403, f"the key {caller.name} has the scopes {', '.join(caller.scopes)}: this needs {scope}")
        return caller

    check.scope = scope  # type: ignore[attr-defined]  # for the table of routes in the tests
    return Depends(check)
