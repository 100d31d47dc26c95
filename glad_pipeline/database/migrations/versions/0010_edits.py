"""What people change of a prompt: the picture follows, and the lines that it came from stay known."""

from glad_pipeline.database.migrations import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
