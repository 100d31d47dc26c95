"""Our own tables: pixel hash and thumbnail of a picture, preset and LoRA of a prompt."""

from glad_pipeline.database.migrations import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(__file__)
