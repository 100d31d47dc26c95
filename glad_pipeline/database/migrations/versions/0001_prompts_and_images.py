"""Our own tables: the queue and the catalogue."""

from glad_pipeline.database.migrations import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql(__file__)
