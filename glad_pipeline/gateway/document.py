"""The OpenAPI document: what FastAPI makes of the routes, with the answers that stand before all of them."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from glad_pipeline.gateway.problems import MEDIA_TYPE, SCHEMA

_REFERENCE = {"schema": {"$ref": "#/components/schemas/Problem"}}
ALWAYS = (403, 408, 413, 415, 422, 429, 500)  # by `front`, the guard and `bounds`, whatever the route
OF_DATABASE = 503
NEVER_AWAY = ("/healthz",)  # asks no database
METHODS = ("get", "put", "post", "delete", "patch")


def complete(app: FastAPI) -> None:
    """Have `app.openapi()` tell of every error that may come, as it comes."""
    of_routes = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = of_routes()
            document["components"] = document.get("components", {})
            document["components"].setdefault("schemas", {})["Problem"] = SCHEMA
            for path, operation in _operations(document):
                _add_problems(path, operation)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, item[method]


def _add_problems(path: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    statuses = {*map(str, ALWAYS), *({"401"} if operation.get("security") else ())}
    statuses |= {str(OF_DATABASE)} if path not in NEVER_AWAY else set()
    for status in sorted(statuses | {known for known in answers if known.isdecimal() and int(known) >= 400}):
        told = answers.setdefault(status, {"description": HTTPStatus(int(status)).phrase})
        told["content"] = {MEDIA_TYPE: told.get("content", {}).get(MEDIA_TYPE, _REFERENCE)}
