"""The application: all groups together, and `main`, which turns what happens into an exit code.

A person's mistake is a message on stderr and an exit code (1 failed, 2 cannot be right), never a stack trace.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Sequence

import click
import typer

from glad_pipeline import disk
from glad_pipeline.cli import (
    audit,
    database,
    doctor,
    gateway,
    keys,
    models,
    outbox,
    posts,
    prompt_files,
    prompts_edit,  # noqa: F401  its command is one of the group `prompts`
    prompts_ready,  # noqa: F401  so are its commands
    prompts_sources,  # noqa: F401  as its commands are
    redraw,
    renditions,
    reproduce,
    servers,
    settings,
    storage,
    urls,
    workers,
)
from glad_pipeline.cli.group import CHECKS, MODELS, QUEUE, SERVERS, SETTINGS, group
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local.interruption import exit_code_of, interruptible
from glad_pipeline.redaction import at_every_door, redact

LAUNCHERS = {
    "test": "Install what the tests need and run them",
    "check": "Hold code and documents against their rules",
}
COMPLETE = "_GLAD_COMPLETE"  # set by the shell's completion script


def application() -> typer.Typer:
    """All commands of `glad`."""
    app = group("Rows in a prompts table become pictures in an object store and posts on a blog.", add_completion=True)
    servers.add_to(app, SERVERS)
    app.command("gateway", rich_help_panel=SERVERS)(gateway.gateway)
    app.add_typer(prompt_files.commands, name="prompts", rich_help_panel=QUEUE)
    app.add_typer(posts.post_commands, name="posts", rich_help_panel=QUEUE)
    app.add_typer(posts.image_commands, name="images", rich_help_panel=QUEUE)
    app.add_typer(renditions.commands, name="renditions", rich_help_panel=QUEUE)
    app.command("redraw", rich_help_panel=QUEUE)(redraw.redraw)
    app.add_typer(urls.commands, name="urls", rich_help_panel=QUEUE)
    app.add_typer(outbox.commands, name="outbox", rich_help_panel=QUEUE)
    app.add_typer(models.commands, name="model", rich_help_panel=MODELS)
    app.add_typer(workers.commands, name="workers", rich_help_panel=MODELS)
    app.command("doctor", rich_help_panel=CHECKS)(doctor.doctor)
    app.command("audit", rich_help_panel=CHECKS)(audit.audit)
    app.add_typer(audit.catalogue_commands, name="catalogue", rich_help_panel=CHECKS)
    app.command("reproduce", rich_help_panel=CHECKS)(reproduce.reproduce)
    app.command("migrate", rich_help_panel=SETTINGS)(database.migrate)
    app.command("psql", rich_help_panel=SETTINGS)(database.psql)
    app.add_typer(database.sql_commands, name="sql", rich_help_panel=SETTINGS)
    app.add_typer(storage.commands, name="storage", rich_help_panel=SETTINGS)
    app.add_typer(keys.commands, name="keys", rich_help_panel=SETTINGS)
    app.command("settings", rich_help_panel=SETTINGS)(settings.settings)
    for name, about in LAUNCHERS.items():
        app.command(name, rich_help_panel=SETTINGS, help=f"{about} (by the launcher: ./glad {name}).")(_of_the_launcher)
    return app


def _of_the_launcher(context: typer.Context) -> int:
    name = context.command.name
    raise UsageError(f"this is done by the launcher: ./glad {name}, in a clone of the repository")


def invoke(words: Sequence[str], runtime: Runtime) -> int:
    """Run one command and return its exit code; what it raises comes out, a usage error as `click.UsageError`."""
    command = typer.main.get_command(application())
    try:
        with command.make_context("glad", list(words), obj=runtime) as context:
            return int(command.invoke(context) or 0)
    except click.exceptions.Exit as left:  # by --help
        return left.exit_code


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    at_every_door()
    if COMPLETE in os.environ:
        typer.main.get_command(application()).main(prog_name="glad")
    try:
        with interruptible():
            return invoke(sys.argv[1:] if argv is None else argv, Runtime())
    except click.ClickException as error:
        return _cannot_be_right(error)
    except GladError as error:
        print(f"glad: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        print("\nglad: interrupted", file=sys.stderr)
        return exit_code_of(error if isinstance(error, KeyboardInterrupt) else KeyboardInterrupt())
    except BrokenPipeError:  # `glad prompts list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"glad: {redact(_refusal(error))}", file=sys.stderr)
        return 1


def _cannot_be_right(error: click.ClickException) -> int:
    """The usage and the mistake, without any secret that was typed: `glad status $DATABASE_URL`, say."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = redact(error.format_message())
    if context is not None:
        print(redact(context.get_usage()), file=sys.stderr)
        end = "" if message.endswith((".", "?")) else "."
        message = f"{message}{end} See {context.command_path} --help"
    print(f"glad: {message}", file=sys.stderr)
    return error.exit_code


def _refusal(error: OSError) -> str:
    """What a file or a disk refused, where, and the cure."""
    home = os.environ.get("GLAD_HOME", ".glad")
    where = f"{error.filename}: " if error.filename else ""
    if disk.is_full(error):
        return f"{where}{error.strerror or error}: {disk.full(disk.place_of(error, home, tempfile.gettempdir(), '.'))}"
    cures = {
        errno.EACCES: "Make it accessible to you, or set GLAD_HOME to a directory of your own",
        errno.EPERM: "Make it accessible to you, or set GLAD_HOME to a directory of your own",
        errno.EROFS: "Set GLAD_HOME to a directory on a disk that can be written",
        errno.EMFILE: "Allow more open files: ulimit -n 4096",
    }
    cure = cures.get(error.errno or 0, f"If it is a file in {home}: ./glad down, and try again")
    return f"{where}{error.strerror or error}. {cure}"
