"""The blog's tables: made where absent; given the columns the pipeline fills where present and ours to alter."""

from glad_pipeline.database.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(__file__)
