"""`glad sql roles`: the SQL that makes a role for who writes prompts and one for the pipeline, with just their rights.

Prints and runs nothing: roles are the whole server's, and its administrator's to make.
"""

from __future__ import annotations

from importlib.resources import files

from psycopg import sql

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import OUR_NAMES
from glad_pipeline.database.blog import regclass
from glad_pipeline.errors import UsageError

LONGEST_NAME = 63  # bytes: PostgreSQL cuts longer ones


def roles_sql(*, writer: str, pipeline: str, blog: BlogNames = OUR_NAMES) -> str:
    """The script with these names. Raises `UsageError` for names that cannot be, or are the same."""
    for name in (writer, pipeline):
        if not name.isprintable() or not 1 <= len(name.encode(errors="replace")) <= LONGEST_NAME:
            raise UsageError(f"{name!r} cannot be a role's name: 1 to {LONGEST_NAME} bytes of visible characters")
    if writer == pipeline:
        raise UsageError(f"--writer and --pipeline are both {writer!r}: they need two names")
    text = files("glad_pipeline.database").joinpath("roles.sql").read_text(encoding="utf-8")
    names = {"writer": sql.Literal(writer), "pipeline": sql.Literal(pipeline), "posts": sql.Literal(regclass(blog))}
    identifiers = {"writer_name": sql.Identifier(writer), "pipeline_name": sql.Identifier(pipeline)}
    return sql.SQL(text).format(**names, **identifiers).as_string(None)  # our own file
