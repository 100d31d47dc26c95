"""The studio's API keys: listed, made and shown once, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from glad_pipeline.callers.keys import ApiKey, Scope, list_keys, make_key, revoke_key, rotate_key
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import Answer, Body, Text, Told, Whole, answer, refusals
from glad_pipeline.gateway.studio_fields import TIME_CHARS

router = APIRouter(prefix="/api/studio/keys", tags=["studio: keys"])
Admin = Annotated[Caller, needs("admin")]
MOST_GRACE = 366 * 86_400  # seconds


class KeyName(Body):
    """Which key."""

    name: Text = Field(
        min_length=1, max_length=63, description="prompts asked for with it have it as their source", examples=["site"]
    )


class NewKey(KeyName):
    """A key to be made."""

    scopes: list[Scope] = Field(min_length=1, max_length=4, examples=[["submit"]])
    expires_at: Text | None = Field(
        default=None,
        max_length=TIME_CHARS,
        description="ISO 8601; null: never. With the key that makes it at the latest",
        examples=["2027-01-01T00:00:00Z"],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeKey:
    """A key, and its text, which is shown this once."""

    key: ApiKey
    text: str


class AllKeys(Told):
    """All keys there are."""

    data: list[ApiKey]


@router.get("", response_model=AllKeys, responses=refusals())
async def list_api_keys(state: Here, caller: Admin) -> Response:
    """All keys, the newest last; never their texts."""
    return answer(await state.blocking(list_keys, state.database))


@router.post("", status_code=201, response_model=Answer[MadeKey], responses=refusals())
async def make_api_key(state: Here, caller: Admin, asked: NewKey) -> Response:
    """Make a key, which ends with the caller's own at the latest. Its text is in this answer, and nowhere else."""
    expires_at = None if asked.expires_at is None else _time(asked.expires_at)
    key, text = await state.blocking(
        make_key, state.database, asked.name, asked.scopes, expires_at=expires_at, made_by=caller.key_id
    )
    return answer(MadeKey(key=key, text=text), 201)


class RevokedKey(Told):
    """A key that opens nothing any more."""

    data: ApiKey
    meta: dict[str, list[str]] = Field(
        description="`made_with_it`: the names of keys that ended with it", examples=[{"made_with_it": []}]
    )


@router.post("/revoke", response_model=RevokedKey, responses=refusals())
async def revoke_api_key(state: Here, caller: Admin, asked: KeyName) -> Response:
    """Have a key open nothing any more, nor the keys that it has made, nor the sessions that were opened with them."""
    key, *others = await state.blocking(revoke_key, state.database, asked.name)
    return answer(key, meta={"made_with_it": [each.name for each in others]})


class Rotation(KeyName):
    """Which key gets another secret."""

    grace_seconds: Whole = Field(
        default=0, ge=0, le=MOST_GRACE, description="for how long the secret before opens the same"
    )


@router.post("/rotate", response_model=Answer[MadeKey], responses=refusals())
async def rotate_api_key(state: Here, caller: Admin, asked: Rotation) -> Response:
    """Give the caller's own key, or one that it has made, another secret, which is in this answer and nowhere else."""
    grace = timedelta(seconds=asked.grace_seconds)
    key, text = await state.blocking(rotate_key, state.database, asked.name, grace=grace, by=caller.key_id)
    return answer(MadeKey(key=key, text=text))


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Problem(422, f"expires_at {text!r} must be a time such as 2027-01-01T00:00:00+01:00 (ISO 8601)") from None
    if time <= datetime.now(UTC):
        raise Problem(422, f"expires_at {text!r} is over already")
    return time
