"""Our own table `prompts`: how brackets in a prompt are read."""

from glad_pipeline.database.migrations import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
