"""What a row means: idempotency keys, and pictures of other people's on a post."""

from glad_pipeline.database.migrations import run_sql

revision = "0013"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
