"""What the store of a bucket was found to do is remembered."""

from glad_pipeline.database.migrations import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__)
