"""`glad demo`: from nothing to illustrated posts, once, with everything shown on the way.

Puts the rooms together as a person would: servers, schema, import, one run of the job, a table, a gallery.
"""

from __future__ import annotations

import csv
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from glad_pipeline import disk
from glad_pipeline.database import Database, DatabaseError, connect, named_queries
from glad_pipeline.database.migrations import migrate
from glad_pipeline.display import one_line, tail
from glad_pipeline.errors import GladError
from glad_pipeline.local import stack
from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import ended_if_raised, spawn
from glad_pipeline.local.progress import Step
from glad_pipeline.local.site import is_wanted
from glad_pipeline.operations.demo.gallery import Exhibit, write_gallery
from glad_pipeline.pipeline.visit import Expected, problem_of_picture
from glad_pipeline.prompts.importing import import_file
from glad_pipeline.prompts.management import counts_by_status
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline.records import records_of
from glad_pipeline.settings import Settings

QUERIES = named_queries(__package__, "demo.sql")
PrintTable = Callable[[Sequence[str], Sequence[Sequence[object]]], None]
ENDING_SECONDS = 60  # for the batch that is being drawn; its prompts are given back then
RUNS = 3  # at most: the first may find everything held by a run that ends before it is done
OTHERS_SECONDS = 180  # how long another run may take to publish what it has taken


def demo(settings: Settings, print_table: PrintTable, require: Callable[[str], None] = lambda url: None) -> int:
    """Do it all; 0 if every prompt is published, else a `GladError` that says which is not, and why.

    `print_table` shows headers and rows; `require` gets the database's URL before anything is added to it.
    """
    root = stack.project_root()
    environment = stack.ensure(settings)
    with Step("migrating the database"):
        migrate(environment["DATABASE_URL"], blog=settings.blog)
    require(environment["DATABASE_URL"])
    with Database(environment["DATABASE_URL"], application_name="glad demo", blog=settings.blog) as database:
        report = import_file(database, root / "examples" / "prompts.csv")
        print(f"examples/prompts.csv: {report.added} prompts added, {report.existing} known already")
        before = _all(database, "totals")[0]
        since = _all(database, "now")[0]["now"]
        if _waiting(database):
            for _ in range(RUNS):
                _run_job(database, environment, root, Home(settings.home))
                if not _is_work_left(database, since, ahead=settings.draws_ahead):
                    break
        after = _all(database, "totals")[0]
        unfinished = _all(database, "unfinished", since=since)
        posts = records_of(Exhibit, _all(database, "posts", titles=_titles(root)))
    print()
    print_table(("title", "slug", "bytes", "seconds", "picture"), [_row(post) for post in posts])
    for post in posts:
        _require_visible(post)
    gallery = _write_gallery(posts, Home(settings.home))
    drawn, published = after["drawn"] - before["drawn"], after["published"] - before["published"]
    note = ": everything is already there" if drawn == published == 0 and not unfinished else ""
    print(f"\n{drawn} drawn, {published} published{note}.")
    if unfinished:
        reasons = "\n".join("  {id} {title}: {status}, {reason}".format(**row) for row in unfinished)
        raise GladError(f"not every prompt is published:\n{reasons}\nTry again with: glad demo")
    _print_next_steps(settings, gallery)
    return 0


def _run_job(database: Database, environment: dict[str, str], root: Path, home: Home) -> None:
    """One `dagster job execute`, its output in a log, the queue's counts on the screen while it runs."""
    log = home.logs / "demo-run.log"
    job = ("dagster", "job", "execute", "-m", "glad_pipeline.definitions", "-j", "publish_prompts")
    log.unlink(missing_ok=True)
    run = spawn([sys.executable, "-m", *job], log=log, cwd=root, env=environment, die_with_us=signal.SIGTERM)
    with (
        ended_if_raised(run, seconds=ENDING_SECONDS),
        Step("drawing and publishing (dagster job execute)", always=True) as step,
    ):
        while run.poll() is None:
            with _explained(database):
                counts = counts_by_status(database)
            step.detail = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
            time.sleep(0.5)
    if run.returncode != 0:
        said = re.findall(r"events\.Failure: (.+)", log.read_text(encoding="utf-8", errors="replace"))
        raise GladError(
            f"the Dagster run failed: {said[-1]}. Its log: {log}"
            if said
            else f"the Dagster run failed (exit {run.returncode}). Its log: {_end_of(log)}{_trouble(environment)}"
        )


def _trouble(environment: Mapping[str, str]) -> str:
    """That the database has gone while a run worked: an embedded one by its log."""
    try:
        connect(environment["DATABASE_URL"]).close()
    except DatabaseError as error:
        return f"\n{error}"
    return ""


@contextmanager
def _explained(database: Database) -> Iterator[None]:
    """A database that is lost inside is a `DatabaseError` with the cure."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise DatabaseError(database.refusal(error)) from error


def _end_of(log: Path) -> str:
    """A run's log with its last lines, and that the disk is full where they say so."""
    text = tail(log, 30)
    return f"{log}\n{text}{disk.full_by(text, log.parent.parent)}"


def _titles(root: Path) -> list[str]:
    with (root / "examples" / "prompts.csv").open(encoding="utf-8", newline="") as file:
        return [row["title"] for row in csv.DictReader(file)]


def _is_work_left(database: Database, since: datetime, *, ahead: bool) -> bool:
    """Whether a further run has something to do. Prompts that another one (a `glad up`, say) holds are waited for.

    True as soon as that one has died or was ended: its prompts are taken over.
    """
    deadline = time.monotonic() + OTHERS_SECONDS
    with Step("waiting for another run that holds prompts") as step:
        while time.monotonic() < deadline:
            held = [
                row for row in _all(database, "unfinished", since=since) if row["status"] in ("claimed", "generated")
            ]
            with _explained(database), database.transaction() as connection:
                ready = bool(readiness(connection, ahead=ahead))
            if ready or not held:
                return ready
            step.detail = f"{len(held)} to go"
            time.sleep(0.5)
    return False


def _waiting(database: Database) -> bool:
    counts = counts_by_status(database)
    return any(counts.get(status) for status in ("pending", "claimed", "generated"))


def _row(post: Exhibit) -> tuple[object, ...]:
    """A post as a row of the table; the URL comes last: a narrow terminal then breaks only its lines."""
    seconds = "" if post.seconds is None else f"{post.seconds:.2f}"
    return one_line(post.title, 40), post.slug, post.size, seconds, post.url


def _require_visible(post: Exhibit) -> None:
    """Raises `GladError` where a visitor's browser would not be given a post's picture."""
    expected = Expected(url=post.url, sha256=post.sha256, bytes=post.size, width=post.width, height=post.height)
    if problem := problem_of_picture(expected):
        raise GladError(
            f"visitors are not given the picture of {post.title!r} at {post.url}: it {problem}. "
            "Pictures must be readable by anyone under generated/: see the bucket's policy"
        )


def _write_gallery(exhibits: Sequence[Exhibit], home: Home) -> Path:
    """The page, in the state directory: each has its own."""
    path = home.path / "gallery.html"
    try:
        write_gallery(exhibits, path)
    except OSError as error:
        raise GladError(
            f"the gallery cannot be written to {path}: {error.strerror}. The posts are published; "
            "free some space or set GLAD_HOME to a directory you may write, and run it again"
        ) from error
    return path


def _print_next_steps(settings: Settings, gallery: Path) -> None:
    print(f"\nGallery: {gallery.as_uri()}")
    if settings.database_url is None or not settings.names_store:
        print("The embedded servers stay up, so that these URLs work. Stop them with: ./glad down")
    print(
        "\nTry next:\n"
        "  ./glad prompts add 'a lighthouse at dusk over a calm sea' --title 'The Last Lighthouse'\n"
        "  ./glad run -- dagster job execute -m glad_pipeline.definitions -j publish_prompts\n"
        "  ./glad up        everything at once; new rows are then published by themselves"
    )
    if is_wanted(settings):
        running = (describe(Home(settings.home)) or {}).get("site")
        blog = running or f"http://127.0.0.1:{settings.site_port}"
        print(f"\nThe blog, as readers see it: {blog}{'' if running else '  (once ./glad up runs)'}")


def _all(database: Database, name: str, **parameters: Any) -> list[dict[str, Any]]:
    with _explained(database), database.transaction() as connection:
        return connection.execute(QUERIES[name], parameters or None).fetchall()
