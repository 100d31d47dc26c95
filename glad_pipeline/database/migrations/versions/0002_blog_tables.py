"""The blog's tables, in a database that has no blog."""

from glad_pipeline.database.migrations import has_blog, run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    if not has_blog():
        run_sql(__file__)
