"""What PostgreSQL says when the blog refuses a statement of ours, as words with the cure: never as a traceback.

What is one row's own (its slug is taken, say) is left as it is: `blame` tells the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from glad_pipeline.database import first_words
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.errors import UnavailableError
from glad_pipeline.publishing.blog_schema import BlogSchema
from glad_pipeline.publishing.columns import ALT_COLUMNS

# By SQLSTATE: features, authorization, names and what is no statement: no other row would fare better.
_SCHEMAS = ("0A", "3D", "3F", "42")
_LOCKED = "55P03"
_CHECKED, _NULL, _TAKEN, _UNKNOWN = "23514", "23502", "23505", "23503"
# The columns of posts that one prompt fills otherwise than the next: what is refused there may be that row's own
_OF_A_PROMPT = (
    *("title", "slug", "content", "excerpt", "author", "category", "author_id", "category_id"),
    *("seo_title", "seo_description", "task_id", "published_at", "metadata", *ALT_COLUMNS),
)
_DENIED = re.compile(r"(?:permission denied|policy) for (sequence|table|view|schema|function) \"?([^\s\"]+)")
_KEY = re.compile(r"\(([^()]*)\)=\(")  # of a reference to what is not there, in any language
_RIGHTS = {"sequence": "USAGE ON SEQUENCE", "schema": "USAGE ON SCHEMA", "function": "EXECUTE ON FUNCTION"}
_OUTSIDE = ("08", "25", "28", "40", "53", "54", "57", "58", "XX")  # nothing that a schema is the cause of


class BlogRefused(UnavailableError):
    """The blog's schema refuses what we write, and would refuse it for any prompt."""


@contextmanager
def in_words(schema: BlogSchema) -> Iterator[None]:
    """Raise `BlogRefused` where a statement inside fails for the schema's sake."""
    try:
        yield
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith(_SCHEMAS):
            raise
        raise BlogRefused(diagnosis_of(error, schema).in_words()) from error


def diagnosis_of(error: psycopg.Error, schema: BlogSchema) -> Diagnosis:
    """Which table and column refuse what, and what to do. Raises `error` where it says nothing of the schema."""
    state = error.sqlstate or ""
    if not state or state.startswith(_OUTSIDE):
        raise error
    said = first_words(error)
    if state == _LOCKED:
        return Diagnosis(check="blog: a post on trial", level=Level.NOT_TESTED, text=f"no post could be tried: {said}")
    column = error.diag.column_name
    name = f"{error.diag.table_name or schema.names}" + (f".{column}" if column else "")
    where = f" ({error.diag.context.splitlines()[0]})" if error.diag.context else ""
    return Diagnosis(
        check=f"blog: {name}",
        level=Level.WARNING if (own := _is_of_a_prompt(error, schema)) else Level.ERROR,
        text=f"the blog refuses {'a post on trial' if own else 'posts'}: {said}{_allowed(error, schema)}{where}",
        cure="prompts that do not keep to it are rejected, each by itself" if own else _cure(error, schema),
    )


def _is_of_a_prompt(error: psycopg.Error, schema: BlogSchema) -> bool:
    """Whether a prompt that fills its columns otherwise may pass."""
    columns = schema.posts.columns if schema.posts else {}
    filled = {columns[ours].name for ours in _OF_A_PROMPT if ours in columns}
    if error.sqlstate == _NULL:
        return error.diag.column_name in filled
    if error.sqlstate == _UNKNOWN:
        key = _KEY.search(error.diag.message_detail or "")
        return key is not None and not filled.isdisjoint(key[1].split(", "))
    if error.sqlstate != _CHECKED:
        return False
    checks = schema.posts.checks if schema.posts else ()
    named = [check for check in checks if check.name == error.diag.constraint_name]
    return not named or not filled.isdisjoint(named[0].columns)  # not named: a domain's, or no partition takes it


def _allowed(error: psycopg.Error, schema: BlogSchema) -> str:
    """What a violated CHECK allows."""
    checks = schema.posts.checks if schema.posts else ()
    return "".join(f": {check.definition}" for check in checks if check.name == error.diag.constraint_name)


def _cure(error: psycopg.Error, schema: BlogSchema) -> str:
    state, said = error.sqlstate, error.diag.message_primary or ""
    user = schema.posts.user if schema.posts else "…"
    table = f'"{schema.posts.schema}"."{schema.posts.relation}"' if schema.posts else str(schema.names)
    denied = _DENIED.search(said)
    kind, name = denied.groups() if denied else ("table", table)
    if schema.posts and name == schema.posts.relation:
        name = table
    if state == "42501" and "row-level security" in said:
        return (
            f'CREATE POLICY glad ON {name} TO "{user}" USING (true) WITH CHECK (true), or as a superuser '
            f'ALTER ROLE "{user}" BYPASSRLS'
        )
    if state == "42501":
        rights = _RIGHTS.get(kind, f"SELECT, INSERT, UPDATE{', DELETE' if name == 'media' else ''} ON")
        return f'grant it to "{user}": GRANT {rights} {name} TO "{user}"'
    if state == _TAKEN:
        return "where a sequence that lags behind numbers the rows, set it: SELECT setval('…', (SELECT max(id) FROM …))"
    if state == _CHECKED and _is_of("status", error, schema):
        return "say what the blog calls its states: GLAD_POSTS_STATUS=published=…,draft=…"
    if state == _NULL:
        return "give the column a default"
    if state == _CHECKED and _is_of("featured_image_data", error, schema):
        return "change the blog's constraint, or set GLAD_RENDITIONS=none"
    return "change the blog's constraint, trigger or rule; `./glad migrate` tries a post again"


def _is_of(ours: str, error: psycopg.Error, schema: BlogSchema) -> bool:
    column = schema.posts.columns.get(ours) if schema.posts else None
    checks = schema.posts.checks if schema.posts else ()
    return column is not None and any(
        check.name == error.diag.constraint_name and column.name in check.columns for check in checks
    )
