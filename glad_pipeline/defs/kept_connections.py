"""Dagster's storage on PostgreSQL with connections that are kept: dagster.yaml names this class.

By itself Dagster opens a connection for every statement, some twenty a second while nothing happens. Its webserver
keeps them by a public call of its instance; here every process of ours does.
"""

from typing import Any

from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import event, exc
from sqlalchemy.pool import Pool

RECYCLE = 300  # seconds after which a connection is made anew
MOST = 20  # connections of one storage at once, for the daemon's threads; what is beyond one is closed after use


class KeptConnections(DagsterPostgresStorage):
    """As `storage: postgres:` takes it. One connection a storage stays open."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> DagsterPostgresStorage:  # type: ignore[override]
        storage = super().from_config_value(inst_data, config_value)
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.optimize_for_webserver(statement_timeout=0, pool_recycle=RECYCLE, max_overflow=MOST)
        return storage


@event.listens_for(Pool, "checkout")
def _require_alive(connection: Any, record: Any, proxy: Any) -> None:
    """A connection whose server was restarted meanwhile is made anew instead of failing a run."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except connection.OperationalError as error:
        raise exc.DisconnectionError from error
