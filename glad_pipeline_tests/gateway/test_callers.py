"""Who is let in by a key, and what anybody else is told."""

from typing import Annotated

import httpx2
from fastapi import APIRouter

from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline_tests.gateway.conftest import served


def test_a_route_for_several_scopes_is_for_each_of_them(settings, client_with):
    either = APIRouter()

    @either.get("/either")
    async def _either(caller: Annotated[Caller, needs("submit", "review")]) -> str:
        return caller.name

    keys = {scope: client_with(scope).headers for scope in ("read", "submit", "review", "admin")}
    with served(settings, either) as address:
        found = {scope: httpx2.get(f"{address}/either", headers=headers) for scope, headers in keys.items()}
        assert {scope: each.status_code for scope, each in found.items()} == {
            "read": 403,
            "submit": 200,
            "review": 200,
            "admin": 200,
        }
        assert found["read"].json()["detail"].endswith("this needs submit or review")
        assert httpx2.get(f"{address}/either").status_code == 401


def test_a_key_opens_what_its_scopes_allow_and_nothing_else(client_with):
    assert client_with("read").get("/api/caller").json() == {"data": {"name": "key-0", "scopes": ["read"]}}
    assert client_with("admin").get("/api/caller").status_code == 200
    refused = client_with("submit").get("/api/caller")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"] == "the key key-2 has the scopes submit: this needs read"
    nobody = client_with().get("/api/caller")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
