"""A hold on rows of the queue: a number, an advisory lock that says its process lives, and a heartbeat for its lease.

Knows nothing of what a holder does with its rows: that is `queue.Claim`.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Self

import psycopg

from glad_pipeline.database import (
    SILENCE,
    Connection,
    Database,
    DatabaseError,
    answering_within,
    named_queries,
    require_fit,
    value,
)
from glad_pipeline.database.this_database import database_mark
from glad_pipeline.errors import UnavailableError

SQL = named_queries(__package__)
PING = 2.0  # seconds between looks at the heartbeat's connection
GRACE = 5.0  # seconds without a lock after which a holder counts as gone: a living one is back by then

log = logging.getLogger(__name__)


class Hold:
    """A token, its lock on a connection of its own, and the thread that renews the lease. `open` first.

    Args:
        database: where the queue is.
        worker: who holds, for people to read: the Dagster run id.
        lease: how long a silent holder keeps its rows.
    """

    def __init__(self, database: Database, *, worker: str, lease: timedelta) -> None:
        self._database = database
        self._worker = worker
        self._lease = lease
        self._token: int | None = None
        self.queue = ""  # which database's, once it is open
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def open(self, *, patience: float | None = None) -> Self:
        """Draw a token, lock it and start the heartbeat. Raises `DatabaseError`, after so many seconds."""
        connection, self._token = self._database.connect_patiently(
            application_name=f"glad-hold {self._worker}", prepare=self._locked_token, patience=patience
        )
        self._heart = threading.Thread(target=self._beat, args=(connection,), name="glad-lease", daemon=True)
        self._heart.start()
        return self

    def _locked_token(self, connection: Connection) -> int:
        require_fit(connection)
        token = int(value(connection, SQL["next_token"]))
        if not self._lock(connection, token):
            raise UnavailableError(f"the claim token {token} is locked already: another database uses ours")
        self.queue = database_mark(connection)
        bound = {"token": token, "run_id": self._worker, "database": self.queue}
        connection.execute(SQL["record_claim"], bound)
        return token

    def _gone(self) -> list[int]:
        """Tokens without a lock, now and `GRACE` seconds later: their processes are gone."""
        suspects = self._without_life()
        if suspects:
            time.sleep(GRACE)
            suspects &= self._without_life()
        return list(suspects)

    def _without_life(self) -> set[int]:
        rows = self._database.read(lambda connection: connection.execute(SQL["without_life"]).fetchall())
        return {row["token"] for row in rows}

    def _end_heartbeat(self) -> None:
        self._stop.set()
        if self._heart is not None:
            self._heart.join(timeout=15)

    @staticmethod
    def _lock(connection: Connection, token: int) -> bool:
        return bool(value(connection, SQL["lock_token"], {"token": token}))

    def _beat(self, connection: Connection) -> None:
        """Renew the lease three times per lease and keep the lock; a lost connection is made anew within seconds."""
        every = self._lease.total_seconds() / 3
        renew_at = time.monotonic() + every  # only when to ask: whether a lease is over is for the server's clock
        locked, lost, pooled = True, False, False
        while not self._stop.wait(min(PING, every)):
            token = self._token
            if token is None:
                break
            try:
                if connection.closed:
                    connection = self._database.connect(autocommit=True, application_name=f"glad-hold {self._worker}")
                    locked = False
                with answering_within(connection, SILENCE):
                    if locked and not pooled:
                        pooled = not self._is_ours(connection, token)
                    else:
                        locked = self._lock(connection, token)
                    if time.monotonic() >= renew_at:
                        connection.execute(SQL["renew"], {"token": token, "lease": self._lease})
                        renew_at = time.monotonic() + every
                if lost:
                    log.warning("the heartbeat has a connection again")
                lost = False
            except (psycopg.Error, DatabaseError, OSError) as error:
                if not lost:
                    log.warning("the heartbeat lost its connection and makes a new one: %s", error)
                lost = True
                connection.close()
        connection.close()

    @staticmethod
    def _is_ours(connection: Connection, token: int) -> bool:
        """Whether this session has the lock; that it has lost it while it lives is a pooler's doing."""
        if value(connection, SQL["has_lock"], {"token": token}):
            return True
        log.error(
            "the lock of this run is gone although its connection is not: a pooler gives each statement another "
            "session (docs/setup.md). Until that is mended other runs may take this run's prompts for abandoned"
        )
        return False
