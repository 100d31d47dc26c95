"""A run's claim: what never could be drawn or published is rejected, before anything is drawn and without a try; tries
that failed for another cause are given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import psycopg

from glad_pipeline.blame import is_the_deployments, one_row
from glad_pipeline.database import Connection, Database, DatabaseError, named_queries
from glad_pipeline.database.content_tasks import look_at_tasks, problem_of_task
from glad_pipeline.errors import GladError
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.prompts.validation import reasons_against
from glad_pipeline.publishing.blog_schema import look
from glad_pipeline.records import Prompt, kind_of, values_of

SQL = named_queries(__package__, "claim.sql")


def reject_unfit(prompts: Sequence[Prompt], claim: Claim, database: Database) -> list[Prompt]:
    """The prompts whose values are valid and whose post, task and slug can be had and whose texts fit the blog; the
    others are rejected, each with what is wrong with it."""
    bad: dict[int, str] = {}
    for prompt in prompts:
        with one_row(partial(bad.__setitem__, prompt.id)):
            if problems := reasons_against(values_of(prompt), ids=kind_of(prompt.post_id)):
                bad[prompt.id] = "; ".join(problems)
    valid = [each for each in prompts if each.id not in bad]
    if valid:
        bad |= database.read(partial(problems_of_aims, valid))
    claim.reject(bad)
    return [prompt for prompt in prompts if prompt.id not in bad]


def problems_of_aims(prompts: Sequence[Prompt], connection: Connection) -> dict[int, str]:
    """Why prompts can never be published: their post, task or slug cannot be had on the blog as it is now, or a
    text of theirs is longer than its column.

    Raises `DatabaseError`, with the GRANT, where a task of the blog's would have to be told and is not ours to write.
    """
    bound = {"ids": [each.id for each in prompts], "slugs": [each.slug for each in prompts if each.slug]}
    rows = connection.execute(SQL["aims"], bound).fetchall()
    named = {row["task_id"] for row in rows if row["task_id"]}
    tasks = look_at_tasks(connection) if named else None
    known = tasks.known(connection, named) if tasks else {}
    schema, by_id = look(connection), {each.id: each for each in prompts}
    found: dict[int, str | None] = {}
    for row in rows:
        if row["no_post"]:
            found[row["id"]] = f"post_id: no post has the id {row['post_id']}"
        elif row["for_a_task"] and tasks:
            found[row["id"]] = problem_of_task(row["task_id"], tasks, known)
        elif row["no_slug"] and schema.writes("slug"):
            found[row["id"]] = f"slug: {row['slug']!r} is taken by another post: choose another slug"
        elif row["is_new"]:
            found[row["id"]] = "; ".join(schema.too_wide(by_id[row["id"]]))
    if tasks and any(row["task_id"] in known for row in rows if not found.get(row["id"])):
        tasks.require_rights()  # not after it was drawn
    return {prompt_id: problem for prompt_id, problem in found.items() if problem}


@contextmanager
def refunding(claim: Callable[[], Claim | None]) -> Iterator[None]:
    """Give the claim's tries back for an error inside that is the store's, the database's or the GPU's.

    What nobody knows stays counted: should a row have caused it, its tries are spent one day.
    """
    try:
        yield
    except Exception as error:
        ours = claim()
        if ours is not None and (isinstance(error, GladError) or is_the_deployments(error)):
            with suppress(psycopg.Error, DatabaseError):
                ours.refund()
        raise
