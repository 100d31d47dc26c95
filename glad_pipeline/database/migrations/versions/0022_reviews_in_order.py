"""What waits for a person, in the order in which it is shown."""

from glad_pipeline.database.migrations import run_concurrently

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_concurrently(__file__)
