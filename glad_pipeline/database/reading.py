"""Reading what PostgreSQL holds and Python has no value for, such as `infinity`, the year 10000 or 24:00: as text.

psycopg raises on it, and a statement that reads a hundred rows then reads none because of one.
"""

from __future__ import annotations

from typing import Any, ClassVar

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

_TYPES = ("timestamptz", "timestamp", "date", "time", "timetz", "interval")


class _OrText(Loader):
    """psycopg's own loader of a type, and where that knows no value, PostgreSQL's text."""

    own: ClassVar[type[Any]]  # CLoader or Loader

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._own = self.own(oid, context)

    def load(self, data: Buffer) -> Any:
        try:
            return self._own.load(data)
        except psycopg.DataError:
            return bytes(data).decode()


def _or_text(name: str) -> type[_OrText]:
    own = psycopg.adapters.get_loader(psycopg.adapters.types[name].oid, Format.TEXT)
    return type("_OrText", (_OrText,), {"own": own})


_LOADERS = {name: _or_text(name) for name in _TYPES}


def read_everything(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Let this connection read any date there is."""
    for name, loader in _LOADERS.items():
        connection.adapters.register_loader(name, loader)
