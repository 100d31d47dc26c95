"""PostgreSQL: connections, transactions that outlast an outage, named SQL, and (in `migrations/`) the schema.

Knows how to connect and to say why it could not. Knows nothing of prompts, pictures or posts:
their SQL lives in a `.sql` file in their own room and is read by `named_queries`.
"""

from __future__ import annotations

import logging
import math
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from importlib.resources import files
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow
from psycopg.sql import Composed

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database.blog import know_blog
from glad_pipeline.database.cures import cure_at_connecting, cure_of_statement, is_refusal, problems_of_server
from glad_pipeline.database.reading import read_everything
from glad_pipeline.database.sessions import ANSWER, open_session
from glad_pipeline.database.sessions import answering_within as answering_within
from glad_pipeline.embedded import trouble_at
from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.failpoints import reached
from glad_pipeline.records import values_of
from glad_pipeline.redaction import hide_url
from glad_pipeline.urls import ENCODED, parts_of, problem_of_database_url

Connection = psycopg.Connection[DictRow]
Result = TypeVar("Result")
LONGEST_PAUSE = 5.0  # seconds between tries of a database that is unreachable
SILENCE = 10.0  # seconds without a word after which a connection that was asked for a sign of life is given up
OUR_NAMES = BlogNames()
actor: ContextVar[str | None] = ContextVar(
    "actor", default=None
)  # for whom this is done: the history of prompts has it
at_most: ContextVar[float | None] = ContextVar("at_most", default=None)  # seconds that each statement may take
BUSY = 30.0  # seconds to wait for one of our own connections
# What waiting may mend: the server is unreachable, restarts, is full, or is a standby until the failover is over
_PASSING = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
# libpq tells what went wrong at connecting in words alone; these no amount of waiting mends
_FOR_GOOD = re.compile(
    r"authentication failed|no password|permission denied for|does not exist|no such (database|user)|pg_hba\.conf|"
    r"not permitted|[Tt]enant or user not found|unsupported startup parameter|certificate|does not support SSL"
)
log = logging.getLogger(__name__)


class DatabaseError(UnavailableError):
    """The database could not be reached or refused us."""


def describe(url: str) -> str:
    """`host:port/dbname` of a connection URL, for messages: never the password."""
    if problem_of_database_url(url):
        return "(not a PostgreSQL URL)"
    parts = parts_of(url)
    host = parts.get("host") or os.environ.get("PGHOST") or "localhost"
    return f"{host}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def is_of_this_machine(url: str) -> bool:
    """Whether every server that a connection URL names is reached by loopback or by a socket's folder.

    What it does not name libpq reads from the environment. A service counts as another machine: it is not looked up.
    """
    parts = parts_of(url)
    address = parts.get("hostaddr") or os.environ.get("PGHOSTADDR")
    named = parts.get("host") or os.environ.get("PGHOST")
    if parts.get("service") or ("host" not in parts and os.environ.get("PGSERVICE")):
        return False
    hosts = str(address or named or "").split(",")
    return all(re.fullmatch(r"|/.*|@.*|localhost|127\.[0-9.]+|::1", host) for host in hosts)


def connect(
    url: str, *, autocommit: bool = False, application_name: str = "glad", blog: BlogNames = OUR_NAMES
) -> Connection:
    """Open one connection whose rows are dicts and whose clock is UTC. `blog`: what `{posts}` is in its statements.

    Raises `DatabaseError`, which names the server and what to check, if that fails.
    """
    if problem := problem_of_database_url(url):  # libpq's own message would quote the URL, password and all
        raise DatabaseError(
            f"DATABASE_URL is not a PostgreSQL URL: {problem}. It looks like "
            f"postgresql://user:password@host:5432/database; {ENCODED}"
        )
    hide_url(url)
    try:
        connection = open_session(url, application_name)
        connection.autocommit = autocommit
        read_everything(connection)
        know_blog(connection, blog)
        return connection
    except GladError as error:
        raise DatabaseError(str(error)) from None
    except psycopg.Error as error:
        trouble = None if is_refusal(error) else trouble_at(describe(url))
        cure = trouble or cure_at_connecting(error, parts_of(url).get("host", ""))
        raise DatabaseError(f"cannot connect to PostgreSQL at {describe(url)}: {first_words(error)}. {cure}") from error


def first_words(error: BaseException) -> str:
    """What the server says in its first line, or libpq in its last but for a question."""
    words = (isinstance(error, psycopg.Error) and error.diag.message_primary) or str(error).strip()
    lines = words.splitlines()
    told = [line for line in lines if not line.startswith("\t")] or lines
    return told[-1].strip(" .?") if told else type(error).__name__


def require_fit(connection: Connection) -> None:
    """Raises `DatabaseError` for a server or database that we cannot work with: its version, its encoding."""
    if problems := problems_of_server(connection):
        raise DatabaseError("; ".join(problem.in_words() for problem in problems))


class Database:
    """Some connections, opened when needed and used again; `close` it, or use it as a context manager.

    Not psycopg's pool: that one tries an unreachable server at ever longer intervals of its own, so that a server
    that is back is not noticed for minutes, and it says "timeout" where the server has said why.

    Args:
        max_connections: at once; the next transaction waits for one of them.
        patience: seconds for which `transact`, `read` and `connect_patiently` go on asking an unreachable server;
            once they are spent it is asked once each time, until it answers.
        blog: what the blog's posts are called in it.
    """

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 8,
        application_name: str = "glad",
        patience: float = 0.0,
        blog: BlogNames = OUR_NAMES,
    ) -> None:
        self.url = url
        self.blog = blog
        self.patience = patience
        self._application_name = application_name
        self._max_connections = max_connections
        self._free = threading.BoundedSemaphore(max_connections)
        self._idle: list[Connection] = []
        self._gave_up = False  # an outage is waited for once, and not by each who asks after that anew

    @contextmanager
    def transaction(self, *, within: float | None = None) -> Iterator[Connection]:
        """A connection in one transaction: committed at the end, rolled back if anything is raised.

        With `within` the connection is cut when it is not over after so many seconds.
        """
        if not self._free.acquire(timeout=BUSY):
            raise DatabaseError(f"all {self._max_connections} connections of this process were busy for {BUSY:.0f} s")
        try:
            connection = self._living()
            try:
                with answering_within(connection, within) if within else nullcontext(), connection.transaction():
                    if (name := actor.get()) is not None:
                        connection.execute("SELECT set_config('glad.actor', %s, true)", [name])
                    if (seconds := at_most.get()) is not None:
                        connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
                    yield connection
            except errors.ReadOnlySqlTransaction:
                connection.close()  # another one may find the primary
                raise
            finally:
                if connection.info.transaction_status == TransactionStatus.IDLE:
                    self._idle.append(connection)
                else:
                    connection.close()
        finally:
            self._free.release()

    def _living(self) -> Connection:
        """The connection used last, if it still answers, or a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self.connect(autocommit=True)  # `transaction` says where one begins
            try:
                with answering_within(connection, SILENCE):
                    connection.execute("")
            except psycopg.Error:
                connection.close()
            else:
                return connection

    def transact(self, point: str, work: Callable[[Connection], Result], *, patience: float | None = None) -> Result:
        """`work(connection)` in one transaction, which is the commit point `point` (see `failpoints`).

        Where the server becomes unreachable it is asked again, with growing pauses, for `patience` seconds (None: the
        database's own), and `work` is called anew: it may find that a commit whose answer was lost had been made,
        so it has to ask for a state and not for a change of one. Raises `DatabaseError` when the time is over, and
        at once where waiting mends nothing; what `work` raises of its own comes through.
        """

        def attempt() -> Result:
            with self.transaction(within=max(ANSWER, self.patience)) as connection:
                result = work(connection)
                reached(f"{point}.before")
            reached(f"{point}.after")
            return result

        return self._patiently(attempt, patience)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """`work(connection)`, which changes nothing, in one transaction; as patient as `transact`."""

        def attempt() -> Result:
            with self.transaction(within=max(ANSWER, self.patience)) as connection:
                return work(connection)

        return self._patiently(attempt)

    def connect_patiently(
        self, *, application_name: str, prepare: Callable[[Connection], Result], patience: float | None = None
    ) -> tuple[Connection, Result]:
        """An autocommit connection of its own and what `prepare` did with it, as patient as `transact`."""

        def attempt() -> tuple[Connection, Result]:
            connection = self.connect(autocommit=True, application_name=application_name)
            try:
                return connection, prepare(connection)
            except BaseException:
                connection.close()
                raise

        return self._patiently(attempt, patience)

    def _patiently(self, attempt: Callable[[], Result], patience: float | None = None) -> Result:
        patience = 0 if self._gave_up else self.patience if patience is None else patience
        until = time.monotonic() + patience
        pause = 0.1
        while True:
            try:
                result = attempt()
                self._gave_up = False
                return result
            except (*_PASSING, DatabaseError) as error:
                cause = error.__cause__ if isinstance(error, DatabaseError) else error
                left = until - time.monotonic()
                self._gave_up = self._gave_up or (patience > 0 and left <= 0)
                if left <= 0 or not isinstance(cause, _PASSING) or _FOR_GOOD.search(str(cause)):
                    if isinstance(error, DatabaseError):
                        raise
                    raise DatabaseError(self.refusal(error)) from error
                log.warning("the database does not answer, it is asked again: %s", first_words(error))
                time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311  not all at the same moment
                pause = min(2 * pause, LONGEST_PAUSE)

    def refusal(self, error: psycopg.Error) -> str:
        """What the server did not do, and the cure: of an embedded one what its log says."""
        what = trouble_at(describe(self.url)) or cure_of_statement(error)
        return f"the database {describe(self.url)} did not do what it was asked ({first_words(error)}): {what}"

    def connect(self, *, autocommit: bool = False, application_name: str | None = None) -> Connection:
        """A connection of its own, for locks and long streams. The caller closes it."""
        name = application_name or self._application_name
        return connect(self.url, autocommit=autocommit, application_name=name, blog=self.blog)

    def close(self) -> None:
        """Close what is idle; never waits for the server."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def named_queries(package: str, file: str = "queries.sql", columns: Sequence[str] = ()) -> Mapping[str, LiteralString]:
    """The statements of a `.sql` file by name.

    Each starts with a line `-- name: claim`; comment lines may follow. Parameters are psycopg's `%(name)s`, bound and
    never interpolated. The file names `columns`, which are ours, as `{columns}`, and their parameters as `{values}`;
    the blog's posts are `{posts}`, which the connection knows (`blog.py`).
    """
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    text = text.replace("{columns}", ", ".join(columns)).replace(
        "{values}", ", ".join(f"%({name})s" for name in columns)
    )
    parts = re.split(r"^-- name: *(\w+) *$", text, flags=re.MULTILINE)[1:]
    queries = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    return cast("dict[str, LiteralString]", queries)  # our own files, read once: as literal as source code


def value(
    connection: Connection,
    statement: LiteralString | Composed | bytes,
    bound: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Any:
    """The first column of a statement's first row; None where it has none."""
    row = connection.execute(statement, bound).fetchone()
    return None if row is None else next(iter(row.values()))


def has_table(connection: Connection, table: str) -> bool:
    """Whether there is such a table to look at: the blog's are its own."""
    return bool(value(connection, "SELECT to_regclass(%s) IS NOT NULL", [table]))


def jsonable(record: object) -> dict[str, Any]:
    """A record or row with its dates as ISO text, its UUIDs as strings and NaN and infinity too, for JSON output."""
    values = record if isinstance(record, Mapping) else values_of(record)
    return {k: v if _is_jsonable(v) else str(v) for k, v in values.items()}


def _is_jsonable(value: Any) -> bool:
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, (str, int, list, dict, type(None)))
