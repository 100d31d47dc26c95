"""`glad sql roles`: the SQL that makes a role for who writes prompts and one for the pipeline, with just their rights.

Prints and runs nothing: roles are the whole server's, and its administrator's to make.
"""

from __future__ import annotations

import argparse
from importlib.resources import files

from psycopg import sql

from glad_pipeline.errors import UsageError
from glad_pipeline.settings import Settings

LONGEST_NAME = 63  # bytes: PostgreSQL cuts longer ones


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sql` and its commands; each sets `func(args, settings) -> exit code`."""
    room = subparsers.add_parser("sql", help="SQL for the database's administrator: roles")
    commands = room.add_subparsers(title="commands", dest="sql_command", metavar="COMMAND", required=True)
    text = "Print the SQL that makes two roles with just the rights they need: one writes prompts, one works them off."
    roles = commands.add_parser("roles", help=text, description=text)
    roles.add_argument("--writer", metavar="NAME", default="glad_writer", help="who writes rows (glad_writer)")
    roles.add_argument("--pipeline", metavar="NAME", default="glad_pipeline", help="who runs it (glad_pipeline)")
    roles.set_defaults(func=_roles)


def _roles(args: argparse.Namespace, settings: Settings) -> int:
    print(roles_sql(writer=args.writer, pipeline=args.pipeline), end="")
    return 0


def roles_sql(*, writer: str, pipeline: str) -> str:
    """The script with these names. Raises `UsageError` for names that cannot be, or are the same."""
    for name in (writer, pipeline):
        if not name.isprintable() or not 1 <= len(name.encode(errors="replace")) <= LONGEST_NAME:
            raise UsageError(f"{name!r} cannot be a role's name: 1 to {LONGEST_NAME} bytes of visible characters")
    if writer == pipeline:
        raise UsageError(f"--writer and --pipeline are both {writer!r}: they need two names")
    text = files("glad_pipeline.database").joinpath("roles.sql").read_text(encoding="utf-8")
    names = {"writer": sql.Literal(writer), "pipeline": sql.Literal(pipeline)}
    identifiers = {"writer_name": sql.Identifier(writer), "pipeline_name": sql.Identifier(pipeline)}
    return sql.SQL(text).format(**names, **identifiers).as_string(None)  # our own file
