"""Nothing any more; databases that ran it have indexes by which the blog's pages are read."""

from glad_pipeline.database.migrations import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__)
