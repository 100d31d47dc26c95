"""`glad demo | up | down | status | reset | run`: the embedded servers, and what runs beside or upon them."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.options import Json, Yes
from glad_pipeline.cli.output import print_json, print_table
from glad_pipeline.cli.runtime import Runtime, require_migrated, require_store, require_together
from glad_pipeline.display import counted, one_line
from glad_pipeline.errors import UsageError

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings


def add_to(app: typer.Typer, heading: str) -> None:
    """Add these commands to the application itself: they are no group of their own."""
    for command in (demo, up, down, status, reset):
        app.command(rich_help_panel=heading)(command)
    passed_on = {"ignore_unknown_options": True, "allow_interspersed_args": False}
    app.command("run", rich_help_panel=heading, context_settings=passed_on)(run)


def demo(
    context: typer.Context,
    yes: Yes = False,
) -> int:
    """From nothing to illustrated posts and a gallery.html, once."""
    from glad_pipeline.operations.demo.demo import demo

    settings = Runtime.of(context).settings
    if settings.database_url is not None and not yes:
        from glad_pipeline.database import describe

        where = describe(settings.database_url.get_secret_value())
        intent = f"migrate your own database {where} and publish sample posts on its blog"
        if not _confirmed(f"The demo will {intent}.", f"the demo would {intent}"):
            print("nothing was changed")
            return 1
    require_store(settings)
    return demo(settings, print_table, lambda url: require_together(url, settings))


def up(context: typer.Context) -> int:
    """Servers, web UI and daemon in the foreground; Ctrl-C stops them."""
    from glad_pipeline.database.migrations import migrate
    from glad_pipeline.local.foreground import up

    settings = Runtime.of(context).settings
    require_migrated(settings)
    require_store(settings)

    def prepare(url: str) -> list[str]:
        done = migrate(url, blog=settings.blog)
        require_together(url, settings)
        return done

    if settings.database_url is not None:
        require_together(settings.database_url.get_secret_value(), settings)
    code = up(settings, prepare)
    if _state_of_workers(settings)[1] == "running":
        print("the workers stay warm: ./glad workers down ends them", file=sys.stderr)
    return code


def down(context: typer.Context) -> int:
    """Stop a running `glad up` and the embedded servers."""
    from glad_pipeline.local.foreground import down

    settings, _ = Runtime.of(context).settings_as_far_as_right()
    stopped = [*_end_workers(settings), *down(settings)]
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def status(context: typer.Context, json: Json = False) -> int:
    """What runs, where, whether database and store answer, and how far the queue is."""
    from glad_pipeline.local.status import report
    from glad_pipeline.operations.answers import ask, problem_of_visit
    from glad_pipeline.storage.options import options_of

    settings, problem = Runtime.of(context).settings_as_far_as_right()
    rows, url, stored = report(settings)
    rows.append(_state_of_workers(settings))
    database, store = ask(url, settings.blog, options_of(stored) if stored else None)
    looks = url and database and database.queue is not None and settings.public_check != "off"
    unseen = problem_of_visit(url, settings.blog) if url and looks else None
    names = ("part", "state", "address", "pid")
    if json:
        answers = {"database": database and asdict(database), "store": store and asdict(store), "visitors": unseen}
        print_json(
            {
                "parts": [dict(zip(names, row, strict=True)) for row in rows],
                **answers,
                "data": str(settings.home),
                "wrong_settings": problem,
            }
        )
        return 0
    print_table(names, rows)
    print(f"\ndata: {settings.home}")
    if database is not None:
        print(f"database: {database}")
    if store is not None:
        print(f"store: {store}")
    if unseen:
        print(f"pictures: {unseen}")
    if database is not None and database.queue is not None:
        print(f"queue: {counted(database.queue, none='empty')}")
        if database.paused:
            print(f"paused: {one_line(database.paused, 500)}")
    return 0


def reset(
    context: typer.Context,
    yes: Yes = False,
) -> int:
    """Stop everything and delete the embedded servers' data."""
    from glad_pipeline.local.foreground import down
    from glad_pipeline.local.home import Home

    settings = Runtime.of(context).settings
    home = Home(settings.home)
    if not home.path.exists():
        print(f"nothing to delete: there is no {home.path}")
        return 0
    home.check()
    if not yes and not _confirmed(
        f"Delete the embedded database, pictures and logs in {home.path}?", f"reset deletes the data in {home.path}"
    ):
        print("nothing was deleted")
        return 1
    _end_workers(settings)
    down(settings)
    home.prepare().clear()
    print(f"deleted the data in {home.path}")
    if settings.database_url is not None and not settings.names_store and settings.volume is None:
        print(
            "your own database still names the bucket that was deleted: ./glad migrate --adopt has it take the next one"
        )
    return 0


def run(
    context: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(metavar="-- CMD …", show_default=False)] = None,
) -> int:
    """Run any command with the environment: glad run -- CMD …"""
    from glad_pipeline.local.stack import check_embedded_store

    if not command:
        raise UsageError(
            "run what? For example: glad run -- dagster job execute -m glad_pipeline.definitions -j publish_prompts"
        )
    check_embedded_store(Runtime.of(context).settings)
    environment = Runtime.of(context).environment()
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        print(f"glad: there is no command {command[0]!r}", file=sys.stderr)
        return 127
    sys.stdout.flush()
    os.execve(program, command, environment)  # noqa: S606 - its signals, its exit code: it replaces us


def _confirmed(question: str, refusal: str) -> bool:
    """Whether somebody types yes. Raises `UsageError` with the refusal where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise UsageError(f"{refusal}; there is no terminal to ask on. Use --yes")
    return input(f"{question} Type yes: ").strip().lower() == "yes"


def _end_workers(settings: Settings) -> list[str]:
    """This machine's own workers; those of another cluster are not ours to end."""
    from glad_pipeline.workers.cluster import Cluster

    return ["the workers"] if Cluster(settings.engine).stop() else []


def _state_of_workers(settings: Settings) -> tuple[str, str, str, str]:
    """The warm workers as a row of `status`."""
    from glad_pipeline.workers.cluster import Cluster

    if settings.ray_address:
        return "workers", "yours (GLAD_RAY_ADDRESS)", settings.ray_address, ""
    known = Cluster(settings.engine).describe()
    return ("workers", "running", known["address"], str(known["pid"])) if known else ("workers", "stopped", "", "")
