"""Dagster's storage on PostgreSQL with connections that are kept: dagster.yaml names a class of this module.

By itself Dagster opens a connection for every statement, some twenty a second while nothing happens, and reads before
many of them from PostgreSQL's catalogues which columns and tables its own schema has. Its webserver keeps connections
by a public call of its instance; here every process of ours does, and remembers what the schema has.
"""

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import event, exc
from sqlalchemy.pool import Pool

RECYCLE = 300  # seconds after which a connection is made anew
MOST = 20  # connections of one storage at once, for the daemon's threads; what is beyond one is closed after use
# What Dagster asks of its schema every second or five. The schema only grows: a yes stays one
SCHEMA = {
    "run_storage": ["has_run_stats_index_cols"],
    "schedule_storage": ["has_instigators_table", "has_secondary_index_table", "has_built_index"],
}
_yes: set[tuple[Any, ...]] = set()  # what has been answered so in this process: database, question, what was asked of


class KeptConnections(DagsterPostgresStorage):
    """As `storage: postgres:` takes it. One connection a storage stays open."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> DagsterPostgresStorage:  # type: ignore[override]
        database = repr(config_value)
        tables = (database, "tables")
        if tables in _yes:  # each look of a sensor makes a storage
            config_value = {**config_value, "should_autocreate_tables": False}
        storage = super().from_config_value(inst_data, config_value)
        _yes.add(tables)
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.optimize_for_webserver(statement_timeout=0, pool_recycle=RECYCLE, max_overflow=MOST)
        for name, questions in SCHEMA.items():
            for question in questions:
                part = getattr(storage, name)
                setattr(part, question, _remembering(getattr(part, question), database, question))
        return storage


def _remembering(ask: Callable[..., bool], *about: str) -> Callable[..., bool]:
    """The same question, asked until the answer is yes."""

    def answer(*what: str) -> bool:
        if (*about, *what) not in _yes and ask(*what):
            _yes.add((*about, *what))
        return (*about, *what) in _yes

    return answer


class ByEnvironment(KeptConnections):
    """The database that DAGSTER_PG_HOST, _PORT, _USER, _PASSWORD and _DB name, as `glad` sets them.

    Without them, in a bare `dg list defs` or `dagster dev` in this repository, files in `.glad/dagster`.
    """

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Any:
        environment = os.environ
        if "DAGSTER_PG_HOST" not in environment:
            folder = Path(environment.get("DAGSTER_HOME") or ".glad/dagster").resolve()
            print(f"DAGSTER_PG_HOST is not set (`./glad` sets it): Dagster's records are in {folder}", file=sys.stderr)
            folder.mkdir(parents=True, exist_ok=True)
            from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

            return DagsterSqliteStorage(str(folder), inst_data)
        database = {
            # a bare postgresql:// is psycopg 3 for SQLAlchemy 2.1; the event log needs psycopg2
            "scheme": "postgresql+psycopg2",
            "hostname": environment["DAGSTER_PG_HOST"],
            "port": environment.get("DAGSTER_PG_PORT", "5432"),
            "username": environment.get("DAGSTER_PG_USER", ""),
            "password": environment.get("DAGSTER_PG_PASSWORD", ""),
            "db_name": environment.get("DAGSTER_PG_DB", ""),
        }
        return super().from_config_value(inst_data, {"postgres_db": database})


@event.listens_for(Pool, "checkout")
def _require_alive(connection: Any, record: Any, proxy: Any) -> None:
    """A connection whose server was restarted meanwhile is made anew instead of failing a run."""
    if not type(connection).__module__.startswith("psycopg2"):  # another's
        return
    try:
        if _has_something_to_say(connection.fileno()):  # its end, as a rule
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
    except (connection.OperationalError, connection.InterfaceError) as error:
        raise exc.DisconnectionError from error


def _has_something_to_say(socket: int) -> bool:
    """Whether a server has sent anything, or closed, while nobody asked it."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
