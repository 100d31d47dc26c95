"""`GET /api/caller`: who the gateway takes somebody for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.models import Model

router = APIRouter(tags=["callers"])


class Known(Model):
    """The key that was shown."""

    name: str
    scopes: list[str]


class Answer(Model):
    """Who calls."""

    data: Known


@router.get("/api/caller", summary="Whose key this is")
async def caller(caller: Annotated[Caller, needs("read")]) -> Answer:
    """The key that this request has shown."""
    return Answer(data=Known(name=caller.name, scopes=list(caller.scopes)))
