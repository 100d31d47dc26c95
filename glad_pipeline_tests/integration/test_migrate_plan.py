"""`glad migrate` in a database that has a blog: what it prints beforehand is all that it does, and ids are the blog's."""

from __future__ import annotations

import re
import uuid

import pytest

from glad_pipeline.blog_names import blog_names
from glad_pipeline.cli import main
from glad_pipeline.database import DatabaseError, connect
from glad_pipeline.database.migrations import migrate, pending, plan
from glad_pipeline_tests.foreign_blogs import blog, copy_of, dump, psql, sql, version

UUID = "00000000-0000-4000-8000-000000000001"
SERIAL = blog("serial PRIMARY KEY")
TRIGGERS = """
    SELECT pg_get_triggerdef(oid) AS definition, tgenabled FROM pg_trigger
    WHERE tgrelid = 'prompts'::regclass AND NOT tgisinternal ORDER BY tgname
"""
WITHIN = "?options=-csearch_path%3Dglad,public"


def types(url: str) -> dict[str, str]:
    """The columns of ours that hold a post's id."""
    with connect(url) as connection:
        found = connection.execute(
            "SELECT attrelid::regclass || '.' || attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute"
            " WHERE attrelid IN ('prompts'::regclass, 'post_writes'::regclass) AND attname ~ 'post_id'"
        )
        return {row["name"]: row["type"] for row in found}


def all_of(kind: str) -> dict[str, str]:
    return dict.fromkeys(("prompts.post_id", "prompts.published_post_id", "post_writes.post_id"), kind)


CASES = {
    "serial ids": (SERIAL, ""),
    "no blog": ("", ""),
    "version d": (version("d"), ""),
    "a schema of our own": (blog("text PRIMARY KEY"), WITHIN),
}


@pytest.mark.parametrize(
    "case",
    ["serial ids", *(pytest.param(name, marks=pytest.mark.deep) for name in CASES if name != "serial ids")],
)
def test_what_is_printed_is_what_is_done(database_url: str, case: str) -> None:
    schema, options = CASES[case]
    sql(database_url, schema)
    before = dump(database_url)
    printed = plan(database_url + options)
    assert dump(database_url) == before
    with copy_of(database_url + options) as copy:
        psql(copy, printed)
        assert migrate(database_url + options)
        assert dump(copy) == dump(database_url) != before
        assert pending(copy) == []
    assert plan(database_url + options) == "-- nothing to do\n"


def test_a_plan_needs_no_right_to_write(database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    sql(database_url, version("b"))
    name = f"reader_{uuid.uuid4().hex[:8]}"
    sql(database_url, f"CREATE ROLE {name} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA public TO {name}")
    try:
        theirs = re.sub("//[^@]*@", f"//{name}:p@", database_url)
        monkeypatch.setenv("DATABASE_URL", theirs + "?options=-cdefault_transaction_read_only%3Don")
        assert main(["migrate", "--plan"]) == 0
        printed = capsys.readouterr().out
        assert "CREATE TABLE prompts (" in printed
        assert not re.search(r"(?i)(TABLE|ON) (public\.)?(posts|content_tasks|authors|categories)\b", printed)
        assert main(["migrate", "--plan", "--adopt"]) == 2
    finally:
        sql(database_url, f"DROP OWNED BY {name}; DROP ROLE {name}")
    assert pending(database_url)


def test_migrate_fails_with_the_cure_where_the_blog_takes_no_post(database_url: str, capsys, monkeypatch) -> None:
    sql(database_url, blog("uuid PRIMARY KEY DEFAULT gen_random_uuid()", "tenant int NOT NULL"))
    monkeypatch.setattr("glad_pipeline.local.stack.ensure", lambda settings: {"DATABASE_URL": database_url})
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main(["migrate"]) == 1
    assert re.search("glad: error: .*tenant.*default", capsys.readouterr().err)
    assert pending(database_url) == []
    sql(database_url, "ALTER TABLE posts ALTER COLUMN tenant SET DEFAULT 1")
    assert main(["migrate"]) == 0


@pytest.mark.parametrize(
    ("ids", "ours"),
    [
        ("uuid PRIMARY KEY", "uuid"),
        ("smallserial PRIMARY KEY", "bigint"),
        ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "bigint"),
        ("varchar(40) PRIMARY KEY", "text"),
        ("our_id PRIMARY KEY", "bigint"),
    ],
)
def test_ids_of_posts_are_of_the_blog_s_type(database_url: str, ids: str, ours: str) -> None:
    sql(database_url, "CREATE DOMAIN our_id AS bigint CHECK (VALUE > 0);" + blog(ids))
    migrate(database_url)
    assert types(database_url) == all_of(ours)
    assert migrate(database_url) == []


def test_ids_follow_a_blog_that_changes_its_own_and_rows_keep_theirs(database_url: str) -> None:
    migrate(database_url)
    sql(database_url, f"INSERT INTO prompts (prompt, post_id) VALUES ('a fox', '{UUID}'), ('a hen', NULL)")
    sql(database_url, "ALTER TABLE prompts DISABLE TRIGGER prompts_refuse_the_unreadable")
    sql(database_url, "ALTER TABLE posts ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE text")
    with connect(database_url, autocommit=True) as connection:
        before = connection.execute(TRIGGERS).fetchall()
        assert pending(database_url) == migrate(database_url) == ["ids of posts as text"]
        assert connection.execute(TRIGGERS).fetchall() == before
        rows = connection.execute("SELECT post_id FROM prompts ORDER BY id").fetchall()
        assert [row["post_id"] for row in rows] == [UUID, None]
    assert types(database_url) == all_of("text")


def test_ids_of_another_blog_are_refused_with_a_cure_that_works(database_url: str) -> None:
    migrate(database_url)
    sql(database_url, f"INSERT INTO prompts (prompt, post_id) VALUES ('a fox', '{UUID}')")
    sql(database_url, f"INSERT INTO post_writes VALUES ('{UUID}', '', 'now')")
    sql(database_url, "DROP TABLE posts; CREATE TABLE posts (id bigint, title text)")
    before = dump(database_url)
    for _ in ("prompts.post_id", "post_writes.post_id"):
        with pytest.raises(DatabaseError, match=f"ids of type bigint, and 1 rows.*first: {UUID}"):
            plan(database_url)
        with pytest.raises(DatabaseError, match="Nothing was changed") as refused:
            migrate(database_url)
        cure = re.search(r"empty them with (.*), and run", str(refused.value))
        assert cure
        sql(database_url, cure[1])
    assert dump(database_url) == before
    assert migrate(database_url) == ["ids of posts as bigint"]
    assert types(database_url) == all_of("bigint")


def test_ids_of_nineteen_digits_are_ids_as_far_as_they_go(database_url: str) -> None:
    migrate(database_url)
    sql(database_url, "ALTER TABLE posts ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE text")
    migrate(database_url)
    rows = "('a fox', '9223372036854775807'), ('a hen', '-9223372036854775808'), ('a dog', '9223372036854775808')"
    sql(database_url, f"INSERT INTO prompts (prompt, post_id) VALUES {rows}")
    sql(database_url, "DROP TABLE posts; CREATE TABLE posts (id bigint, title text)")
    with pytest.raises(DatabaseError, match=r"and 1 rows.*first: 9223372036854775808") as refused:
        migrate(database_url)
    cure = re.search(r"empty them with (.*), and run", str(refused.value))
    assert cure
    sql(database_url, cure[1])
    assert migrate(database_url) == ["ids of posts as bigint"]


def test_a_view_on_a_column_that_has_to_be_retyped_is_named_before_anything_is_done(database_url: str) -> None:
    migrate(database_url)
    sql(
        database_url,
        "ALTER TABLE deployments DROP probe, DROP blog_mark; UPDATE glad_alembic_version SET version_num = '0013';"
        "DROP TABLE renditions; ALTER TABLE images DROP placeholder; ALTER TABLE prompts DROP focus;"
        "DROP TRIGGER prompts_note_what_happened ON prompts; DROP FUNCTION prompts_note_what_happened;"
        "DROP TABLE prompt_events; DROP FUNCTION prompt_events_notify; ALTER TABLE prompts DROP publish CASCADE;"
        "DROP TABLE prompt_sources; DROP FUNCTION prompts_in_turn; ALTER TABLE prompts DROP source, DROP put_back_at CASCADE;"
        "DROP TABLE api_sessions, api_keys, gateway_jobs; DROP INDEX prompts_awaiting; DROP FUNCTION prompts_keep_limits CASCADE; DROP FUNCTION prompts_note_putting_back CASCADE;"
        "CREATE INDEX prompts_pending ON prompts (priority DESC, id) WHERE status = 'pending';"
        "CREATE VIEW their_view AS SELECT post_id FROM prompts; DROP TABLE posts; CREATE TABLE posts (id int)",
    )
    before = dump(database_url)
    for command in (migrate, plan):
        with pytest.raises(
            DatabaseError, match=r"prompts.post_id has to become bigint.*name: view their_view. Nothing"
        ):
            command(database_url)
    assert dump(database_url) == before
    sql(database_url, "DROP VIEW their_view")
    assert migrate(database_url) == [
        "0014_store_probe",
        "0015_renditions",
        "0016_sources",
        "0017_events",
        "0018_api_keys",
        "0019_page_order",
        "0020_notify",
        "0021_who_decided",
        "0022_reviews_in_order",
        "ids of posts as bigint",
    ]


def test_posts_in_a_schema_that_is_closed_are_told_with_the_grant(database_url: str) -> None:
    role = f"closed_{uuid.uuid4().hex[:8]}"
    sql(
        database_url,
        f"CREATE ROLE {role} LOGIN PASSWORD 'p'; CREATE SCHEMA cms;" + blog("serial", table="cms.articles"),
    )
    theirs = re.sub("//[^@]*@", f"//{role}:p@", database_url)
    try:
        for names in (blog_names("cms.articles", None), blog_names("cms.articles", "title=headline")):
            for command in (migrate, plan, pending):
                with pytest.raises(DatabaseError, match=f'cms: GRANT USAGE ON SCHEMA "cms" TO "{role}"'):
                    command(theirs, blog=names)
    finally:
        sql(database_url, f"DROP ROLE {role}")


def test_a_table_of_posts_that_is_not_there_is_never_made(database_url: str) -> None:
    names = blog_names("cms.articles", None)
    before = dump(database_url)
    for command in (migrate, plan, pending):
        with pytest.raises(DatabaseError, match=r"GLAD_POSTS_TABLE names cms\.articles, and .* has no such table"):
            command(database_url, blog=names)
    assert dump(database_url) == before
    sql(database_url, "CREATE SCHEMA cms;" + blog("serial", table="cms.articles"))
    assert migrate(database_url, blog=names)
    assert types(database_url) == all_of("bigint")
