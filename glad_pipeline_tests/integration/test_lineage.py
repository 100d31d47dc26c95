"""What the lineage graph says: stale is what is stale, and who loads an asset gets what is there and changes nothing."""

import re
import shutil
from datetime import timedelta

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.data_version import StaleStatus
from dagster._utils.test.data_versions import get_stale_status_resolver
from test_graph import metadata

from glad_pipeline import cli, failpoints
from glad_pipeline.database import Database
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs import sources
from glad_pipeline.generation.models import DEMO_CHECKPOINT
from glad_pipeline.pipeline.results import columns_of
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.settings import load_settings
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.ticks import tick

CHAIN = ["prompts", "generated_images", "s3_objects", "published_posts", "site_revalidations"]


class Look:
    """One instance, as the UI of these settings would show it."""

    def __init__(self, world, database_url):
        self.world, self.url, self.cursor = world, database_url, None

    def observe(self):
        data = tick(self.world.instance, self.url, self.cursor, **{})
        self.cursor = data.cursor
        for event in data.asset_events:
            self.world.instance.report_runless_asset_event(event)

    def stale(self):
        defs = build_defs(resource_overrides={"sdxl": InstantSdxl()})
        resolver = get_stale_status_resolver(self.world.instance, defs.resolve_asset_graph().assets_defs)
        return {name for name in CHAIN if resolver.get_status(dg.AssetKey(name)) == StaleStatus.STALE}


@pytest.fixture
def look(world, database_url):
    world.add("a hill", title="Hill")
    look = Look(world, database_url)
    look.observe()
    world.run()
    return look


def test_after_a_run_nothing_is_stale_and_an_empty_run_changes_no_colour(look):
    assert look.stale() == set()
    before = versions(look.world.instance)
    look.world.run()
    look.observe()
    assert look.stale() == set()
    assert versions(look.world.instance) == before


def test_a_run_by_hand_before_the_sensor_has_ever_looked_is_not_stale_when_it_looks(world, database_url):
    world.add("a hill", title="Hill")
    world.run()
    look = Look(world, database_url)
    look.observe()
    assert look.stale() == set()
    [seen] = world.instance.fetch_observations(dg.AssetKey("prompts_table"), limit=2).records
    assert seen.asset_observation.metadata["pending"].value == 0


def versions(instance):
    found = {}
    for name in CHAIN:
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        found[name] = event.asset_materialization.tags["dagster/data_version"] if event else None
    del found["site_revalidations"]  # it has none of its own
    return found


def test_rows_that_wait_make_the_prompts_stale_until_a_run_has_taken_them(look):
    look.world.add("another hill", title="Another")
    look.observe()
    assert look.stale() == {"prompts"}
    look.world.run()
    assert look.stale() == set()


def test_another_preset_or_default_makes_the_pictures_stale_and_what_follows_only_when_they_are_made(look, monkeypatch):
    for variable, value in [("GLAD_PRESET", "fast"), ("GLAD_STEPS", "7"), ("GLAD_SCHEDULER", "ddim")]:
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            look.observe()
            assert look.stale() == {"generated_images"}, variable
        look.observe()
        assert look.stale() == set(), f"{variable} is as it was"


def test_other_weights_make_the_pictures_stale_and_the_same_ones_in_another_place_do_not(look, monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "_models", sources._Models())
    copy = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "demo")
    vae = tmp_path / "vae"
    shutil.copytree(DEMO_CHECKPOINT / "vae", vae)
    monkeypatch.setenv("GLAD_MODEL", str(copy))
    settings = load_settings()
    assert settings.model == str(copy)
    observe_with(look, GLAD_MODEL=str(copy))
    assert look.stale() == set()
    observe_with(look, GLAD_MODEL=str(copy), GLAD_VAE=str(vae))
    assert look.stale() == {"generated_images"}


def observe_with(look, **settings):
    data = tick(look.world.instance, look.url, look.cursor, **settings)
    look.cursor = data.cursor
    for event in data.asset_events:
        look.world.instance.report_runless_asset_event(event)


def test_a_takedown_from_the_terminal_is_on_the_assets_it_is_missing_from(look):
    look.observe()
    look.world.sql("INSERT INTO takedowns (subject, reason) VALUES ('post:1', 'x'), ('image:generated/a.png', 'x')")
    look.observe()
    for asset in ("published_posts", "s3_objects"):
        [seen] = look.world.instance.fetch_observations(dg.AssetKey(asset), limit=5).records
        assert seen.asset_observation.metadata["taken_down"].value == 1


LOADED = {"prompts": "prompt", "s3_objects": "key", "generated_images": "key", "published_posts": "slug"}


def who_loads(asset):
    """A person's own asset that is made of one of ours."""

    @dg.asset(name=f"stats_of_{asset}", ins={"loaded": dg.AssetIn(asset)})
    def stats(context: dg.AssetExecutionContext, loaded: pd.DataFrame):
        context.add_output_metadata({"rows": len(loaded), "first": str(loaded[LOADED[asset]][0])})

    return stats


def test_who_loads_an_asset_gets_its_last_rows_and_claims_nothing(look):
    waiting = look.world.add("a sea", title="Sea")
    loading = [who_loads(asset) for asset in LOADED]
    theirs = dg.Definitions(assets=loading, jobs=[dg.define_asset_job("theirs", selection=loading)])
    defs = dg.Definitions.merge(build_defs(resource_overrides={"sdxl": InstantSdxl()}), theirs)
    result = defs.resolve_job_def("theirs").execute_in_process(instance=look.world.instance)
    for asset in LOADED:
        [made] = result.asset_materializations_for_node(f"stats_of_{asset}")
        assert made.metadata["rows"].value == 1
        assert made.metadata["first"].value
    assert look.world.prompts()[waiting]["status"] == "pending"
    assert look.world.prompts()[waiting]["attempts"] == 0
    assert "glad/queue" not in look.world.instance.get_run_by_id(result.run_id).tags  # it is no run of ours


def test_who_loads_what_was_never_made_is_told_so(world):
    @dg.asset(ins={"loaded": dg.AssetIn("published_posts")})
    def stats(loaded: pd.DataFrame):
        raise AssertionError

    theirs = dg.Definitions(assets=[stats], jobs=[dg.define_asset_job("theirs", selection=[stats])])
    defs = dg.Definitions.merge(build_defs(), theirs)
    result = defs.resolve_job_def("theirs").execute_in_process(instance=world.instance, raise_on_error=False)
    assert "published_posts has not been materialized yet" in str([e.event_specific_data for e in result.all_events])


PROGRESS = re.compile(r"\d+ of \d+ drawn")  # a line every few seconds: more of them the slower the machine


def test_a_run_s_events_stay_few_and_small(world):
    for n in range(200):
        world.add(f"a hill {n} " + "and trees " * 20, title=f"Hill {n}")
    world.instance.event_log_storage.set_concurrency_slots("gpu", 1)
    result = world.run()
    told = world.instance.all_logs(result.run_id)
    records = [each for each in told if each.dagster_event or not PROGRESS.fullmatch(each.user_message)]
    size = sum(len(dg.serialize_value(record)) for record in records)
    print(len(records), size)
    assert len(records) <= 76
    assert size <= 98_000  # in more than one slice: the asset prompts is made twice


def test_what_was_put_aside_is_seen_where_an_operator_looks(world, capsys):
    good = world.add("a hill", title="Hill")
    odd = world.add("impossible", width=100_000)
    undrawable = world.add("UNDRAWABLE")
    result = world.run()
    seen = {
        event.asset_key.to_user_string(): event.materialization.metadata.get("put_aside")
        for event in result.get_asset_materialization_events()
    }
    assert f"prompt {odd}: width" in seen["prompts"].value
    assert f"prompt {undrawable}: NaN" in seen["generated_images"].value
    [check] = [e for e in result.get_asset_check_evaluations() if e.check_name == "no_prompt_put_aside"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.metadata["prompts"].value == [odd]  # the other waits for its next try
    told = [line for line in capsys.readouterr().err.splitlines() if "in all: " in line]
    assert told[-1].endswith("in all: 3 claimed, 1 drawn, 1 stored, 1 published, 2 rejected or failed")
    assert world.prompts()[good]["status"] == "published"


def test_redraw_puts_back_exactly_the_pictures_that_the_settings_would_draw_in_another_way(world, monkeypatch, capsys):
    monkeypatch.setattr("glad_pipeline.operations.redraw.PAGE", 2)
    open_ = [world.add(f"a hill {n}", title=f"Hill {n}") for n in range(3)]
    own = world.add("a sea", title="Sea", num_inference_steps=5)
    gone = world.add("a fen", title="Fen", status="pending")
    world.run()
    world.sql("SET session_replication_role = replica")  # as an older version left it: what has a post stays as it is
    world.sql("UPDATE prompts SET preset = 'no such preset' WHERE id = %s", gone)
    world.sql("SET session_replication_role = DEFAULT")
    before = {post["title"]: post["featured_image_url"] for post in world.posts()}
    assert cli.main(["redraw", "--stale"]) == 0
    assert "0 of 5 published pictures would be drawn in another way" in capsys.readouterr().out
    monkeypatch.setenv("GLAD_STEPS", "7")
    assert cli.main(["redraw", "--stale"]) == 1  # nobody is there to say yes
    told = capsys.readouterr()
    assert "3 of 5 published pictures" in told.out
    assert f"prompt {gone} could not be drawn today: preset" in told.err
    assert set(world.statuses()) == {"published"}
    assert cli.main(["redraw", "--stale", "--yes"]) == 0
    assert "back in the queue: 3 prompts" in capsys.readouterr().out
    assert [world.prompts()[i]["status"] for i in (*open_, own)] == ["pending"] * 3 + ["published"]
    world.run(sdxl=InstantSdxl(steps=7))
    after = {post["title"]: post["featured_image_url"] for post in world.posts()}
    assert {title for title in before if before[title] != after[title]} == {"Hill 0", "Hill 1", "Hill 2"}
    assert cli.main(["redraw", "--stale"]) == 0
    assert cli.main(["redraw"]) == 2


def test_redraw_leaves_alone_what_a_person_has_deleted_or_given_another_picture(world, monkeypatch, capsys):
    for name in ("kept", "deleted", "changed"):
        world.add(f"a {name} hill", title=name)
    world.run()
    world.sql("DELETE FROM posts WHERE title = 'deleted'")
    world.sql("UPDATE posts SET featured_image_url = 'https://example.com/mine.png' WHERE title = 'changed'")
    monkeypatch.setenv("GLAD_STEPS", "7")
    assert cli.main(["redraw", "--stale", "--yes"]) == 0
    assert "back in the queue: 1 prompts" in capsys.readouterr().out
    world.run(sdxl=InstantSdxl(steps=7))
    assert sorted(post["title"] for post in world.posts()) == ["changed", "kept"]


def test_the_delivery_s_run_is_not_one_that_draws(world):
    world.add("a hill", title="Hill")
    world.run()
    job = build_defs().resolve_job_def("deliver_messages")
    result = job.execute_in_process(instance=world.instance)
    assert "glad/queue" not in world.instance.get_run_by_id(result.run_id).tags


def test_rows_that_a_run_has_taken_since_the_last_look_do_not_make_the_prompts_stale(look):
    look.world.add("a sea", title="Sea")
    look.world.run()
    look.observe()
    assert look.stale() == set()


def test_an_empty_materialization_has_the_table_s_columns(look):
    look.world.run()

    @dg.asset(ins={"loaded": dg.AssetIn("prompts")})
    def stats(context: dg.AssetExecutionContext, loaded: pd.DataFrame):
        context.add_output_metadata({"rows": len(loaded), "columns": " ".join(loaded.columns)})

    theirs = dg.Definitions(assets=[stats], jobs=[dg.define_asset_job("theirs", selection=[stats])])
    defs = dg.Definitions.merge(build_defs(resource_overrides={"sdxl": InstantSdxl()}), theirs)
    result = defs.resolve_job_def("theirs").execute_in_process(instance=look.world.instance)
    [made] = result.asset_materializations_for_node("stats")
    assert made.metadata["rows"].value == 0
    assert {"id", "prompt", "title"} <= set(made.metadata["columns"].value.split())


def listed(world):
    """The prompts of each materialization of the posts, the oldest first."""
    records = world.instance.fetch_materializations(dg.AssetKey("published_posts"), limit=10, ascending=True).records
    return [record.asset_materialization.metadata["prompt_ids"].value for record in records]


@pytest.fixture
def database(world, database_url):
    with Database(database_url) as database:
        yield database


class Broken(RuntimeError):
    """What the failpoint raises."""


def broken_at(point):
    """Has the first process to come here break off."""

    def reached(name):
        if name == point:
            failpoints.arm(None)
            raise Broken

    failpoints.arm(reached)


@pytest.mark.few(1)
@pytest.mark.parametrize("point", ["publish.after", "report.before", "report.after"])
def test_posts_of_a_run_that_died_before_or_after_it_had_listed_them_are_listed_once(world, point):
    first = world.add("a hill", title="Hill")
    broken_at(point)
    world.run(expect_success=False)
    assert world.statuses() == ["published"]
    second = world.add("a sea", title="Sea")
    result = world.run()
    assert len(listed(world)) == (1 if point == "publish.after" else 2)
    assert ",".join(listed(world)) in (f"{first}-{second}", f"{first},{second}")
    if point == "publish.after":
        assert metadata(result, "published_posts")["published_by_runs_that_died"] == 1
    world.run()
    assert len(listed(world)) <= 2  # an empty run lists nothing anew
    assert world.sql("SELECT * FROM run_reports") == []


def test_posts_that_nobody_has_listed_are_a_reason_for_a_run(world, database_url):
    world.add("a hill", title="Hill")
    broken_at("publish.after")
    world.run(expect_success=False)
    assert "runs failed" in tick(world.instance, database_url).skip_message  # and after the pause, another run
    world.run()
    assert "no prompt is pending" in tick(world.instance, database_url).skip_message


def test_a_run_whose_process_lives_lists_its_posts_itself(world, database):
    world.add("a hill", title="Hill")
    broken_at("publish.after")
    died = world.run(expect_success=False).run_id
    with Claim(database, worker=died, lease=timedelta(60), max_attempts=3).open():  # as if it were alive still
        world.run()
        assert listed(world) == []
    world.run()
    assert len(listed(world)) == 1


def named_as_put_aside(result):
    """The prompts that a run's check names."""
    [check] = [e for e in result.get_asset_check_evaluations() if e.check_name == "no_prompt_put_aside"]
    assert check.passed is ("prompts" not in check.metadata)
    return [] if check.passed else check.metadata["prompts"].value


@pytest.mark.deep
def test_the_check_names_once_what_any_process_of_the_run_or_a_run_that_ended_has_put_aside_for_good(
    world, monkeypatch
):
    monkeypatch.setenv("GLAD_MAX_ATTEMPTS", "2")
    odd, mended = world.add("impossible", width=100_000), world.add("impossible too", width=100_000)
    world.run("prompts")  # with no step of the check
    assert world.statuses() == ["rejected"] * 2
    world.sql("UPDATE prompts SET status = 'pending', width = NULL WHERE id = %s", mended)
    undrawable = world.add("UNDRAWABLE")
    assert named_as_put_aside(world.run()) == [odd]
    assert world.prompts()[undrawable]["status"] == "pending"  # for its next try
    assert named_as_put_aside(world.run()) == [undrawable]
    assert world.prompts()[undrawable]["status"] == "failed"
    assert named_as_put_aside(world.run()) == []
    assert world.sql("SELECT * FROM run_reports") == []


@pytest.mark.deep
def test_what_a_killed_run_has_put_aside_is_named_a_day_later_and_not_kept_for_ever(world):
    odd, older = world.add("impossible", width=100_000), world.add("impossible too", width=100_000)
    died = world.run("prompts").run_id
    run = world.instance.get_run_by_id(died)
    world.instance.delete_run(died)
    world.instance.add_run(run.with_status(dg.DagsterRunStatus.STARTED))  # for ever: a killed run of another's job
    assert named_as_put_aside(world.run()) == []
    world.sql("UPDATE run_reports SET since = now() - interval '25 hours' WHERE prompt_id = %s", odd)
    world.sql("UPDATE run_reports SET since = now() - interval '31 days' WHERE prompt_id = %s", older)
    world.run("prompts")
    assert [row["prompt_id"] for row in world.sql("SELECT * FROM run_reports")] == [odd]
    assert named_as_put_aside(world.run()) == [odd]
    assert world.sql("SELECT * FROM run_reports") == []


def test_the_tables_that_the_ui_shows_are_those_of_the_database(world):
    for asset, table in (("s3_objects", "images"), ("published_posts", "posts")):
        told = build_defs().resolve_asset_graph().get(dg.AssetKey(asset)).metadata
        assert told["dagster/table_name"] == table
        columns = [(column.name, column.type) for column in told["dagster/column_schema"].columns]
        assert columns == columns_of(world.connection, table)
