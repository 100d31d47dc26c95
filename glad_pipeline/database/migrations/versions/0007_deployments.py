"""Which bucket belongs to this database, and in which one each picture lies."""

from glad_pipeline.database.migrations import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql(__file__)
