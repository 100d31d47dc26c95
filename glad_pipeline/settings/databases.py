"""The settings of the database, and of what the blog in it is like."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from glad_pipeline import limits
from glad_pipeline.settings.kinds import DatabaseUrl


class DatabaseSettings(BaseModel):
    """Part of `Settings`."""

    database_url: DatabaseUrl | None = Field(
        None, alias="DATABASE_URL", description="PostgreSQL ≥ 14 with the blog's tables. Absent: an embedded server."
    )
    dagster_database_url: DatabaseUrl | None = Field(
        None,
        alias="DAGSTER_DATABASE_URL",
        description="Dagster's own database. Absent: `<database>_dagster` on the same server, created if missing.",
    )

    database_patience_seconds: Annotated[float, limits.DATABASE_PATIENCE_SECONDS] = Field(
        60.0,
        description="How long a run waits for a database that is unreachable before it fails; what was drawn is kept.",
    )
