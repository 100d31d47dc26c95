"""Query parameters as a pydantic model, for routes that are asked so often that FastAPI's own reading of each parameter
would be a third of the work; they are documented and refused as FastAPI does it.
"""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

Query = TypeVar("Query", bound=BaseModel)


def query_of(model: type[Query], request: Request) -> Query:
    """What a request asks for; names that the model does not know are passed over. Raises as FastAPI does: 422."""
    try:
        asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)  # as Starlette's
        return model.model_validate_strings(dict(asked))
    except ValidationError as error:
        found = [{**each, "loc": ("query", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(found) from error


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of such a route."""
    schemas = model.model_json_schema()["properties"]
    return {"parameters": [_parameter(name, dict(schema)) for name, schema in schemas.items()]}


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    description = schema.pop("description", "")
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
