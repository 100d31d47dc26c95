"""`glad …`: what a person types, turned into calls of the rooms.

Imports a room when its command runs, so that `glad status` answers at once. A person's mistake is a message and an
exit code (1 failed, 2 cannot be right), never a stack trace.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from glad_pipeline.cli import audit as audit_commands
from glad_pipeline.cli import models as model_commands
from glad_pipeline.cli import posts as publishing_commands
from glad_pipeline.cli import prompts as prompt_commands
from glad_pipeline.cli import workers as worker_commands
from glad_pipeline.database import roles
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local.stack import forget_ours, lasting_settings, project_root
from glad_pipeline.redaction import at_every_door, redact
from glad_pipeline.settings import Settings, load_settings, variables_of

if TYPE_CHECKING:
    from glad_pipeline.database import Database
    from glad_pipeline.operations.removal import Removal
    from glad_pipeline.storage.protocol import ObjectStore


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    at_every_door()
    arguments = parser.parse_args(argv)
    try:
        take_environment()
        code: int = arguments.func(arguments, load_settings())
        return code
    except GladError as error:
        print(f"glad: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nglad: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `glad prompts list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"glad: {redact(_told(error))}", file=sys.stderr)
        return 1


def _told(error: OSError) -> str:
    """What a file or a disk refused, where, and the cure."""
    home = os.environ.get("GLAD_HOME", ".glad")
    where = f"{error.filename}: " if error.filename else ""
    cures = {
        errno.ENOSPC: f"Free some space on that disk (the data of the embedded servers is in {home})",
        errno.EDQUOT: f"Free some space, your quota is used up (the data of the embedded servers is in {home})",
        errno.EACCES: "Make it accessible to you, or set GLAD_HOME to a directory of your own",
        errno.EPERM: "Make it accessible to you, or set GLAD_HOME to a directory of your own",
        errno.EROFS: "Set GLAD_HOME to a directory on a disk that can be written",
        errno.EMFILE: "Allow more open files: ulimit -n 4096",
    }
    cure = cures.get(error.errno or 0, f"If it is a file in {home}: ./glad down, and try again")
    return f"{where}{error.strerror or error}. {cure}"


def take_environment() -> None:
    """Put the repository's `.env` into the environment (a variable that is set wins) and make GLAD_HOME absolute.

    What `glad run` or a shell that has read GLAD_HOME/.env hands on of our own is no setting of the person's.
    """
    root = project_root()
    forget_ours(os.environ)
    for name, value in lasting_settings().items():
        if not os.environ.get(name):
            os.environ[name] = str(root / value) if name == "GLAD_HOME" else value
    os.environ["GLAD_HOME"] = str(Path(os.environ.get("GLAD_HOME") or root / ".glad").expanduser().absolute())


class _Parser(argparse.ArgumentParser):
    """One that repeats no secret of what was typed: `glad status $DATABASE_URL`, say."""

    def error(self, message: str) -> NoReturn:
        super().error(redact(message))


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="glad", description="Rows in a prompts table become pictures in an object store and posts on a blog."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, func: object, text: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
        command.set_defaults(func=func)
        return command

    demo = add("demo", _demo, "from nothing to illustrated posts and a gallery.html, once")
    demo.add_argument("--yes", action="store_true", help="do not ask before publishing on a database of your own")
    add("up", _up, "servers, web UI and daemon in the foreground; Ctrl-C stops them")
    add("down", _down, "stop a running `glad up` and the embedded servers")
    add("status", _status, "what runs, where, and how far the queue is")
    reset = add("reset", _reset, "stop everything and delete the embedded servers' data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    run = add("run", _run, "run any command with the environment: glad run -- CMD …")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD …")
    model = add("demo-model", _demo_model, "train or measure the demo model: glad demo-model train|evaluate …")
    model.add_argument("program", choices=("train", "evaluate"))
    model.add_argument("options", nargs=argparse.REMAINDER, metavar="…", help="of the program; its --help tells them")
    again = add(
        "reproduce", _reproduce, "draw a published picture again and say whether it is the same, and what differs"
    )
    again.add_argument(
        "picture", metavar="POST|IMAGE", help="a post's id or slug; an image's id, key or URL; or a PNG file of ours"
    )
    again.add_argument(
        "--model", metavar="DIR", help="draw with this model; else the recorded one, as GLAD_MODEL finds it"
    )
    again.add_argument("--save", metavar="FILE.png", type=Path, help="keep the new picture")
    again.add_argument("--json", action="store_true", help="one JSON object")
    migrating = add("migrate", _migrate, "bring the database's tables up to date")
    migrating.add_argument(
        "--adopt",
        action="store_true",
        help="have the bucket of the settings belong to this database from now on, whatever the two have said so far",
    )
    settings = add("settings", _settings, "every setting: variable, default, meaning")
    settings.add_argument("--markdown", action="store_true", help="as the table in README.md")
    commands.add_parser("test", help="install what the tests need and run them (by the launcher: ./glad test)")
    prompt_commands.register(commands)
    publishing_commands.register(commands, _removal)
    for room in ("prompts", "posts", "images", "outbox"):
        _wrap(commands.choices[room], _with_database)
    audit_commands.register(commands, _store)
    _prepare(commands.choices["audit"], _with_database)
    _wrap(commands.choices["catalogue"], _with_database)
    model_commands.register(commands)
    _wrap(commands.choices["model"], _with_home)
    worker_commands.register(commands)
    roles.register(commands)
    return parser


def _wrap(parser: argparse.ArgumentParser, ready: Callable[[Settings], Settings]) -> None:
    """Have what a room's commands need made ready before any of them: the queue's database, the models' directory."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _prepare(command, ready)


def _prepare(command: argparse.ArgumentParser, ready: Callable[[Settings], Settings]) -> None:
    handler = command.get_default("func")
    command.set_defaults(func=lambda arguments, settings: handler(arguments, ready(settings)))


def _with_home(settings: Settings) -> Settings:
    """Models need GLAD_HOME, for the hashes they remember there, and no server."""
    from glad_pipeline.local.home import Home

    Home(settings.home).prepare()
    return settings


def _with_database(settings: Settings) -> Settings:
    environment = _ready(settings)
    os.environ.update(environment)
    return load_settings()


def _ready(settings: Settings) -> dict[str, str]:
    """The environment of a command; a database of our own is migrated too, a person's own only when they say so."""
    from glad_pipeline.local import stack

    _require_migrated(settings)
    environment = stack.ensure(settings)
    if settings.database_url is None:
        from glad_pipeline.database.migrations import migrate

        migrate(environment["DATABASE_URL"])
    return environment


def _require_migrated(settings: Settings) -> None:
    """Raises `GladError` if a person's own database is not up to date: only `glad migrate` changes it."""
    if settings.database_url is None:
        return
    from glad_pipeline.database import describe
    from glad_pipeline.database.migrations import pending

    url = settings.database_url.get_secret_value()
    if missing := pending(url):
        raise GladError(f"{describe(url)} is not up to date, it lacks {', '.join(missing)}. Run ./glad migrate first")


def _confirmed(question: str, refusal: str) -> bool:
    """Whether somebody types yes. Raises `UsageError` with the refusal where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise UsageError(f"{refusal}; there is no terminal to ask on. Use --yes")
    return input(f"{question} Type yes: ").strip().lower() == "yes"


def _demo(arguments: argparse.Namespace, settings: Settings) -> int:
    from glad_pipeline.operations.demo.demo import demo

    if settings.database_url is not None and not arguments.yes:
        from glad_pipeline.database import describe

        where = describe(settings.database_url.get_secret_value())
        told = f"migrate your own database {where} and publish sample posts on its blog"
        if not _confirmed(f"The demo will {told}.", f"the demo would {told}"):
            print("nothing was changed")
            return 1
    _require_store(settings)
    return demo(settings, lambda url: _require_together(url, settings))


def _up(arguments: argparse.Namespace, settings: Settings) -> int:
    from glad_pipeline.database.migrations import migrate
    from glad_pipeline.local.foreground import up

    _require_migrated(settings)
    _require_store(settings)

    def prepare(url: str) -> list[str]:
        done = migrate(url)
        _require_together(url, settings)
        return done

    if settings.database_url is not None:
        _require_together(settings.database_url.get_secret_value(), settings)
    code = up(settings, prepare)
    if _told_of_workers(settings)[1] == "running":
        print("the workers stay warm: ./glad workers down ends them", file=sys.stderr)
    return code


def _reproduce(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 if the new picture is bit-equal and the record true; 1 if not; 2 where that could not be found out."""
    from glad_pipeline.database import Database
    from glad_pipeline.operations.reproduce import is_file, record_of, record_of_file, reproduce, save

    if arguments.save is not None and (arguments.save.is_dir() or not arguments.save.parent.is_dir()):
        raise UsageError(f"--save {arguments.save}: name a file in a directory that exists")
    if is_file(arguments.picture):
        record = record_of_file(Path(arguments.picture))
    else:
        settings = _with_database(settings)
        assert settings.database_url is not None  # noqa: S101 - it has just been started
        with Database(settings.database_url.get_secret_value(), application_name="glad reproduce") as database:
            record = record_of(arguments.picture, database, _store(settings))
    try:
        outcome = reproduce(record, settings, model=arguments.model)
    except GladError as error:
        raise UsageError(str(error)) from error
    if arguments.save is not None:
        save(outcome, arguments.save)
    print(json.dumps(outcome.as_dict(), ensure_ascii=False, indent=2) if arguments.json else outcome)
    return 0 if outcome.bit_equal and not outcome.contradictions else 1


def _require_store(settings: Settings) -> None:
    """A person's own bucket has to answer before anything is promised. Raises `StoreError`, with the cure."""
    if settings.s3_bucket is None:
        return
    _store(settings).check()


def _require_together(url: str, settings: Settings) -> None:
    """A person's own bucket has to be this database's. Raises `GladError` with both names where it is another's."""
    if settings.s3_bucket is None:  # a run finds out
        return
    from glad_pipeline.database import Database
    from glad_pipeline.pipeline.identity import check

    with Database(url, application_name="glad") as database:
        check(database, _store(settings))


def _store(settings: Settings) -> ObjectStore:
    from glad_pipeline.storage.opening import open_store

    return open_store(settings)


def _removal(settings: Settings, database: Database) -> Removal:
    from glad_pipeline.operations.removal import Removal

    dagster = settings.dagster_database_url
    return Removal(
        database=database,
        store=_store(settings),
        dagster_url=dagster.get_secret_value() if dagster else None,
        galleries=[folder / "gallery.html" for folder in (project_root(), settings.home)],
    )


def _down(arguments: argparse.Namespace, settings: Settings) -> int:
    from glad_pipeline.local.foreground import down

    stopped = [*_end_workers(settings), *down(settings)]
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def _end_workers(settings: Settings) -> list[str]:
    """This machine's own workers; those of another cluster are not ours to end."""
    from glad_pipeline.workers.cluster import Cluster

    return ["the workers"] if Cluster(settings).stop() else []


def _status(arguments: argparse.Namespace, settings: Settings) -> int:
    import psycopg
    from tabulate import tabulate

    from glad_pipeline.database import Database, DatabaseError
    from glad_pipeline.local.status import report
    from glad_pipeline.prompts.operations import counts_by_status

    rows, url = report(settings)
    rows.append(_told_of_workers(settings))
    print(tabulate(rows, headers=("part", "state", "address", "pid")))
    print(f"\ndata: {settings.home}")
    if url is None:
        return 0
    try:
        with Database(url, application_name="glad status") as database:
            counts = counts_by_status(database)
    except DatabaseError as error:
        print(f"queue: {error}")
    except psycopg.errors.UndefinedTable:
        print("queue: no tables yet; make them with: glad migrate")
    else:
        print("queue: " + (", ".join(f"{n:,} {status}" for status, n in counts.items() if n) or "empty"))
    return 0


def _told_of_workers(settings: Settings) -> tuple[str, str, str, str]:
    from glad_pipeline.workers.cluster import Cluster

    if settings.ray_address:
        return "workers", "yours (GLAD_RAY_ADDRESS)", settings.ray_address, ""
    told = Cluster(settings).describe()
    return ("workers", "running", told["address"], str(told["pid"])) if told else ("workers", "stopped", "", "")


def _reset(arguments: argparse.Namespace, settings: Settings) -> int:
    from glad_pipeline.local.foreground import down
    from glad_pipeline.local.home import Home

    home = Home(settings.home)
    if not home.path.exists():
        print(f"nothing to delete: there is no {home.path}")
        return 0
    home.check()
    if not arguments.yes and not _confirmed(
        f"Delete the embedded database, pictures and logs in {home.path}?", f"reset deletes the data in {home.path}"
    ):
        print("nothing was deleted")
        return 1
    _end_workers(settings)
    down(settings)
    home.prepare().clear()
    print(f"deleted the data in {home.path}")
    if settings.database_url is not None and settings.s3_bucket is None:
        print(
            "your own database still names the bucket that was deleted: ./glad migrate --adopt has it take the next one"
        )
    return 0


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise UsageError(
            "run what? For example: glad run -- dagster job execute -m glad_pipeline.definitions -j publish_prompts"
        )
    environment = _ready(settings)
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        print(f"glad: there is no command {command[0]!r}", file=sys.stderr)
        return 127
    sys.stdout.flush()
    os.execve(program, command, environment)  # noqa: S606 - its signals, its exit code: it replaces us


def _demo_model(arguments: argparse.Namespace, settings: Settings) -> int:
    module = f"training.{arguments.program}"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments.options])  # noqa: S606 - it replaces us


def _migrate(arguments: argparse.Namespace, settings: Settings) -> int:
    from glad_pipeline.database import describe
    from glad_pipeline.database.migrations import migrate
    from glad_pipeline.local import stack

    environment = stack.ensure(settings)
    url = environment["DATABASE_URL"]
    done = migrate(url)
    print(f"{describe(url)}: {', '.join(done) if done else 'up to date'}")
    if arguments.adopt:
        from glad_pipeline.database import Database
        from glad_pipeline.pipeline.identity import adopt

        os.environ.update(environment)
        with Database(url, application_name="glad migrate") as database:
            own = adopt(database, _store(load_settings()))
        print(f"the bucket {own.bucket!r} at {own.place} belongs to the database {own.database_name} from now on")
    return 0


def _settings(arguments: argparse.Namespace, settings: Settings) -> int:
    from tabulate import tabulate

    rows = list(settings_rows())
    if arguments.markdown:
        rows = [(f"`{name}`", f"`{default}`" if default else "", meaning) for name, default, meaning in rows]
    headers = ("variable", "default", "meaning")
    widths = None if arguments.markdown else [None, None, 80]
    style = "github" if arguments.markdown else "simple"
    print(tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True, maxcolwidths=widths))
    return 0


def settings_rows() -> Iterator[tuple[str, str, str]]:
    """Variable, default and meaning of every setting, read from the settings themselves."""
    for field in Settings.model_fields.values():
        name = variables_of(field)[0]
        default = "" if field.default is None else str(field.default)
        yield name, default.lower() if isinstance(field.default, bool) else default, field.description or ""
