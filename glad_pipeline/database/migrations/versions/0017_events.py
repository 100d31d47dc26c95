"""What happened to each prompt and when; prompts that ask for a picture and no post."""

from glad_pipeline.database.migrations import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql(__file__)
