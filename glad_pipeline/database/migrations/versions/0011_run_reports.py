"""What runs have done with prompts and Dagster does not tell yet."""

from glad_pipeline.database.migrations import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
