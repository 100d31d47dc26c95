"""Whether the database and the store that are in use answer, asked at once and bounded in time. Changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import psycopg

from glad_pipeline.database import Database, DatabaseError, first_words
from glad_pipeline.deadline import within
from glad_pipeline.pipeline.visit import problem_of_newest
from glad_pipeline.prompts.management import counts_by_status
from glad_pipeline.prompts.pauses import pauses
from glad_pipeline.storage.opening import open_store, warm_up
from glad_pipeline.storage.protocol import StoreAnswer, StoreError

if TYPE_CHECKING:
    from glad_pipeline.blog_names import BlogNames
    from glad_pipeline.storage.options import StoreOptions
    from glad_pipeline.storage.protocol import ObjectStore

SECONDS = 4.0  # for both together
State = Literal["answers", "does not answer", "refuses", "not a bucket"]
STATES: dict[StoreAnswer, State] = {"none": "does not answer", "refusal": "refuses", "no bucket": "not a bucket"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What somebody who was asked has answered."""

    state: State
    reason: str = ""  # why it is not `answers`, with the cure
    paused: str = ""  # of the database: what is paused in the queue, since when and why
    queue: dict[str, int] | None = None  # of the database: prompts by their state; None: unknown, or no tables yet

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}" if self.reason else self.state


def ask(url: str | None, blog: BlogNames, store: StoreOptions | None) -> tuple[Answer | None, Answer | None]:
    """The database at a URL and the store: what each answers, in SECONDS at most; None for what is not in use."""
    opened = open_store(store) if store else None
    if store:
        warm_up(store)  # which takes seconds on a busy machine, and is no silence of the store's
    with ThreadPoolExecutor(2) as both:
        of_database = both.submit(_in_time, partial(_of_database, url, blog)) if url else None
        of_store = both.submit(_in_time, partial(_of_store, opened)) if opened else None
    return of_database.result() if of_database else None, of_store.result() if of_store else None


def _in_time(question: partial[Answer]) -> Answer:
    try:
        return within(SECONDS, question)
    except TimeoutError as error:
        return Answer(state="does not answer", reason=str(error))


def _of_database(url: str, blog: BlogNames) -> Answer:
    try:
        with Database(url, application_name="glad status", blog=blog) as database:
            paused = _paused(database)
            return Answer(state="answers", queue=counts_by_status(database), paused=paused)
    except DatabaseError as error:
        return Answer(state="does not answer", reason=str(error))
    except psycopg.errors.UndefinedTable:
        return Answer(state="answers", reason="no tables yet; make them with: glad migrate")
    except psycopg.Error as error:
        return Answer(state="refuses", reason=first_words(error))


def _paused(database: Database) -> str:
    """Nothing where the tables are those of an older release: `glad doctor` says what is to be migrated."""
    try:
        return database.read(pauses).in_words()
    except psycopg.errors.UndefinedTable:
        return ""


def _of_store(store: ObjectStore) -> Answer:
    try:
        store.check()
    except StoreError as error:
        return Answer(state=STATES[error.answer], reason=str(error))
    return Answer(state="answers")


def problem_of_visit(url: str, blog: BlogNames) -> str | None:
    """Why visitors are not given the newest picture, in SECONDS at most; None: they are, or that cannot be told."""

    def visit() -> str | None:
        with Database(url, application_name="glad status", blog=blog) as database:
            return problem_of_newest(database)

    try:
        return within(SECONDS, visit)
    except TimeoutError as error:
        return f"the newest picture's public address gives {error}"
    except (DatabaseError, psycopg.Error):
        return None
