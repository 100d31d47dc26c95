"""What an exception is due to, and what is reported of it."""

import errno

import psycopg
import pytest

from glad_pipeline.blame import LONGEST_REASON, is_the_deployments, one_row, readable, reason_of
from glad_pipeline.database import DatabaseError
from glad_pipeline.errors import GladError, UnavailableError, UsageError
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline_tests.unit.test_fuzz_inputs import is_readable

ROWS_OWN = [
    GladError("no such thing"),
    UsageError("wrong"),
    ValueError("x"),
    KeyError("x"),
    MemoryError(),
    RecursionError("deep"),
    AssertionError(),
    OSError(errno.ENAMETOOLONG, "File name too long", "/secret"),
    PermissionError(errno.EACCES, "Permission denied", "/secret"),
    FileNotFoundError(errno.ENOENT, "No such file", "/secret"),
    psycopg.DataError("NUL"),
    psycopg.errors.NotNullViolation("x"),
    psycopg.errors.UniqueViolation("x"),
    psycopg.errors.CheckViolation("x"),
    psycopg.errors.NumericValueOutOfRange("x"),
    psycopg.errors.ProgramLimitExceeded("x"),
    psycopg.errors.RaiseException("x"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
]
DEPLOYMENTS = [
    UnavailableError("away"),
    StoreError("away"),
    DatabaseError("away"),
    psycopg.OperationalError("away"),
    psycopg.InterfaceError("the connection is closed"),
    psycopg.errors.AdminShutdown("x"),
    psycopg.errors.DiskFull("x"),
    psycopg.errors.UndefinedTable("x"),
    psycopg.errors.InsufficientPrivilege("x"),
    psycopg.errors.SerializationFailure("x"),
    psycopg.errors.ReadOnlySqlTransaction("x"),
    psycopg.errors.QueryCanceled("x"),
    psycopg.errors.DataCorrupted("x"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EMFILE, "Too many open files"),
    ConnectionResetError(errno.ECONNRESET, "reset"),
]


@pytest.mark.parametrize("error", ROWS_OWN, ids=repr)
def test_it_is_the_rows_own_unless_it_is_shown_to_be_more(error):
    told = []
    with one_row(told.append):
        raise error
    assert is_readable(told[0])
    assert "secret" not in told[0]


@pytest.mark.parametrize("error", DEPLOYMENTS, ids=repr)
def test_what_no_other_row_would_fare_better_at_is_the_deployments(error):
    assert is_the_deployments(error)
    with pytest.raises(type(error)), one_row(pytest.fail):
        raise error


def test_whoever_interrupts_is_no_row():
    for interruption in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(interruption), one_row(pytest.fail):
            raise interruption


def test_a_reason_is_one_line_that_everybody_can_print_and_keep():
    assert readable("a\nb\tc\x00\ud800\x1b[2J é") == "a b c··[2J é".replace("··", "···", 1)
    assert readable("") == readable("\n") == "no reason was given"
    assert len(readable("x" * 10_000_000)) == LONGEST_REASON
    assert reason_of(KeyError("width")) == "KeyError: 'width'"
    assert reason_of(AssertionError()) == "AssertionError"
