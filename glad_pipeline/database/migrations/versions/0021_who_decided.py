"""Who has decided, who has made a key, keys with another secret, results of long works."""

from glad_pipeline.database.migrations import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql(__file__)
