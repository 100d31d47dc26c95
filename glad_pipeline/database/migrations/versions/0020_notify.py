"""Who waits for prompts is notified when one moves."""

from glad_pipeline.database.migrations import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql(__file__)
