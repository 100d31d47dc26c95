"""Drawing slots: with warm workers one more run is up than may draw; it takes prompts when it has a slot.

There are as many slots as workers. A slot is an advisory lock in PostgreSQL on a connection of its own: it is free as
soon as its run has handed its last batch to the workers, or its process is gone. A run whose connection is lost while
it draws goes on without its slot: another may begin then, and both share the workers, of which there are no more.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from glad_pipeline.database import SILENCE, Connection, Database, answering_within, named_queries, value
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline.workers.cluster import drawing_for

SQL = named_queries(__package__, "slots.sql")
FAMILY = 1734636396  # of these locks; claims have another
POLL = 0.1  # seconds between tries
LOOK = 1.0  # seconds between looks at whether there is still something to wait for
CALM = 5.0  # seconds without anything to take after which a run waits no longer: rows that come one by one are others'

log = logging.getLogger(__name__)


def slots_of(options: EngineOptions) -> tuple[str, int] | None:
    """Whose slots there are and how many, for runs that draw with these options.

    None where a run draws for itself, and where nobody knows how many workers there are.
    """
    cluster = drawing_for(options)
    if cluster is None or cluster.workers is None:
        return None
    machine = f"{socket.gethostname()} " if cluster.is_ours else ""  # the same port may be another cluster's elsewhere
    return f"{machine}{cluster.address}", cluster.workers


def slot_for(options: EngineOptions, database: Database, *, run_id: str) -> Slot | None:
    """A run's slot, not taken yet; None where it needs none."""
    slots = slots_of(options)
    return None if slots is None else Slot(database, whose=slots[0], number=slots[1], run_id=run_id)


def is_work_left(connection: Connection, *, ahead: bool) -> bool:
    """Whether anything is left to be claimed. `ahead`: whether pictures are drawn before their `publish_at`."""
    ready = readiness(connection, ahead=ahead)
    return ready.pending or ready.abandoned


def always(connection: Connection) -> bool:
    return True


class Slot:
    """One run's slot among `number` of the same `whose`. `free` it; its connection's end does so too."""

    def __init__(self, database: Database, *, whose: str, number: int, run_id: str) -> None:
        self._database = database
        self._name = f"glad-slot {run_id}"
        first = int.from_bytes(hashlib.sha256(whose.encode()).digest()[:4]) % (2**31 - number)
        self._bound = {"family": FAMILY, "first": first, "number": number}
        self._connection: Connection | None = None

    def take(self, *, wanted: Callable[[Connection], bool], prepare: Callable[[], None] = lambda: None) -> bool:
        """Wait for a free slot. False: nothing was wanted for CALM seconds meanwhile, and there is none.

        Args:
            wanted: asked about once a second, while all are taken.
            prepare: done once all were found taken, before the waiting.

        Raises `DatabaseError` where the database stays away.
        """
        if self._try():
            return True
        log.info("all drawing slots are taken: this run is prepared and waits for one")
        prepare()
        calm_since = looked_at = time.monotonic()
        while not self._try():
            now = time.monotonic()
            if now - looked_at >= LOOK:
                looked_at = now
                if self._asked(wanted):
                    calm_since = now
                if now - calm_since >= CALM:
                    self.free()
                    return False
            time.sleep(POLL)
        return True

    def _try(self) -> bool:
        return self._asked(self._taken)

    def _taken(self, connection: Connection) -> bool:
        return value(connection, SQL["take_slot"], self._bound) is not None

    def _asked(self, question: Callable[[Connection], bool]) -> bool:
        """The answer; a connection that is lost is made anew, and False said."""
        if self._connection is None or self._connection.closed:

            def prepare(connection: Connection) -> bool:
                connection.execute(SQL["stay"])
                return question(connection)

            self._connection, answer = self._database.connect_patiently(application_name=self._name, prepare=prepare)
            return answer
        try:
            with answering_within(self._connection, SILENCE):
                return question(self._connection)
        except psycopg.OperationalError as error:
            log.warning("the connection of the drawing slot was lost and is made anew: %s", error)
            self._connection.close()
            return False

    def free(self) -> None:
        """Let another run draw. May be called on any thread, and more than once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):  # what is lost is free
                connection.close()
