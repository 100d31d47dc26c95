"""Errors as RFC 9457 has them, `application/problem+json`: what happened, which value, what to do. Never a trace."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from glad_pipeline.database import DatabaseError, first_words
from glad_pipeline.display import quoted
from glad_pipeline.errors import GladError, NoSuchError, UnavailableError, UsageError
from glad_pipeline.redaction import redact

MEDIA_TYPE = "application/problem+json"
AGAIN = 5  # seconds after which somebody who was told that something is away may ask again
logger = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is no success. `more`: further members of the answer's object; `headers`: of the response."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more


def answer(request: Request, problem: Problem) -> JSONResponse:
    """The response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": redact(problem.detail),
        **problem.more,
    }
    return JSONResponse(body, problem.status, {"Cache-Control": "no-store", **problem.headers}, media_type=MEDIA_TYPE)


def add_to(app: FastAPI) -> None:
    """Have every error of a route answered so."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return answer(request, error)

    @app.exception_handler(GladError)
    async def _ours(request: Request, error: GladError) -> JSONResponse:
        return answer(request, of_error(error))

    @app.exception_handler(psycopg.Error)
    async def _of_database(request: Request, error: psycopg.Error) -> JSONResponse:
        return answer(request, of_database(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [_told(each) for each in error.errors()]
        return answer(request, Problem(422, "; ".join(found), errors=found))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return answer(request, Problem(error.status_code, str(error.detail), headers=dict(error.headers or {})))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.exception("gateway.failed method=%s path=%s", request.method, request.url.path)
        return answer(request, Problem(500, "this is a fault of the server: its log says more"))


def of_error(error: GladError) -> Problem:
    """What an error of the product is for a client: who has to mend it."""
    if isinstance(error, (DatabaseError, UnavailableError)):
        return Problem(503, str(error), headers={"Retry-After": str(AGAIN)})
    if isinstance(error, NoSuchError):
        return Problem(404, str(error))
    if isinstance(error, UsageError):
        return Problem(422, str(error))
    return Problem(409, str(error))


def of_database(error: psycopg.Error) -> Problem:
    """What PostgreSQL, or the way to it, has ended in the middle of a statement: who asks again may be served."""
    logger.warning("gateway.database_failed %s: %s", type(error).__name__, first_words(error))
    return Problem(503, f"the database did not answer ({first_words(error)})", headers={"Retry-After": str(AGAIN)})


def _told(problem: Any) -> str:
    """One field that is wrong: where, what, and the value in short."""
    where = ".".join(str(part) for part in problem["loc"])
    value = problem.get("input")
    shown = "" if value is None or isinstance(value, (dict, list)) else f" is {quoted(str(value))}"
    return f"{where}{shown}: {problem['msg'].removeprefix('Value error, ')}"
