"""Our own table `prompts`: progress is moved by the pipeline's role alone, and what Python cannot read is refused."""

from glad_pipeline.database.migrations import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
