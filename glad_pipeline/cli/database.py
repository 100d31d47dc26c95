"""`glad migrate` and `glad sql …`: the database's tables and roles."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.runtime import Runtime, store_of

sql_commands = group("SQL for the database's administrator: roles.")


def migrate(
    context: typer.Context,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="have the bucket of the settings belong to this database from now on, "
            "whatever the two have said so far",
        ),
    ] = False,
) -> int:
    """Bring the database's tables up to date."""
    from glad_pipeline.database import describe
    from glad_pipeline.database.migrations import migrate
    from glad_pipeline.local import stack

    environment = stack.ensure(Runtime.of(context).settings)
    url = environment["DATABASE_URL"]
    done = migrate(url)
    print(f"{describe(url)}: {', '.join(done) if done else 'up to date'}")
    if adopt:
        _adopt(url, environment)
    return 0


def _adopt(url: str, environment: dict[str, str]) -> None:
    from glad_pipeline.database import Database
    from glad_pipeline.pipeline.identity import adopt
    from glad_pipeline.settings import load_settings

    os.environ.update(environment)
    with Database(url, application_name="glad migrate") as database:
        own = adopt(database, store_of(load_settings()))
    print(f"the bucket {own.bucket!r} at {own.place} belongs to the database {own.database_name} from now on")


@sql_commands.command("roles")
def roles(
    context: typer.Context,
    writer: Annotated[str, typer.Option(metavar="NAME", help="who writes rows")] = "glad_writer",
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="who runs it")] = "glad_pipeline",
) -> int:
    """Print the SQL that makes two roles with just the rights they need: one writes prompts, one works them off."""
    from glad_pipeline.database.roles import roles_sql

    _ = Runtime.of(context).settings  # a value that cannot be is told here too
    print(roles_sql(writer=writer, pipeline=pipeline), end="")
    return 0
