"""PostgreSQL: a pool of connections, named SQL, and (in `migrations/`) the schema.

Knows how to connect and to say clearly why it could not. Knows nothing of prompts, pictures or posts:
their SQL lives in a `.sql` file in their own room and is read by `named_queries`.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from glad_pipeline.errors import GladError
from glad_pipeline.failpoints import reached

Connection = psycopg.Connection[DictRow]
Result = TypeVar("Result")
LONGEST_PAUSE = 5.0  # seconds between tries of a database that is away
# libpq tells what went wrong at connecting in words alone; these no amount of waiting mends
_FOR_GOOD = re.compile(
    r"authentication failed|no password|does not exist|pg_hba\.conf|not permitted|not currently accepting"
)

log = logging.getLogger(__name__)


class DatabaseError(GladError):
    """The database could not be reached or refused us."""


def describe(url: str) -> str:
    """`host:port/dbname` of a connection URL, for messages: never the password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "(not a PostgreSQL URL)"
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def connect(url: str, *, autocommit: bool = False, application_name: str = "glad") -> Connection:
    """Open one connection whose rows are dicts and whose clock is UTC.

    Raises `DatabaseError`, which names the server and what to check, if that fails.
    """
    try:
        return psycopg.connect(
            url,
            autocommit=autocommit,
            row_factory=dict_row,
            connect_timeout=10,
            application_name=application_name,
            options=_options(url),
        )
    except psycopg.ProgrammingError:
        raise DatabaseError(
            "DATABASE_URL is not a PostgreSQL URL. It looks like postgresql://user:password@host:5432/database, "
            "with % and other signs of the password percent-encoded"
        ) from None  # libpq's own message quotes the URL, password and all
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"cannot connect to PostgreSQL at {describe(url)}: {_first_line(error)}. "
            "Check DATABASE_URL (host, port, user, password, database) and that the server runs"
        ) from error


def _options(url: str) -> str:
    """The URL's own `options`, with the session's time zone set to UTC."""
    given = conninfo_to_dict(url).get("options") or ""
    return f"{given} -c timezone=UTC".strip()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip(" .?") if str(error).strip() else type(error).__name__


class Database:
    """A pool of connections, opened at first use; `close` it, or use it as a context manager.

    Args:
        patience: seconds for which `transact`, `read` and `connect_patiently` go on asking a server that is away.
    """

    def __init__(
        self, url: str, *, max_connections: int = 8, application_name: str = "glad", patience: float = 0.0
    ) -> None:
        self.url = url
        self.patience = patience
        self._application_name = application_name
        self._max_connections = max_connections
        self._pool: ConnectionPool[Connection] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A pooled connection in one transaction: committed at the end, rolled back if anything is raised."""
        with self._opened().connection(timeout=5 if self.patience else 30) as connection:
            yield connection

    def transact(self, point: str, work: Callable[[Connection], Result], *, patience: float | None = None) -> Result:
        """`work(connection)` in one transaction, which is the commit point `point` (see `failpoints`).

        Where the server goes away it is asked again, with growing pauses, for `patience` seconds (None: the
        database's own), and `work` is called anew: it may find that a commit whose answer was lost had been made,
        so it has to ask for a state and not for a change of one. Raises what the last try raised.
        """

        def attempt() -> Result:
            with self.transaction() as connection:
                result = work(connection)
                reached(f"{point}.before")
            reached(f"{point}.after")
            return result

        return self._patiently(attempt, patience)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """`work(connection)`, which changes nothing, in one transaction; as patient as `transact`."""

        def attempt() -> Result:
            with self.transaction() as connection:
                return work(connection)

        return self._patiently(attempt)

    def connect_patiently(self, *, application_name: str) -> Connection:
        """An autocommit connection of its own, asked for as long as `transact` would."""
        return self._patiently(lambda: self.connect(autocommit=True, application_name=application_name))

    def _patiently(self, attempt: Callable[[], Result], patience: float | None = None) -> Result:
        until = time.monotonic() + (self.patience if patience is None else patience)
        pause = 0.1
        while True:
            try:
                return attempt()
            except (psycopg.OperationalError, DatabaseError) as error:
                left = until - time.monotonic()
                if left <= 0 or _FOR_GOOD.search(str(error)):
                    if isinstance(error, PoolTimeout):
                        self.connect().close()  # says why, where the pool only says that it waited
                    raise
                log.warning("the database does not answer, it is asked again: %s", _first_line(error))
                time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311  not all at the same moment
                pause = min(2 * pause, LONGEST_PAUSE)

    def connect(self, *, autocommit: bool = False, application_name: str | None = None) -> Connection:
        """A connection of its own, outside the pool, for locks and long streams. The caller closes it."""
        return connect(self.url, autocommit=autocommit, application_name=application_name or self._application_name)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _opened(self) -> ConnectionPool[Connection]:
        if self._pool is None:
            self.connect().close()  # the pool would only say "timeout"; this says why
            pool: ConnectionPool[Connection] = ConnectionPool(
                self.url,
                min_size=0,
                max_size=self._max_connections,
                kwargs={
                    "row_factory": dict_row,
                    "connect_timeout": 10,
                    "application_name": self._application_name,
                    "options": _options(self.url),
                },
                check=ConnectionPool.check_connection,
                open=True,
            )
            self._pool = pool
        return self._pool

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def named_queries(package: str, file: str = "queries.sql") -> Mapping[str, LiteralString]:
    """The statements of a `.sql` file by name.

    Each starts with a line `-- name: claim`; comment lines may follow. Parameters are psycopg's
    `%(name)s`, bound and never interpolated.
    """
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: *(\w+) *$", text, flags=re.MULTILINE)[1:]
    queries = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    return cast("dict[str, LiteralString]", queries)  # our own files, read once: as literal as source code


def jsonable(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its dates as ISO text and its UUIDs as strings, for JSON output."""
    return {k: v if isinstance(v, (str, int, float, bool, list, dict, type(None))) else str(v) for k, v in row.items()}
