"""Other people's databases: blogs of every make, what they look like before and after, and a pipeline on them."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from glad_pipeline.local.postgres import locate

SCHEMAS = Path(__file__).parent / "integration" / "blog_schemas"


def sql(url: str, script: str) -> None:
    """Many statements, each committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script.encode())


def version(name: str) -> str:
    """One of the four versions of the blog that were met, with two posts in it."""
    return (SCHEMAS / f"{name}.sql").read_text(encoding="utf-8")


def blog(
    ids: str = "uuid PRIMARY KEY DEFAULT gen_random_uuid()", *more: str, table: str = "posts", **types: str
) -> str:
    """A small blog of another make, with a draft in it.

    Args:
        ids: the type of its ids, and how they come.
        more: further columns.
        types: columns that are otherwise than usual, as `status="post_status"`; "" leaves one out.
    """
    usual = {
        "title": "varchar(200) NOT NULL",
        "slug": "varchar(200) UNIQUE NOT NULL",
        "content": "text NOT NULL",
        "excerpt": "text",
        "featured_image_url": "varchar(500)",
        "status": "varchar(20) NOT NULL DEFAULT 'draft'",
        "author": "text",
        "metadata": "jsonb DEFAULT '{}'",
        "published_at": "timestamptz",
        "created_at": "timestamptz DEFAULT now()",
        "updated_at": "timestamptz DEFAULT now()",
    }
    columns = [f"id {ids}", *(f"{name} {kind}" for name, kind in {**usual, **types}.items() if kind), *more]
    return f"CREATE TABLE {table} ({', '.join(columns)});"


def dump(url: str) -> str:
    """The schema as `pg_dump` writes it, without the lines that differ from one call to the next."""
    command = [locate().folder / "pg_dump", "--schema-only", "--no-owner", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def psql(url: str, script: str) -> None:
    """The script as a person runs it; the first error ends it."""
    command = [locate().folder / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", url]
    done = subprocess.run(command, check=False, input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """Another database with all that is in this one, which nobody may be connected to, and its owner."""
    base, _, name = url.partition("?")[0].rpartition("/")
    options = url.partition("?")[2]
    copy = f"copy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT quote_ident(pg_get_userbyid(datdba)) FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    sql(f"{base}/postgres", f"CREATE DATABASE {copy} TEMPLATE {name} OWNER {row[0] if row else 'CURRENT_USER'}")
    try:
        yield f"{base}/{copy}" + (f"?{options}" if options else "")
    finally:
        sql(f"{base}/postgres", f"DROP DATABASE {copy} WITH (FORCE)")
