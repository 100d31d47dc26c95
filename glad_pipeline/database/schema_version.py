"""Which migrations a database has, for who has to know it at once and without Alembic."""

from __future__ import annotations

from importlib.resources import files

from glad_pipeline.database import named_queries

QUERIES = named_queries(__package__, "schema_version.sql")
NEEDED = max(  # by this version of the program
    file.name[:4] for file in (files(__package__) / "migrations" / "versions").iterdir() if file.name[:4].isdecimal()
)
