"""Who may write rows gets pictures and nothing else; who runs the pipeline needs no more than its role has."""

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from glad_pipeline import cli
from glad_pipeline.callers.keys import digest, make_key, revoke_key, rotate_key
from glad_pipeline.callers.sessions import QUERIES, close_session, open_session
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.database.roles import roles_sql
from glad_pipeline.errors import UsageError
from glad_pipeline.gateway.job_results import Job, find, keep
from glad_pipeline.records import FIELDS

PROGRESS = {
    "attempts": "-5",
    "claim_token": "7",
    "claimed_by": "'me'",
    "lease_expires_at": "'infinity'",
    "last_error": "'none'",
    "image_id": "1",
    "published_post_id": "gen_random_uuid()",
    "claimed_at": "now()",
    "generated_at": "now()",
    "published_at": "now()",
    "post_version": "''",
    "taken_down_at": "now()",
    "replaced_image_url": "'https://example.com/x.png'",
    "replaced_alt_text": "'a hill'",
    "status": "'published'",
    "put_back_at": "'2020-01-01'",
}
GIVEN = {"id", "created_at", "updated_at"}  # by the database: anybody may leave them out


@pytest.fixture
def users(world, database_url):
    """URLs by role: a writer, the pipeline, and an application that was simply given everything on `prompts`."""
    ids = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in ("writers", "pipelines", "writer", "pipeline", "app")}
    for _ in range(2):  # again after each migration
        world.sql(roles_sql(writer=ids["writers"], pipeline=ids["pipelines"]))
    world.sql(f"CREATE ROLE {ids['writer']} LOGIN PASSWORD 'p' IN ROLE {ids['writers']}")
    world.sql(f"CREATE ROLE {ids['pipeline']} LOGIN PASSWORD 'p' IN ROLE {ids['pipelines']}")
    world.sql(f"CREATE ROLE {ids['app']} LOGIN PASSWORD 'p'")
    world.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON prompts TO {ids['app']}")
    parts = urlsplit(database_url)
    at = parts.netloc.rpartition("@")[2]
    yield {name: urlunsplit(parts._replace(netloc=f"{user}:p@{at}")) for name, user in ids.items()}
    for name in ids.values():
        world.sql(f"DROP OWNED BY {name}")
        world.sql(f"DROP ROLE {name}")


def refused(url, statement):
    with psycopg.connect(url) as connection, pytest.raises(psycopg.Error) as error:
        connection.execute(statement)
    return error.value


def test_every_column_is_the_writers_or_the_pipelines(world):
    columns = {
        row["column_name"]
        for row in world.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'prompts'")
    }
    assert columns == {*FIELDS, "content_hash"} | GIVEN | set(PROGRESS)


def test_a_writer_gets_pictures(world, users):
    values = dict.fromkeys(FIELDS) | {
        "prompt": "a hill",
        "negative_prompt": "",
        "title": "Hill",
        "seed": 1,
        "priority": 3,
        "needs_approval": False,
        "publish": "post",
        "focus": "top",
        "source": "newsroom",
        "replace": False,
    }
    marks = ", ".join(["%s"] * len(values))
    with psycopg.connect(users["writer"]) as writer:
        row = writer.execute(
            f"INSERT INTO prompts ({', '.join(values)}) VALUES ({marks}) RETURNING id", [*values.values()]
        ).fetchone()
        writer.execute("INSERT INTO prompts (prompt) VALUES ('another')")
    world.run()
    assert world.statuses() == ["published"] * 2
    with psycopg.connect(users["writer"]) as writer:
        seen = "SELECT status, attempts, last_error, published_post_id FROM prompts WHERE id = %s"
        assert writer.execute(seen, row).fetchone()[:3] == ("published", 1, None)


NOT_THE_WRITERS = [
    "UPDATE prompts SET title = 'mine'",
    "DELETE FROM prompts",
    "TRUNCATE prompts",
    "SELECT prompt FROM prompts",
    "SELECT * FROM posts",
    "UPDATE posts SET status = 'published'",
    "SELECT * FROM images",
    "INSERT INTO outbox (kind, subject, payload) VALUES ('delete', 'image:x', '{}')",
    "DELETE FROM barred_recipes",
    "SELECT nextval('prompt_claim_tokens')",
    "SELECT name FROM api_keys",
    "SELECT key_id FROM api_sessions",
    "INSERT INTO api_keys (name, scopes, hash) VALUES ('mine', '{admin}', sha256('x'))",
    "ALTER TABLE prompts DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "INSERT INTO prompts (prompt, id) VALUES ('p', 9)",
    "INSERT INTO prompts (prompt) VALUES ('p') ON CONFLICT (id) DO UPDATE SET title = 'x'",
]


def test_a_writer_may_do_nothing_else(world, users):
    world.add("somebody else's")
    for statement in NOT_THE_WRITERS:
        error = refused(users["writer"], statement)
        assert isinstance(error, psycopg.errors.InsufficientPrivilege), statement


def test_progress_cannot_be_inserted_by_anybody(users, database_url):
    for who in ("writer", "app", "pipeline", "owner"):
        for column, value in PROGRESS.items():
            error = refused(
                users.get(who, database_url), f"INSERT INTO prompts (prompt, {column}) VALUES ('p', {value})"
            )
            if who == "writer":
                assert isinstance(error, psycopg.errors.InsufficientPrivilege)
            else:
                assert error.diag.constraint_name in ("progress_is_kept_by_the_pipeline", "prompts_start_as_pending")
                assert column in str(error)


def test_who_may_update_rows_may_still_not_move_them(world, users):
    prompt = world.add("a hill", title="Hill")
    for column, value in PROGRESS.items():
        error = refused(users["app"], f"UPDATE prompts SET {column} = {value}")
        assert isinstance(error, (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)), error
    assert isinstance(
        refused(users["app"], "UPDATE prompts SET status = 'cancelled'"), psycopg.errors.InsufficientPrivilege
    )
    with psycopg.connect(users["app"]) as app:  # what is the writer's own may be written anew
        app.execute("UPDATE prompts SET title = 'Higher hill', id = id WHERE id = %s", [prompt])
    world.run()
    assert world.posts()[0]["title"] == "Higher hill"


def test_a_search_path_of_ones_own_does_not_lead_round_it(world, users):
    name = urlsplit(users["app"]).username
    world.add("a hill")
    world.sql(f"CREATE SCHEMA evil AUTHORIZATION {name}")
    with psycopg.connect(users["app"], autocommit=True) as app:
        app.execute("SET search_path = evil, public, pg_catalog")
        app.execute(
            "CREATE FUNCTION evil.has_function_privilege(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
            "CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';"
            "CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);"
            "CREATE FUNCTION evil.prompts_are_moved_by_us() RETURNS boolean LANGUAGE sql AS 'SELECT true'"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("UPDATE public.prompts SET attempts = 3")
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute("INSERT INTO public.prompts (prompt, status) VALUES ('p', 'failed')")


def test_the_pipelines_role_runs_the_whole_graph_and_every_command(world, users, database_url, monkeypatch, capsys):
    post = world.sql("INSERT INTO posts (title, slug, content) VALUES ('Mine', 'mine', 'text') RETURNING id")[0]["id"]
    world.sql("INSERT INTO content_tasks (task_id) VALUES ('t-1')")
    monkeypatch.setenv("DATABASE_URL", users["pipeline"])
    monkeypatch.setenv("DAGSTER_DATABASE_URL", database_url)  # it is made by who may make databases
    world.add("a hill", title="Hill", category="Views", author="Ada")
    world.add("bad", width=1)
    world.add("a picture for a post", post_id=post)
    world.add("a picture for a task", task_id="t-1")
    world.run()
    assert sorted(world.statuses()) == ["published"] * 3 + ["rejected"]
    world.run(config={"prompt_ids": [1]})
    for command in (
        ["prompts", "add", "a wood", "--title", "Wood"],
        ["prompts", "list"],
        ["prompts", "show", "1"],
        ["prompts", "retry", "2"],
        ["prompts", "cancel", "2"],
        ["posts", "unpublish", "hill", "--reason", "test"],
        ["outbox", "list"],
        ["outbox", "deliver"],
        ["audit"],
        ["catalogue", "rebuild"],
    ):
        assert cli.main(command) == 0, (command, capsys.readouterr())
    images = [row["key"] for row in world.sql("SELECT key FROM images WHERE removed_at IS NOT NULL")]
    assert cli.main(["images", "allow", images[0]]) == 0
    assert cli.main(["migrate"]) == 0
    assert isinstance(refused(users["pipeline"], "DELETE FROM posts"), psycopg.errors.InsufficientPrivilege)
    assert isinstance(refused(users["pipeline"], "DELETE FROM prompts"), psycopg.errors.InsufficientPrivilege)


def test_a_user_who_ran_the_pipeline_before_the_roles_goes_on_running_it(database_url, users, monkeypatch):
    import alembic.command

    upgrade, runner = alembic.command.upgrade, urlsplit(users["app"]).username
    url = database_url + "?options=-csearch_path%3Dother"
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA other")
        with monkeypatch.context() as earlier:
            earlier.setattr(alembic.command, "upgrade", lambda config, _head: upgrade(config, "0005"))
            migrate(url)
        owner.execute(f"GRANT USAGE ON SCHEMA other TO {runner}, {urlsplit(users['writer']).username}")
        owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA other TO {runner}")
        owner.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA other TO {runner}")
        owner.execute(f"GRANT SELECT, INSERT, UPDATE ON other.prompts TO {urlsplit(users['writer']).username}")
        owner.execute("INSERT INTO other.prompts (prompt, created_at, attempts) VALUES ('old', 'infinity', -3)")
        migrate(url)
    cancel = "UPDATE other.prompts SET status = 'cancelled'"
    assert isinstance(refused(users["writer"], cancel), psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(users["app"]) as app:
        app.execute(cancel)  # the row that could not be inserted any more can be moved
        assert app.execute("SELECT attempts, created_at::text FROM other.prompts").fetchone() == (0, "infinity")


def test_the_pipeline_s_role_is_enough_for_the_gateway_s_keys_and_sessions(users):
    with Database(users["pipeline"]) as database:
        key, _ = make_key(database, "site", ["admin"])
        session = open_session(database, key.id)
        assert session
        asked = {"hash": digest(session.text)}
        assert database.read(lambda c: c.execute(QUERIES["caller"], asked).fetchone())["name"] == "site"
        close_session(database, session.text)
        assert rotate_key(database, "site", grace=timedelta(days=1))[0].old_until
        assert revoke_key(database, "site")[0].revoked_at
        now = datetime.now(UTC)
        job = Job(id="x", kind="audit", by="site", state="done", started_at=now, ended_at=now)
        keep(database, job)
        assert find(database, "x") == job


def test_names_of_roles_are_quoted_and_impossible_ones_refused(capsys):
    assert cli.main(["sql", "roles", "--writer", "a'b\"c", "--pipeline", "x"]) == 0
    printed = capsys.readouterr().out
    assert "writer CONSTANT text := 'a''b\"c'" in printed
    assert 'IN ROLE "a\'b""c"' in printed
    for names in (
        {"writer": "", "pipeline": "p"},
        {"writer": "a\nb", "pipeline": "p"},
        {"writer": "p", "pipeline": "p"},
    ):
        with pytest.raises(UsageError):
            roles_sql(**names)
