"""`glad migrate`, `glad psql` and `glad sql …`: the database's tables, what is in them, and its roles."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json, print_table
from glad_pipeline.cli.runtime import Runtime, store_of
from glad_pipeline.display import visible
from glad_pipeline.errors import UsageError

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings

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
    plan: Annotated[
        bool,
        typer.Option("--plan", help="print the SQL that would be run, and run nothing: needs no right to write"),
    ] = False,
) -> int:
    """Bring the database's tables up to date."""
    from glad_pipeline.database import describe
    from glad_pipeline.database.migrations import migrate
    from glad_pipeline.local import stack

    settings = Runtime.of(context).settings
    if plan:
        return _print_plan(settings, adopt=adopt)
    environment = stack.ensure(settings)
    url = environment["DATABASE_URL"]
    done = migrate(url, blog=settings.blog)
    print(f"{describe(url)}: {', '.join(done) if done else 'up to date'}")
    takes_posts = _look_at_blog(url, settings)
    if adopt:
        _adopt(url, environment)
    if Runtime.of(context).settings.names_store:
        _look_at_store(url)
    return 0 if takes_posts else 1


def _print_plan(settings: Settings, *, adopt: bool) -> int:
    from glad_pipeline.database.migrations import plan
    from glad_pipeline.local import stack

    if adopt:
        raise UsageError("--plan changes nothing: leave out --adopt")
    url = settings.database_url.get_secret_value() if settings.database_url else stack.ensure(settings)["DATABASE_URL"]
    print(plan(url, blog=settings.blog), end="")
    return 0


def _adopt(url: str, environment: dict[str, str]) -> None:
    from glad_pipeline.database import Database
    from glad_pipeline.pipeline.identity import adopt
    from glad_pipeline.pipeline.store_check import made_up_for
    from glad_pipeline.settings import load_settings

    os.environ.update(environment)
    settings = load_settings()
    with Database(url, application_name="glad migrate", blog=settings.blog) as database:
        own = adopt(database, made_up_for(database, store_of(settings)))
    print(f"the bucket {own.bucket!r} at {own.place} belongs to the database {own.database_name} from now on")


def _look_at_blog(url: str, settings: Settings) -> bool:
    """Try a post, so that a blog that refuses it is known before anything waits for it. Whether it takes one."""
    from glad_pipeline.database import Database
    from glad_pipeline.diagnosis import Level
    from glad_pipeline.pipeline.blog import look_at_blog

    store = store_of(settings) if settings.names_store else None
    with Database(url, application_name="glad migrate", blog=settings.blog) as database:
        found = look_at_blog(database, store, renditions=bool(settings.wanted))
    for each in found:
        print(f"glad: {'error' if each.level is Level.ERROR else 'warning'}: {each.in_words()}", file=sys.stderr)
    return not any(each.level is Level.ERROR for each in found)


def _look_at_store(url: str) -> None:
    """Try a person's own bucket anew, so that runs need not. What is wrong with it keeps no table from being ready."""
    from glad_pipeline.database import Database
    from glad_pipeline.diagnosis import Level
    from glad_pipeline.errors import GladError
    from glad_pipeline.pipeline.store_check import look_again
    from glad_pipeline.settings import load_settings

    try:
        with Database(url, application_name="glad migrate") as database:
            found = look_again(database, store_of(load_settings())).found
    except GladError as error:
        print(f"glad: warning: {error}", file=sys.stderr)
        return
    for each in found:
        if each.level in (Level.WARNING, Level.ERROR):
            print(f"glad: warning: {each.in_words()}", file=sys.stderr)


def psql(
    context: typer.Context,
    command: Annotated[
        str | None, typer.Option("-c", "--command", metavar="SQL", help="print what this answers, without psql")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="let it change rows; else it only reads")] = False,
    json: Json = False,
) -> int:
    """Look into the database: a session of psql, or the answer to one statement."""
    from glad_pipeline.database import jsonable
    from glad_pipeline.local import stack
    from glad_pipeline.operations.psql import answers, session

    settings = Runtime.of(context).settings
    url = settings.database_url.get_secret_value() if settings.database_url else stack.ensure(settings)["DATABASE_URL"]
    if command is None:
        if json:
            raise UsageError("--json goes with -c")
        words, secrets = session(url, writes=write)
        sys.stdout.flush()
        os.execve(words[0], words, os.environ | secrets)  # noqa: S606 - its terminal, its exit code: it replaces us
    found = list(answers(url, command, writes=write))
    if json:
        print_json([jsonable(dict(zip(found[-1].headers, row, strict=True))) for row in found[-1].rows])
        return 0
    for answer in found:
        if answer.headers:
            print_table(answer.headers, ([visible("" if it is None else str(it)) for it in row] for row in answer.rows))
        print(answer.status)
    return 0


@sql_commands.command("roles")
def roles(
    context: typer.Context,
    writer: Annotated[str, typer.Option(metavar="NAME", help="who writes rows")] = "glad_writer",
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="who runs it")] = "glad_pipeline",
) -> int:
    """Print the SQL that makes two roles with just the rights they need: one writes prompts, one works them off."""
    from glad_pipeline.database.roles import roles_sql

    settings = Runtime.of(context).settings
    print(roles_sql(writer=writer, pipeline=pipeline, blog=settings.blog), end="")
    return 0
