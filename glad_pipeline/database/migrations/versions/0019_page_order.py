"""Posts in the order in which the blog's pages show them."""

from glad_pipeline.database.migrations import has_our_posts, run_concurrently

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    if has_our_posts():
        run_concurrently(__file__)
