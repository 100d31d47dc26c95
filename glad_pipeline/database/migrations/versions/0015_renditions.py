"""Renditions of pictures, placeholders, and what a crop keeps."""

from glad_pipeline.database.migrations import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql(__file__)
