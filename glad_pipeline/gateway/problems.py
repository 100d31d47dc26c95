"""Errors as RFC 9457 has them, `application/problem+json`: what happened, which value, what to do. Never a trace."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from glad_pipeline.database import DatabaseError, first_words
from glad_pipeline.display import one_line, quoted
from glad_pipeline.errors import GladError, NoSuchError, NotAllowedError, UnavailableError, UsageError
from glad_pipeline.redaction import redact

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
AGAIN = 5  # seconds after which somebody who was told that something is away may ask again
logger = logging.getLogger(__name__)
SHOWN = 20  # mistakes of one request that are told
SCHEMA = {  # for the OpenAPI document
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "what the status means"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what happened, which value, what to do"},
        "errors": {"type": "array", "items": {"type": "string"}, "description": "each mistake in the request"},
    },
}


class Problem(Exception):
    """An answer that is no success. `more`: further members of the answer's object; `headers`: of the response."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more


def answer(problem: Problem) -> Response:
    """The response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": redact(problem.detail),
        **problem.more,
    }
    headers = {"Cache-Control": "no-store", **problem.headers}
    # half a surrogate pair, which a client's value may have, is no UTF-8
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), problem.status, headers, MEDIA_TYPE
    )


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: problems that may come of a route. What they are like `document` adds."""
    return {each: {"description": HTTPStatus(each).phrase} for each in statuses}


def add_to(app: FastAPI) -> None:
    """Have every error of a route answered so; what nobody expects is `front`'s."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return answer(error)

    @app.exception_handler(GladError)
    async def _ours(request: Request, error: GladError) -> Response:
        return answer(of_error(error))

    @app.exception_handler(psycopg.Error)
    async def _of_database(request: Request, error: psycopg.Error) -> Response:
        if (problem := of_database(error)) is None:
            raise error
        return answer(problem)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        found = [redact(_told(each)) for each in problems[:SHOWN]]
        more = [f"and {len(problems) - SHOWN:,} more"] if len(problems) > SHOWN else []
        return answer(Problem(422, "; ".join([*found, *more]), errors=found))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        problem = _of_http(error)
        if problem.status == 405:
            problem.headers["Allow"] = ", ".join(_methods_of(request))
        return answer(problem)


def _methods_of(request: Request) -> list[str]:
    """All that the path of a request is there for: Starlette names those of one of its routes."""
    routes, scope = request.app.router.routes, request.scope
    return [
        method
        for method in METHODS
        if any(each.matches({**scope, "method": method})[0] is Match.FULL for each in routes)
    ]


def of_error(error: GladError) -> Problem:
    """What an error of the product is for a client: who has to mend it.

    Where our servers are and what they are called is nobody's business: what is said of them is in the log.
    """
    if isinstance(error, UnavailableError):
        logger.warning("gateway.unavailable %s", error)
        what = "the database does not answer" if isinstance(error, DatabaseError) else "what this needs does not answer"
        return Problem(503, f"{what}: try again in {AGAIN} s", headers={"Retry-After": str(AGAIN)})
    if isinstance(error, NoSuchError):
        return Problem(404, str(error))
    if isinstance(error, NotAllowedError):
        return Problem(403, str(error))
    if isinstance(error, UsageError):
        return Problem(422, str(error))
    return Problem(409, str(error))


def of_database(error: psycopg.Error) -> Problem | None:
    """The same for what psycopg raises; None where what we asked of the database was wrong."""
    return of_error(DatabaseError(first_words(error))) if _is_passing(error) else None


def _is_passing(error: psycopg.Error) -> bool:
    """Whether the database is away, full, cancels, or lacks our tables: what is asked of it is right."""
    state = error.sqlstate or ""
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UndefinedTable)) or (
        state[:2] in ("08", "53", "57") or state == "25006"  # a standby, until the failover is over
    )


def _of_http(error: HTTPException) -> Problem:
    """What Starlette and FastAPI raise of their own."""
    headers = dict(error.headers or {})
    if error.status_code == 400 and error.__cause__ is not None:  # FastAPI says no more of a body that cannot be read
        return Problem(422, f"the body cannot be read: {_why_unread(error.__cause__)}", headers=headers)
    return Problem(error.status_code, str(error.detail), headers=headers)


def _why_unread(cause: BaseException) -> str:
    if isinstance(cause, RecursionError):
        return "it is nested too deeply"
    if isinstance(cause, UnicodeDecodeError):
        return "it is not in UTF-8"
    return one_line(str(cause), 200) or type(cause).__name__


def _told(problem: Any) -> str:
    """One field that is wrong: where, what, and the value in short."""
    where = ".".join(one_line(str(part), 60) for part in problem["loc"][:10])
    value = problem.get("input")
    shown = "" if value is None or isinstance(value, (dict, list, bytes)) else f" is {quoted(value)}"
    return f"{where}{shown}: {one_line(problem['msg'].removeprefix('Value error, '), 300)}"
