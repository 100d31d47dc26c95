"""Migrations on a real PostgreSQL: empty, on the blog's four versions, at once, killed, and without rights."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

import glad_pipeline
from glad_pipeline.database import DatabaseError, connect, cures
from glad_pipeline.database import migrations as room
from glad_pipeline.database.migrations import migrate, pending, steps

ALL = [
    "0001_prompts_and_images",
    "0002_blog_tables",
    "0003_blog_indexes",
    "0004_pictures_in_full",
    "0005_outbox_and_takedowns",
    "0006_who_may_write_prompts",
    "0007_deployments",
    "0008_run_claims",
    "0009_prompt_syntax",
    "0010_edits",
    "0011_run_reports",
    "0013_rows",
    "0014_store_probe",
    "0015_renditions",
    "0016_sources",
    "0017_events",
    "0018_api_keys",
    "0019_page_order",
    "0020_notify",
    "0021_who_decided",
    "0022_reviews_in_order",
]
BLOGS = Path(__file__).parent / "blog_schemas"
ADDED = {("posts", "image_file_size"), ("posts", "image_s3_key"), ("content_tasks", "s3_image_url")}
OURS = {
    "prompts",
    "prompt_sources",
    "images",
    "renditions",
    "outbox",
    "barred_recipes",
    "takedowns",
    "post_writes",
    "deployments",
    "run_claims",
    "prompt_aliases",
    "run_reports",
    "prompt_events",
    "api_keys",
    "api_sessions",
    "gateway_jobs",
    "glad_alembic_version",
}
INDEXES = {"idx_posts_status_created", "idx_posts_category", "idx_posts_author"}
GLAD_SCHEMA = "?options=-csearch_path%3Dglad,public"

MIGRATE = """
import os, sys
from glad_pipeline.database.migrations import migrate
import alembic.command, sqlalchemy.dialects.postgresql.psycopg
print("ready", flush=True)
sys.stdin.readline()
print(*migrate(os.environ["MIGRATE_URL"]), sep="\\n", flush=True)
"""

# --- what is in a database ---


def rows(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def run(url: str, script: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script.encode())


def columns(url: str) -> set[tuple[Any, ...]]:
    return set(
        rows(
            url,
            "SELECT table_schema, table_name, column_name, data_type, character_maximum_length, is_nullable,"
            " column_default FROM information_schema.columns"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
        )
    )


def definitions(url: str) -> set[tuple[Any, ...]]:
    """Indexes, constraints and views, each as the SQL that would make it."""
    return set(
        rows(
            url,
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'pg_toast')"
            " UNION ALL SELECT conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
            " UNION ALL SELECT viewname, definition FROM pg_views"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        )
    )


def everything(url: str) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    return columns(url), definitions(url)


def contents(url: str) -> dict[str, list[Any]]:
    """Every row of the blog's tables, without the columns that migrations add."""
    tables = [
        t
        for (t,) in rows(
            url, "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace"
        )
    ]
    added = "{" + ",".join(column for _, column in ADDED) + "}"
    return {
        t: sorted(str(r) for (r,) in rows(url, f'SELECT to_jsonb(t) - %s::text[] FROM public."{t}" t', added))
        for t in tables
        if t not in OURS
    }


def index_names(url: str, table: str = "posts") -> set[str]:
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indrelid = to_regclass(%s)"
    return {name for (name,) in rows(url, query, table)}


def version(url: str) -> str | None:
    if rows(url, "SELECT to_regclass('glad_alembic_version')")[0][0] is None:
        return None
    found = rows(url, "SELECT version_num FROM glad_alembic_version")
    return found[0][0] if found else None


def load(url: str, blog: str) -> None:
    run(url, (BLOGS / f"{blog}.sql").read_text(encoding="utf-8"))


def eventually(true: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


# --- other processes and other users ---


@contextmanager
def migrating(url: str, *, held: bool = False, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has imported everything and migrates now, or, if `held`, once it is let `go`."""
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MIGRATE_URL": url},
        cwd=cwd,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        if not held:
            go(process)
        yield process
    finally:
        process.kill()
        process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def applied_by(process: subprocess.Popen[str], seconds: float = 90) -> list[str]:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return out.split()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def stranger(database_url: str) -> Iterator[str]:
    """The database as another user: may connect, owns nothing."""
    name, password = f"stranger_{uuid.uuid4().hex[:8]}", "hunter2-secret"
    run(database_url, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    parts = urlsplit(database_url)
    yield urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))
    run(database_url, f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")


def user_of(url: str) -> str:
    return urlsplit(url).username or ""


class Writer(threading.Thread):
    """Writes posts, a transaction each, as fast as it can; remembers the longest wait."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.longest, self.written, self.stopping = url, 0.0, 0, threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.stopping.is_set():
                started = time.monotonic()
                connection.execute(
                    "INSERT INTO posts (title, slug, content) VALUES ('t', gen_random_uuid()::text, 'c')", prepare=True
                )
                connection.execute("UPDATE posts SET status = 'published' WHERE slug = 'a-draft'")
                self.longest = max(self.longest, time.monotonic() - started)
                self.written += 1
                time.sleep(0.002)

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join(30)


# --- an empty database ---


def test_an_empty_database_gets_our_tables_and_the_blog_s(database_url: str) -> None:
    assert pending(database_url) == ALL
    assert migrate(database_url) == ALL
    assert pending(database_url) == []
    tables = {t for (t,) in rows(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == OURS | {"posts", "categories", "authors", "content_tasks"}
    assert {(t, c) for _, t, c, *_ in columns(database_url)} >= ADDED
    assert index_names(database_url) >= INDEXES


def test_the_posts_we_make_have_what_the_blog_s_front_end_reads(database_url: str) -> None:
    migrate(database_url)
    read = (
        "id title slug excerpt content featured_image_url cover_image_url category_id author_id status seo_title"
        " seo_description seo_keywords published_at created_at updated_at tag_ids view_count metadata"
    )
    assert {c for _, t, c, *_ in columns(database_url) if t == "posts"} >= set(read.split())
    assert rows(
        database_url,
        "WITH c AS (INSERT INTO categories (name, slug) VALUES ('n', 's') RETURNING id),"
        " p AS (INSERT INTO posts (title, slug, content, category_id) SELECT 't', 's', 'c', id FROM c RETURNING *)"
        " SELECT status, tag_ids, metadata, view_count, published_at FROM p",
    ) == [("draft", [], {}, 0, None)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run(database_url, "UPDATE posts SET author_id = gen_random_uuid()")


def test_migrating_twice_changes_nothing_the_second_time(database_url: str) -> None:
    migrate(database_url)
    before = everything(database_url)
    assert migrate(database_url) == []
    assert everything(database_url) == before


# --- on the blog's own tables ---


@pytest.mark.parametrize("blog", ["a", "b", "c", "d"])
def test_a_blog_s_database_only_gains_what_is_ours(database_url: str, blog: str) -> None:
    load(database_url, blog)
    columns_before, definitions_before, contents_before = *everything(database_url), contents(database_url)
    tables_before = {table for _, table, *_ in columns_before}

    assert migrate(database_url) == ALL

    columns_after, definitions_after = everything(database_url)
    assert columns_before <= columns_after
    assert definitions_before <= definitions_after
    assert contents(database_url) == contents_before
    assert {table for _, table, *_ in columns_after - columns_before} == OURS
    assert {table for _, table, *_ in columns_after} - tables_before == OURS
    assert not index_names(database_url) & INDEXES


def test_the_columns_of_a_picture_have_the_seed_s_types(database_url: str) -> None:
    migrate(database_url)
    kinds = {(t, c): (kind, width) for _, t, c, kind, width, *_ in columns(database_url)}
    assert kinds["posts", "image_file_size"] == ("integer", None)
    assert kinds["posts", "image_s3_key"] == ("character varying", 500)
    assert kinds["content_tasks", "s3_image_url"] == ("character varying", 500)


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE posts (id uuid, title text, created_at timestamptz) PARTITION BY RANGE (created_at);"
        "CREATE TABLE posts_all PARTITION OF posts DEFAULT",
        "CREATE TABLE articles (id uuid, title text); CREATE VIEW posts AS SELECT * FROM articles",
        "CREATE SCHEMA cms; CREATE TABLE cms.posts (id uuid); CREATE VIEW posts AS SELECT * FROM cms.posts",
    ],
)
def test_posts_of_any_make_are_a_blog_whose_absent_tables_are_not_made(database_url: str, theirs: str) -> None:
    run(database_url, theirs)
    before = everything(database_url)
    assert migrate(database_url) == ALL
    after = everything(database_url)
    assert {table for _, table, *_ in after[0] - before[0]} == OURS
    assert before[0] <= after[0]


def test_posts_beside_categories_of_another_make_go_without_the_foreign_key(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(
        database_url,
        "CREATE TABLE categories (id integer PRIMARY KEY, name text); CREATE VIEW authors AS SELECT 1 AS id",
    )
    with caplog.at_level(logging.INFO):
        assert migrate(database_url) == ALL
    assert "posts.category_id does not reference categories" in caplog.text
    assert "posts.author_id does not reference authors" in caplog.text


# --- from an earlier release ---


def test_rows_of_the_first_release_stay_as_they_are_and_may_be_told_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at("0003", database_url, monkeypatch)
    assert pending(database_url) == ALL[3:]
    run(
        database_url,
        "INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,"
        " model_revision, verified_at) VALUES ('k', 'h', 'http://h/k', repeat('a', 64), 1, 1, 1, 'image/png', '{}', 'm',"
        " 'r', now()); INSERT INTO prompts (prompt) VALUES ('a fox')",
    )
    later = "{pixels_sha256,thumbnail_key,thumbnail_url,removed_at,removed_reason,deployment_id,placeholder}"
    told = f"SELECT to_jsonb(i) - '{later}'::text[] FROM images i"
    before = rows(database_url, told)
    assert migrate(database_url) == ALL[3:]
    assert rows(database_url, told) == before
    assert rows(database_url, "SELECT pixels_sha256, thumbnail_key, thumbnail_url FROM images") == [(None, None, None)]
    assert rows(database_url, "SELECT preset, lora FROM prompts") == [(None, None)]
    with pytest.raises(psycopg.errors.CheckViolation):
        run(database_url, "UPDATE images SET pixels_sha256 = 'none'")


# --- somebody else's tables ---


def test_a_table_that_has_the_name_of_a_later_one_of_ours_is_refused_and_may_be_renamed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import alembic.command

    upgrade = alembic.command.upgrade
    with monkeypatch.context() as earlier_release:
        earlier_release.setattr(alembic.command, "upgrade", lambda config, _head: upgrade(config, "0004"))
        migrate(database_url)
    run(database_url, "CREATE TABLE outbox (theirs text)")
    before = everything(database_url)
    with pytest.raises(DatabaseError, match="already has a table outbox, which this product did not make") as refused:
        migrate(database_url)
    assert "Rename what is there and run this again" in str(refused.value)
    assert everything(database_url) == before
    run(database_url, "ALTER TABLE outbox RENAME TO their_outbox")
    assert migrate(database_url) == ALL[ALL.index("0005_outbox_and_takedowns") :]


@pytest.mark.parametrize("theirs", ["TABLE prompts (id integer)", "VIEW images AS SELECT 1 AS id"])
def test_a_table_named_like_ours_is_refused_with_a_cure_that_works(database_url: str, theirs: str) -> None:
    load(database_url, "b")
    run(database_url, f"CREATE {theirs}")
    before = everything(database_url)
    with pytest.raises(DatabaseError, match="which this product did not make; nothing was changed") as refused:
        migrate(database_url)
    assert everything(database_url) == before
    assert GLAD_SCHEMA in str(refused.value)

    cured = database_url + GLAD_SCHEMA
    assert pending(cured) == ALL
    assert migrate(cured) == ALL
    assert migrate(cured) == []
    made = {(s, t) for s, t, *_ in columns(database_url) - before[0]}
    assert made == {("glad", t) for t in OURS}
    with connect(cured, autocommit=True) as connection:
        connection.execute("INSERT INTO prompts (prompt) VALUES ('a fox')")
        connection.execute("UPDATE prompts SET status = 'cancelled'")
        assert connection.execute("SELECT count(*) FROM posts").fetchone() == {"count": 2}


def test_two_products_in_two_schemas_of_one_database_keep_their_own_versions(database_url: str) -> None:
    assert migrate(database_url) == ALL
    assert migrate(database_url + GLAD_SCHEMA) == ALL
    assert migrate(database_url) == []


def test_a_schema_newer_than_this_release_is_refused(database_url: str) -> None:
    migrate(database_url)
    run(database_url, "UPDATE glad_alembic_version SET version_num = '9999'")
    for command in (migrate, pending):
        with pytest.raises(DatabaseError, match=r"version 9999.*Upgrade glad-pipeline"):
            command(database_url)


def test_a_server_that_is_too_old_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cures, "MINIMUM_SERVER", 99)
    with pytest.raises(DatabaseError, match=r"is version \d+; 99 or newer is needed"):
        migrate(database_url)


# --- rights ---


def test_a_user_who_may_not_make_tables_is_told_which_right_is_missing(database_url: str, stranger: str) -> None:
    run(database_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    load(database_url, "b")
    before = everything(database_url)
    with pytest.raises(DatabaseError) as refused:
        migrate(stranger)
    assert everything(database_url) == before
    assert f'GRANT CREATE ON SCHEMA "public" TO "{user_of(stranger)}"' in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_user_who_may_not_make_the_schema_is_told_so(database_url: str, stranger: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied for database.*CREATE SCHEMA glad"):
        migrate(stranger + GLAD_SCHEMA)
    assert rows(database_url, "SELECT to_regnamespace('glad')") == [(None,)]


def test_a_read_only_database_is_refused(database_url: str) -> None:
    with pytest.raises(DatabaseError, match="read-only"):
        migrate(database_url + "?options=-cdefault_transaction_read_only%3Don")
    assert columns(database_url) == set()


def test_an_up_to_date_database_needs_no_right_to_change_it(database_url: str, stranger: str) -> None:
    migrate(database_url)
    run(database_url, f"GRANT SELECT ON glad_alembic_version TO {user_of(stranger)}")
    assert migrate(stranger + "?options=-cdefault_transaction_read_only%3Don") == []
    assert pending(stranger) == []


def test_blog_tables_of_another_owner_are_left_alone_and_said(
    database_url: str, stranger: str, caplog: pytest.LogCaptureFixture
) -> None:
    load(database_url, "c")
    run(database_url, f"GRANT CREATE ON SCHEMA public TO {user_of(stranger)}")
    before = everything(database_url)
    with caplog.at_level(logging.INFO):
        assert migrate(stranger) == ALL
    after = everything(database_url)
    assert {t for _, t, *_ in after[0] - before[0]} == OURS
    assert before[0] <= after[0]
    assert "posts" not in caplog.text


# --- at once ---


def test_four_processes_at_once_apply_each_migration_once(database_url: str) -> None:
    load(database_url, "b")
    run(
        database_url,
        "INSERT INTO posts (title, slug, content) SELECT 'Post ' || n, 'post-' || n, repeat('word ', 200)"
        " FROM generate_series(1, 20000) n",
    )
    with Writer(database_url) as writer:
        eventually(lambda: writer.written > 5)
        with (
            migrating(database_url, held=True) as one,
            migrating(database_url, held=True) as two,
            migrating(database_url, held=True) as three,
            migrating(database_url, held=True) as four,
        ):
            processes = (one, two, three, four)
            for process in processes:
                go(process)
            applied = [applied_by(process) for process in processes]
    assert sorted(applied) == [[], [], [], ALL]
    assert writer.written > 20
    assert writer.longest < 2


def test_a_long_transaction_on_the_blog_s_posts_holds_nothing_up(database_url: str) -> None:
    load(database_url, "b")
    with psycopg.connect(database_url) as holder, Writer(database_url) as writer:
        holder.execute("INSERT INTO posts (title, slug, content) VALUES ('t', 'held', 'c')")
        holder.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE")
        assert migrate(database_url, wait_seconds=0.3) == ALL
    assert writer.longest < 2


def _half_made(url: str) -> None:
    """The index of our posts as a process leaves it that dies while it makes it."""
    with psycopg.connect(url) as writer, psycopg.connect(url, autocommit=True) as maker:
        writer.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE")  # who may write is waited for
        maker.execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            maker.execute("CREATE INDEX CONCURRENTLY glad_posts_by_date ON posts (title)")
    assert rows(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'glad_posts_by_date'::regclass") == [(False,)]


def test_our_posts_get_their_index_while_others_write_and_after_one_who_died(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _at("0018", database_url, monkeypatch)
    assert "glad_posts_by_date" not in index_names(database_url)
    run(
        database_url,
        "INSERT INTO posts (title, slug, content) SELECT 'Post ' || n, 'post-' || n, repeat('word ', 200)"
        " FROM generate_series(1, 20000) n",
    )
    _half_made(database_url)
    monkeypatch.setattr(steps, "CONCURRENT_LOCK_TIMEOUT", "300ms")
    with psycopg.connect(database_url) as holder, Writer(database_url) as writer:
        holder.execute("INSERT INTO posts (title, slug, content) VALUES ('t', 'held', 'c')")
        with pytest.raises(DatabaseError, match=r"stayed locked.*it resumes"):
            migrate(database_url, wait_seconds=0.5)
        assert pending(database_url) == ALL[ALL.index("0019_page_order") :]
        holder.rollback()
        assert migrate(database_url) == ALL[ALL.index("0019_page_order") :]
    assert writer.longest < 2
    assert "glad_posts_by_date" in index_names(database_url)
    assert "skipping" not in caplog.text
    with connect(database_url, autocommit=True) as connection:
        assert connection.execute("SHOW lock_timeout").fetchone() == {"lock_timeout": "0"}


def _at(version: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database as an earlier release has left it."""
    import alembic.command

    upgrade = alembic.command.upgrade
    with monkeypatch.context() as earlier:
        earlier.setattr(alembic.command, "upgrade", lambda config, _head: upgrade(config, version))
        migrate(url)


def test_who_waits_too_long_for_another_migration_is_told_who_holds_it(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s::bigint)", [room.LOCK_KEY])
        with pytest.raises(DatabaseError, match=f"server process {other.info.backend_pid}.*for over 0.3 s"):
            migrate(database_url, wait_seconds=0.3)
    assert columns(database_url) == set()


def test_who_waits_too_long_for_a_busy_table_is_told_to_end_the_transaction(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at("0003", database_url, monkeypatch)
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE prompts IN ROW EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match=r"stayed locked.*pg_stat_activity"):
            migrate(database_url, wait_seconds=0.3)
    assert migrate(database_url) == ALL[3:]


# --- killed ---


def test_killed_between_two_migrations_the_next_run_does_the_rest(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(database_url, "b")
    _at("0001", database_url, monkeypatch)
    with psycopg.connect(database_url) as holder, migrating(database_url) as process:
        holder.execute("LOCK TABLE images IN ROW EXCLUSIVE MODE")
        eventually(lambda: version(database_url) == "0003")  # 0004 needs the table that is held
        kill(process)
    assert pending(database_url) == ALL[3:]
    assert migrate(database_url) == ALL[3:]


def test_killed_at_any_moment_it_ends_up_the_same(database_url: str) -> None:
    load(database_url, "c")
    reference = database_url + "?options=-csearch_path%3Dreference"
    run(database_url, "CREATE SCHEMA reference")
    for milliseconds in (5, 20, 40, 60, 90, 130):
        with migrating(database_url) as process:
            time.sleep(milliseconds / 1000)
            kill(process)
    migrate(database_url)
    migrate(reference)
    assert pending(database_url) == []
    per_schema: dict[str, set[Any]] = {"public": set(), "reference": set()}
    for schema, table, *column, _default in columns(database_url):
        if table in OURS:
            per_schema[schema].add((table, *column))
    assert per_schema["public"] == per_schema["reference"]
    assert not rows(database_url, "SELECT 1 FROM pg_index WHERE NOT indisvalid")


# --- where and how it runs ---


def test_it_runs_from_a_path_with_spaces_and_percent_signs(database_url: str, tmp_path: Path) -> None:
    home = tmp_path / "my programs 100%"
    package = Path(glad_pipeline.__file__).parent
    shutil.copytree(package / "database", home / "glad_pipeline" / "database")
    for file in package.glob("*.py"):
        shutil.copy(file, home / "glad_pipeline")
    with migrating(database_url, cwd=home) as process:  # `python -c` imports from its working directory first
        assert applied_by(process) == ALL
    where = [sys.executable, "-c", "import glad_pipeline; print(glad_pipeline.__file__)"]
    found = subprocess.run(where, cwd=home, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(home))  # it was that copy that ran


def test_logging_is_left_as_it_was_and_alembic_is_silent(database_url: str) -> None:
    script = (
        "import logging, os, sys; logging.basicConfig(level='INFO', stream=sys.stdout, format='%(name)s'); "
        "before = logging.getLogger().handlers[:], logging.getLogger('alembic').level; "
        "from glad_pipeline.database.migrations import migrate; migrate(os.environ['MIGRATE_URL']); "
        "assert (logging.getLogger().handlers, logging.getLogger('alembic').level) == before"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "MIGRATE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == {"glad_pipeline.database.migrations"}
    assert done.stderr == ""


def test_asking_what_is_pending_does_not_import_alembic(database_url: str) -> None:
    script = (
        "import os, sys; from glad_pipeline.database.migrations import pending; "
        "assert pending(os.environ['MIGRATE_URL']); sys.exit(bool({'alembic', 'sqlalchemy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "MIGRATE_URL": database_url}, check=True)


def test_every_migration_has_its_sql_beside_it() -> None:
    folder = Path(room.__file__).parent
    assert sorted(p.stem for p in folder.glob("0*.sql")) == ALL == sorted(p.stem for p in folder.glob("versions/0*.py"))


# --- the rules of `prompts`, kept by the database ---

STATUSES = ["pending", "claimed", "generated", "published", "awaiting_approval", "rejected", "failed", "cancelled"]
ALLOWED = {
    "pending": {"claimed", "rejected", "cancelled"},
    "claimed": {"pending", "generated", "rejected", "failed", "cancelled"},
    "generated": {"published", "awaiting_approval", "pending", "rejected", "failed", "cancelled"},
    "awaiting_approval": {"generated", "pending", "rejected", "cancelled"},
    "published": {"pending", "cancelled"},
    "rejected": {"pending"},
    "failed": {"pending"},
    "cancelled": {"pending"},
}


@pytest.fixture
def queue(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    migrate(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO images (id, key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,"
            " model_revision, verified_at) VALUES (1, 'k', 'h', 'https://example.com/k.png', repeat('0', 64), 1, 8, 8,"
            " 'image/png', '{}', 'demo', '1', now())"
        )
        yield connection


def test_of_all_pairs_of_statuses_only_the_allowed_transitions_pass(queue: psycopg.Connection[Any]) -> None:
    passed: dict[str, set[str]] = {status: set() for status in STATUSES}
    for old in STATUSES:
        for new in STATUSES:
            queue.execute("ALTER TABLE prompts DISABLE TRIGGER prompts_keep_the_rules")
            queue.execute(
                "INSERT INTO prompts (prompt, status, claim_token, claimed_by, lease_expires_at, image_id)"
                " VALUES ('a fox', %s, 1, 'run', now(), 1)",
                [old],
            )
            queue.execute("ALTER TABLE prompts ENABLE TRIGGER prompts_keep_the_rules")
            try:
                queue.execute("UPDATE prompts SET status = %s", [new])
            except psycopg.errors.CheckViolation as error:
                assert f"cannot go from {old} to {new}" in str(error)  # noqa: PT017
            else:
                passed[old].add(new)
            queue.execute("DELETE FROM prompts")
    assert passed == {old: new | {old} for old, new in ALLOWED.items()}


@pytest.mark.parametrize("status", STATUSES[1:])
def test_a_prompt_cannot_be_inserted_in_the_middle_of_its_life(queue: psycopg.Connection[Any], status: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="a prompt starts as pending"):
        queue.execute(
            "INSERT INTO prompts (prompt, status, claim_token, claimed_by, lease_expires_at, image_id)"
            " VALUES ('a fox', %s, 1, 'run', now(), 1)",
            [status],
        )


def test_a_claim_without_a_lease_and_a_drawn_prompt_without_an_image_are_refused(
    queue: psycopg.Connection[Any],
) -> None:
    queue.execute("INSERT INTO prompts (prompt) VALUES ('a fox')")
    with pytest.raises(psycopg.errors.CheckViolation, match="claimed_rows_have_a_lease"):
        queue.execute("UPDATE prompts SET status = 'claimed'")
    queue.execute("UPDATE prompts SET status = 'claimed', claim_token = 1, claimed_by = 'r', lease_expires_at = now()")
    with pytest.raises(psycopg.errors.CheckViolation, match="drawn_rows_have_an_image"):
        queue.execute("UPDATE prompts SET status = 'generated'")
