"""What an exception is due to: one row, or the deployment, at which no other row would fare better.

The one rule for all that is done with a single row, whether it is resolved, validated, drawn, stored, catalogued or
published: an exception is taken to be that row's own. The row is put aside with the reason, and its neighbours go on.
An exception that is shown to be the deployment's ends the run instead; no try is spent, and its message says what to
mend. Knows PostgreSQL's states and the system's error numbers, and no room that uses it.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.redaction import redact

if TYPE_CHECKING:
    import psycopg

    from glad_pipeline.database import Connection

LONGEST_REASON = 1_000  # characters
Item = TypeVar("Item")
Answer = TypeVar("Answer")

# By SQLSTATE: connections lost, statements that cannot be (a table, column or right is missing), retries, the server's
# own trouble (memory, disk, read-only, shutdown) and damage.
_SERVER = ("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "XX001", "XX002")
_SYSTEM = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),  # the disk
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),  # this process, this machine
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT),  # the network
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN),
}


def is_the_deployments(error: BaseException) -> bool:
    """Whether an exception that came up with one row is shown to be none of that row's."""
    if isinstance(error, UnavailableError):
        return True
    if (postgres := _of_postgres(error)) is not None:
        if postgres.sqlstate:
            return postgres.sqlstate.startswith(_SERVER)
        return isinstance(error, (sys.modules["psycopg"].OperationalError, sys.modules["psycopg"].InterfaceError))
    return isinstance(error, OSError) and error.errno in _SYSTEM


def reason_of(error: BaseException) -> str:
    """What to keep with the row. Of the system's errors only the kind: which files are here is nobody's to ask."""
    if isinstance(error, GladError):
        return readable(str(error))
    if (postgres := _of_postgres(error)) is not None:
        return readable(postgres.diag.message_primary or str(error).partition("\n")[0] or type(error).__name__)
    if isinstance(error, OSError):
        return readable(f"{type(error).__name__}: {error.strerror or 'of the system'}")
    return readable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _of_postgres(error: BaseException) -> psycopg.Error | None:
    """The error, if it is one of psycopg's: which this process has none of unless somebody has imported it."""
    psycopg = sys.modules.get("psycopg")
    return error if psycopg is not None and isinstance(error, psycopg.Error) else None


def readable(text: str) -> str:
    """One line of visible characters that every database and terminal takes, without secrets, cut at LONGEST_REASON."""
    return one_line(redact(text), LONGEST_REASON) or "no reason was given"


@contextmanager
def one_row(tell: Callable[[str], None]) -> Iterator[None]:
    """What is raised inside is one row's own: `tell` gets the reason. What is the deployment's is raised."""
    try:
        yield
    except Exception as error:
        if is_the_deployments(error):
            raise
        tell(reason_of(error))


def together_or_alone(
    connection: Connection,
    rows: Sequence[Item],
    work: Callable[[Sequence[Item]], Answer],
    tell: Callable[[Item, str], None],
) -> list[Answer]:
    """`work(rows)` in a savepoint of the caller's transaction; where a row spoils that, halves, down to that row alone.

    The row is reported, and nothing of it is left. Constraints that the blog defers to the end of the transaction,
    where one row would take all others with it, are judged here.
    """
    spoilt: list[str] = []
    answers: list[Answer] = []
    with one_row(spoilt.append), connection.transaction():
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        answers.append(work(rows))
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    if not spoilt:
        return answers
    if len(rows) == 1:
        tell(rows[0], spoilt[0])
        return []
    middle = len(rows) // 2
    return [
        answer for half in (rows[:middle], rows[middle:]) for answer in together_or_alone(connection, half, work, tell)
    ]
