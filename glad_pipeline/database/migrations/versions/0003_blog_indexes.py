"""The indexes a blog's pages are read by, built without blocking whoever writes posts meanwhile."""

import logging

from alembic import op

from glad_pipeline.database import named_queries
from glad_pipeline.database.migrations import INDEX_LOCK_TIMEOUT, STATEMENT_LOCK_TIMEOUT, driver_connection

revision = "0003"
down_revision = "0002"

log = logging.getLogger("glad_pipeline.database.migrations")


def upgrade() -> None:
    plan = named_queries("glad_pipeline.database.migrations", "0003_blog_indexes.sql")["plan"]
    connection = driver_connection()
    with op.get_context().autocommit_block():
        for name, note, statements in connection.execute(plan).fetchall():
            if note:
                log.warning("%s", note)
            if statements:
                log.info("building index %s", name)
                connection.execute(f"SET lock_timeout = '{INDEX_LOCK_TIMEOUT}'")
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"SET lock_timeout = '{STATEMENT_LOCK_TIMEOUT}'")
