"""Who may call the gateway: API keys, and sessions that are opened with them."""

from glad_pipeline.database.migrations import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql(__file__)
