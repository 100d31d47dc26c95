"""`GET /api/caller`: who the gateway takes somebody for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter

from glad_pipeline.gateway.callers import Caller, needs

router = APIRouter(tags=["callers"])


@router.get("/api/caller")
async def caller(caller: Annotated[Caller, needs("read")]) -> dict[str, Any]:
    """The key that this request has shown."""
    return {"data": {"name": caller.name, "scopes": caller.scopes}}
