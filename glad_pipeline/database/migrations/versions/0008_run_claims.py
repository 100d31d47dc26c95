"""Which Dagster runs have opened a claim on the queue."""

from glad_pipeline.database.migrations import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(__file__)
