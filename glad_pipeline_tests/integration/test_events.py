"""The history of a prompt: what is written when it moves, by whatever hand, what is not, and where it says it stands."""

import json
from datetime import timedelta

import psycopg
import pytest
from test_queue import add, add_image, claim, execute

from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.prompts import editing, events, management, queue
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.settings import Settings


@pytest.fixture
def database(migrated_url):
    with Database(migrated_url) as opened:
        yield opened


def told(database, prompt_id):
    """What happened to a prompt: each event with its run and detail, where there are any."""
    return [tuple(filter(None, (each.event, each.run_id, each.detail))) for each in events.history(database, prompt_id)]


def store(database, holder, *ids):
    image = add_image(database, recipe_hash=f"{ids[0]:064x}")
    return database.transact("catalogue", lambda c: holder.generated(c, dict.fromkeys(ids, image)))


def test_a_prompt_s_way_to_its_post_is_told_with_the_runs_and_its_place_in_the_batch(database):
    ids = add(database, 3)
    (late,) = add(database, priority=-1)
    with claim(database, "run-1") as holder:
        holder.take(10)
        holder.begin_drawing(ids)
        assert events.where_it_stands(database, ids[1]) == "drawing, 2 of 3"
        assert events.where_it_stands(database, late) == "claimed, to be drawn next"
        store(database, holder, ids[1])
        assert events.where_it_stands(database, ids[1]) == "stored, its post is next"
    with claim(database, "run-2") as holder:
        database.transact(
            "publish",
            lambda c: holder.published(c, {p.id: None for p in holder.publishable(c, 10)}, {}),
        )
    assert told(database, ids[1]) == [
        ("queued",),
        ("claimed", "run-1"),
        ("drawing", "run-1", "2 of 3"),
        ("stored", "run-1"),
        ("published", "run-2"),
    ]
    assert told(database, late) == [("queued",), ("claimed", "run-1"), ("returned", "run-1")]
    assert events.where_it_stands(database, ids[1]) == "published"
    times = [each.at for each in events.history(database, ids[1])]
    assert times == sorted(times)


def test_what_goes_wrong_is_told_with_its_reason(database):
    retried, rejected = add(database, 2)
    for worker in ("run-1", "run-2"):
        with claim(database, worker, max_attempts=2) as holder:
            holder.take(10)
            holder.begin_drawing([retried])
            holder.fail({retried: "the GPU burns"})
            holder.reject({rejected: "six fingers"})
    management.retry(database, [retried])
    assert told(database, retried) == [
        ("queued",),
        ("claimed", "run-1"),
        ("drawing", "run-1", "1 of 1"),
        ("returned", "run-1", "the GPU burns"),
        ("claimed", "run-2"),
        ("drawing", "run-2", "1 of 1"),
        ("failed", "run-2", "the GPU burns"),
        ("retried",),
    ]
    assert told(database, rejected) == [("queued",), ("claimed", "run-1"), ("rejected", "run-1", "six fingers")]


def test_what_a_pause_gives_back_is_told_as_that(database):
    begun, waits, back = add(database, 3)
    with claim(database) as holder:
        holder.take(10)
        holder.begin_drawing([begun])
        holder.give_back([begun, waits], reason="holidays", event="paused")
        holder.give_back([back])
        assert told(database, begun)[-1] == ("drawing", "run-1", "1 of 1")
        assert told(database, waits)[-1] == ("paused", "run-1", "holidays")
        assert told(database, back)[-1] == ("returned", "run-1")


def test_people_s_doing_is_told_without_a_run(database):
    edited, approved, cancelled = add(database, 3, needs_approval=True)
    with claim(database) as holder:
        holder.take(10)
        store(database, holder, edited)
        store(database, holder, approved)
    management.approve(database, [approved])
    editing.edit_prompt(database, edited, {"prompt": "another hill"})
    management.cancel(database, [cancelled])
    assert [each[0] for each in told(database, approved)] == [
        *("queued", "claimed", "stored", "awaiting_approval", "approved")
    ]
    assert told(database, edited)[-1] == ("edited", "its text or recipe was edited: its picture is drawn again")
    assert told(database, cancelled)[-1] == ("cancelled",)


def test_a_lease_that_is_renewed_and_a_row_that_is_edited_without_moving_write_nothing(database):
    (prompt_id,) = add(database)
    with claim(database) as holder:
        holder.take(1)
        before = told(database, prompt_id)
        execute(database, "UPDATE prompts SET lease_expires_at = now() + interval '1 day', priority = 3")
        assert told(database, prompt_id) == before
    execute(database, "UPDATE prompts SET title = 'A hill'")
    assert told(database, prompt_id) == [*before, ("returned", "run-1")]


def test_sql_by_hand_is_told_too_and_a_deleted_prompt_takes_its_history_along(database):
    ids = add(database, 1_000)
    execute(database, "UPDATE prompts SET status = 'cancelled', last_error = 'by hand' WHERE mod(id, 2) = 0")
    assert told(database, next(i for i in ids if i % 2 == 0)) == [("queued",), ("cancelled", "by hand")]
    assert execute(database, "SELECT count(*) AS n FROM prompt_events")[0]["n"] == 500
    execute(database, "DELETE FROM prompts")
    assert execute(database, "SELECT count(*) AS n FROM prompt_events")[0]["n"] == 0


def test_who_may_not_write_events_moves_prompts_and_nobody_can_forge_where_they_are_written(database):
    add(database)
    execute(database, "DROP ROLE IF EXISTS events_editor")
    execute(database, "CREATE ROLE events_editor; GRANT SELECT, UPDATE ON prompts TO events_editor")
    execute(database, "GRANT EXECUTE ON FUNCTION prompts_are_moved_by_us() TO events_editor")
    with database.transaction() as connection:
        connection.execute("SET ROLE events_editor")
        connection.execute(
            "CREATE TEMPORARY TABLE prompt_events (prompt_id bigint, event text, run_id text, detail text)"
        )
        connection.execute("UPDATE prompts SET status = 'cancelled'")
        assert connection.execute("SELECT count(*) AS n FROM pg_temp.prompt_events").fetchone()["n"] == 0
        connection.execute("RESET ROLE")
        found = connection.execute("SELECT event FROM public.prompt_events").fetchall()
    assert [row["event"] for row in found] == ["cancelled"]
    execute(database, "DROP OWNED BY events_editor; DROP ROLE events_editor")


def test_old_history_of_prompts_that_have_ended_is_pruned_where_a_claim_ends(database):
    ended, waits, young = add(database, 3)
    execute(database, "UPDATE prompts SET status = 'cancelled' WHERE id <> %s", waits)
    execute(
        database,
        "UPDATE prompts SET status = 'claimed', claim_token = 1, claimed_by = 'x', lease_expires_at = now() WHERE id = %s",
        waits,
    )
    execute(database, "UPDATE prompt_events SET at = now() - interval '3 days' WHERE prompt_id <> %s", young)
    for _ in range(20):  # each looks from anywhere on
        with Claim(
            database, worker="run", lease=timedelta(minutes=1), max_attempts=3, keep_events=timedelta(days=2)
        ).open():
            pass
    assert told(database, ended) == [("queued",)]
    assert ("claimed", "x") in told(database, waits)
    assert told(database, young) == [("queued",), ("cancelled",)]


def test_how_many_are_ahead_is_counted_up_to_a_thousand(database):
    first, second = add(database, 2, priority=5)
    execute(database, "INSERT INTO prompts (prompt) SELECT 'row' FROM generate_series(1, 1500)")
    (urgent,) = add(database, priority=9)
    assert events.where_it_stands(database, urgent) == "waiting, 0 ahead"
    assert events.where_it_stands(database, second) == "waiting, 2 ahead"
    assert events.where_it_stands(database, first + 500) == "waiting, 501 ahead"
    (other,) = add(database, source="another")
    assert events.where_it_stands(database, other) in ("waiting, 3 ahead", "waiting, 4 ahead")  # by turns
    sources_paused = "UPDATE prompt_sources SET paused_since = now(), pause_reason = 'holidays'"
    assert events.where_it_stands(database, first + 1400) == "waiting, more than 1,000 ahead"
    execute(database, sources_paused)
    assert events.where_it_stands(database, second).endswith(" UTC: holidays")
    assert events.where_it_stands(database, 10**9) is None
    assert events.history(database, 10**9) == []


def test_show_has_where_it_stands_and_the_history(database, capsys):
    (prompt_id,) = add(database)
    execute(database, "UPDATE prompts SET status = 'cancelled', last_error = 'by hand'")
    runtime = Runtime(Settings(_env_file=None, DATABASE_URL=database.url))
    assert invoke(["prompts", "show", str(prompt_id)], runtime) == 0
    out = capsys.readouterr().out
    assert "cancelled" in out
    assert "by hand" in out.splitlines()[-1]
    assert invoke(["prompts", "show", str(prompt_id), "--json"], runtime) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["stands"] == "cancelled"
    assert [each["event"] for each in shown["history"]] == ["queued", "cancelled"]


DEFINER_FUNCTIONS = {"prompts_note_what_happened": "AFTER UPDATE", "prompts_keep_limits": "AFTER INSERT"}


@pytest.fixture
def stranger(database):
    """A role that may make temporary tables, and nothing else; default privileges gave it all functions at first."""
    execute(database, "DROP ROLE IF EXISTS events_stranger")
    execute(database, "CREATE ROLE events_stranger")
    yield "events_stranger"
    execute(database, "DROP OWNED BY events_stranger; DROP ROLE events_stranger")


@pytest.mark.parametrize("function", DEFINER_FUNCTIONS)
def test_nobody_makes_a_trigger_of_their_own_with_what_is_executed_as_the_owner(database, stranger, function):
    with database.transaction() as connection:
        connection.execute(f"SET LOCAL ROLE {stranger}")
        connection.execute("CREATE TEMPORARY TABLE prompts (id bigint, source text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"permission denied for function .*{function}"):
            connection.execute(_trigger(function))


def _trigger(function):
    when = DEFINER_FUNCTIONS[function]
    tables = "NEW TABLE AS added" if when == "AFTER INSERT" else "OLD TABLE AS before_update NEW TABLE AS after_update"
    return (
        f"CREATE TRIGGER theirs {when} ON pg_temp.prompts REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION public.{function}()"
    )


@pytest.mark.parametrize("function", DEFINER_FUNCTIONS)
def test_what_is_executed_as_the_owner_works_for_the_table_prompts_alone(database, function):
    """Also where a person has granted it: the attack is a temporary table `prompts` with rows and triggers of its own."""
    moves = (
        "INSERT INTO pg_temp.prompts (id, status) VALUES (1, 'pending'); UPDATE pg_temp.prompts SET status = 'claimed'"
    )
    with database.connect() as connection:
        connection.execute("CREATE TEMPORARY TABLE prompts AS SELECT * FROM public.prompts")
        connection.execute(_trigger(function))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is the trigger of prompts alone"):
            connection.execute(moves)
        connection.rollback()


def test_functions_executed_as_the_owner_are_granted_to_nobody_whatever_the_default_privileges(database_url):
    with Database(database_url) as database:
        execute(database, "DROP ROLE IF EXISTS events_stranger")
        execute(database, "CREATE ROLE events_stranger")
        execute(database, "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO events_stranger")
        migrate(database_url)
        found = execute(
            database,
            "SELECT p.proname, has_function_privilege('events_stranger', p.oid, 'EXECUTE') AS may, p.proconfig"
            " FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef ORDER BY p.proname",
        )
        execute(database, "DROP OWNED BY events_stranger; DROP ROLE events_stranger")
    assert {row["proname"]: row["may"] for row in found} == dict.fromkeys(DEFINER_FUNCTIONS, False)
    assert all("search_path=pg_catalog, public, pg_temp" in row["proconfig"] for row in found)


def test_whatever_goes_wrong_while_old_history_is_pruned_prompts_are_released(database, caplog):
    (prompt_id,) = add(database)
    execute(
        database,
        "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE deadlock_detected; END $$;"
        "CREATE TRIGGER refused BEFORE DELETE ON prompt_events FOR EACH STATEMENT EXECUTE FUNCTION refused()",
    )
    with claim(database) as holder:
        holder.take(1)
    [row] = execute(database, "SELECT status, claim_token FROM prompts WHERE id = %s", prompt_id)
    assert (row["status"], row["claim_token"]) == ("pending", None)
    assert execute(database, "SELECT * FROM run_claims") == []
    assert "old history of prompts was not deleted" in caplog.text
    assert "deadlock_detected" in caplog.text


def test_pruning_waits_for_nobody(database):
    ended = add(database, 2)
    execute(database, "UPDATE prompts SET status = 'cancelled'")
    execute(database, "UPDATE prompt_events SET at = now() - interval '300 days' WHERE prompt_id = %s", ended[0])
    execute(
        database, "UPDATE prompt_events SET at = now() - interval '90 days 1 minute' WHERE prompt_id = %s", ended[1]
    )
    (waits,) = add(database)
    with database.connect() as other:
        other.execute("DELETE FROM prompts WHERE id = ANY(%s)", [ended])  # a person's, not committed yet
        with claim(database, "run-1") as holder:
            holder.take(1)
        [row] = execute(database, "SELECT status FROM prompts WHERE id = %s", waits)
        assert row["status"] == "pending"
        other.rollback()
    assert [each[0] for each in told(database, ended[0])] == ["queued", "cancelled"]
    for _ in range(20):  # each looks from anywhere on
        with claim(database, "run-2"):
            pass
    assert [told(database, each) for each in ended] == [[("queued",)]] * 2


@pytest.mark.parametrize("analyzed", [False, True])
def test_pruning_reads_as_little_however_much_is_old_and_of_prompts_that_have_not_ended(database, analyzed):
    execute(database, "INSERT INTO prompts (prompt) SELECT 'row' FROM generate_series(1, 3000)")
    execute(
        database,
        "INSERT INTO prompt_events (prompt_id, event, at)"
        " SELECT id, 'returned', now() - interval '100 days' + id * interval '1 second'"
        " FROM prompts, generate_series(1, 20)",
    )
    if analyzed:
        execute(database, "ANALYZE prompts, prompt_events")
    with database.transaction() as connection:
        connection.execute(queue.SQL["prune_carefully"])
        bound = {"keep_events": timedelta(days=90), "prune": 100}
        [plan] = (
            connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queue.SQL['prune_events']}", bound)
            .fetchone()
            .values()
        )
        pages = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert pages < 100 * 12
