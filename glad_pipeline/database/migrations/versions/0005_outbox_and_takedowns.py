"""Our own tables: what others have to know (outbox), pictures taken down, and recipes that must not come back."""

from glad_pipeline.database.migrations import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
