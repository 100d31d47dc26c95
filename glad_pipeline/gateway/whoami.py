"""`GET /api/caller`: who the gateway takes somebody for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from glad_pipeline.gateway.callers import Caller, needs

router = APIRouter(tags=["callers"])


class Known(BaseModel):
    """The key that was shown."""

    name: str
    scopes: list[str]


class Answer(BaseModel):
    """Who calls."""

    data: Known


@router.get("/api/caller", summary="Whose key this is")
async def caller(caller: Annotated[Caller, needs("read")]) -> Answer:
    """The key that this request has shown."""
    return Answer(data=Known(name=caller.name, scopes=list(caller.scopes)))
