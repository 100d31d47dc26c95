"""`glad_pipeline.testing` as a stranger uses it: a Dagster project with assets of its own around the pipeline."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from glad_pipeline.definitions import build_defs
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.testing import InstantSdxl, Names, temporary_database, temporary_pipeline

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(stack):
    return stack["DATABASE_URL"]


@pytest.fixture
def pipeline(server):
    with temporary_pipeline(server) as pipeline:
        yield pipeline


def around(pipeline, names=None):
    """The pipeline between two assets of a stranger's: one writes the rows, one reads the posts."""
    names = names or Names()

    @dg.asset
    def ideas():
        for n in range(3):
            pipeline.add(f"a hill, {n}", title=f"Hill {n}")

    @dg.asset(ins={"posts": dg.AssetIn(names.key("published_posts"))})
    def newsletter(posts):
        return sorted(posts["title"])

    ours = pipeline.definitions(names).map_asset_specs(
        func=lambda spec: spec.merge_attributes(deps=["ideas"]) if spec.key == names.key("prompts") else spec
    )
    return dg.Definitions.merge(ours, dg.Definitions(assets=[ideas, newsletter]))


def everything(defs):
    return defs.resolve_implicit_global_asset_job_def()


def states(pipeline):
    return [row["status"] for row in pipeline.prompts()]


def objects(pipeline):
    return [each.key for each in pipeline.store.listing("generated/")]


# --- a stranger's project ---


def test_between_a_strangers_assets_rows_become_posts_and_the_second_run_publishes_nothing(pipeline):
    job = everything(around(pipeline))
    with dg.DagsterInstance.ephemeral() as instance:
        first = job.execute_in_process(instance=instance)
        before = [pipeline.posts(), objects(pipeline)]
        second = job.execute_in_process(instance=instance)
    assert first.output_for_node("newsletter") == ["Hill 0", "Hill 1", "Hill 2"]
    assert len(before[0]) == len(before[1]) == 3
    assert [pipeline.posts(), objects(pipeline)] == before
    made = {event.asset_key.to_user_string() for event in second.get_asset_materialization_events()}
    assert "published_posts" not in made
    assert states(pipeline) == ["published"] * 3


def test_every_check_passes_and_anybody_is_given_the_picture_of_a_post(pipeline):
    pipeline.add("a hill")
    result = everything(pipeline.definitions()).execute_in_process()
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert checks["pictures_answer"].passed
    checks.pop("doctor_dagster")  # this instance limits no pool
    assert [(name, check.description) for name, check in checks.items() if not check.passed] == []
    with urllib.request.urlopen(pipeline.posts()[0]["featured_image_url"]) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.read() == pipeline.store.fetch(objects(pipeline)[0])


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("prompt", "status", "reason"),
    [("BLANK", "rejected", "blank"), ("UNDRAWABLE", "pending", "NaN"), ("TOO LARGE", "pending", "memory")],
)
def test_a_prompt_that_asks_for_a_fault_fails_alone(pipeline, prompt, status, reason):
    pipeline.add("a hill")
    failing = pipeline.add(prompt)
    assert everything(pipeline.definitions()).execute_in_process().success
    published, failed = pipeline.prompts()
    assert published["status"] == "published"
    assert (failed["id"], failed["status"]) == (failing, status)
    assert reason in failed["last_error"]


@pytest.mark.few(1)
@pytest.mark.parametrize("prompt", ["GPU DIES", "NO COMPILER"])
def test_a_generator_that_can_draw_nothing_more_fails_the_run_and_the_rows_wait(pipeline, prompt):
    pipeline.add(prompt)
    job = pipeline.definitions().resolve_job_def("publish_prompts")
    assert not job.execute_in_process(raise_on_error=False).success
    assert states(pipeline) == ["pending"]


def test_a_store_that_is_away_fails_the_run_and_the_next_one_publishes(pipeline):
    pipeline.add("a hill")
    job = pipeline.definitions().resolve_job_def("publish_prompts")
    pipeline.memory.unreachable = True
    assert not job.execute_in_process(raise_on_error=False).success
    assert states(pipeline) == ["pending"]
    with pytest.raises(StoreError, match="unreachable"):
        objects(pipeline)
    pipeline.memory.unreachable = False
    job.execute_in_process()
    assert states(pipeline) == ["published"]


def test_names_settings_and_generator_are_the_tests(server):
    with temporary_pipeline(
        server, sdxl=InstantSdxl(side=32), settings={"GLAD_BATCH_SIZE": 1, "GLAD_SCHEDULE": False}
    ) as pipeline:
        names = Names(name="blog", key_prefix=("blog",))
        pipeline.add("a hill", title="Hill")
        pipeline.add("another hill", title="Other")
        defs = around(pipeline, names)
        assert defs.resolve_schedule_def("blog_publish_prompts_hourly").default_status.value == "STOPPED"
        result = defs.resolve_job_def("blog_publish_prompts").execute_in_process()
        assert sorted(states(pipeline)) == ["pending", "published"]
        assert result.success
        assert pipeline.sql("SELECT width FROM images") == [{"width": 32}]


def test_a_job_that_was_loaded_with_its_own_resources_works_on_the_temporary_ones(pipeline, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")  # what its own would use
    pipeline.add("a hill")
    job = build_defs().resolve_job_def("publish_prompts")
    assert job.execute_in_process(resources=pipeline.resources()).success
    assert states(pipeline) == ["published"]


def test_assets_are_materialized_on_the_temporary_resources(pipeline):
    pipeline.add("a hill")
    assets = around(pipeline).assets
    assert dg.materialize(assets, resources=pipeline.resources()).success
    assert len(pipeline.posts()) == 4


def test_nothing_of_the_environment_is_used(pipeline, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AWS_", "GLAD_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    nonsense = {"DATABASE_URL": "postgresql://wrong", "GLAD_BATCH_SIZE": "many", "AWS_ENDPOINT_URL_S3": "?"}
    for name, value in nonsense.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with temporary_pipeline(pipeline.database_url) as inner:
        inner.add("a hill")
        everything(inner.definitions()).execute_in_process()
        assert states(inner) == ["published"]
    assert dict(os.environ) == before


def test_importing_it_imports_neither_torch_nor_boto3_nor_ray():
    program = "import sys, glad_pipeline.testing; print(*{'torch', 'boto3', 'botocore', 'ray'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.strip() == ""


def test_the_readmes_example_passes_as_it_stands_there(tmp_path):
    """In a fresh process, with no setting in the environment, and on a server of its own."""
    chapter = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Test your own project")[2]
    (code,) = re.findall(r"^```python\n(.*?)^```", chapter.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    (tmp_path / "test_newsletter.py").write_text(code, encoding="utf-8")
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_newsletter.py"],
        cwd=tmp_path,
        env={**inherited, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


# --- databases and settings ---


def test_a_temporary_database_is_migrated_and_dropped_whatever_happens_in_the_test(server):
    def fails():
        with temporary_database(server) as url:
            kept.append(url)
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT count(*) FROM prompts").fetchone() == (0,)
            raise RuntimeError("the test fails")

    kept = []
    with pytest.raises(RuntimeError):
        fails()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(kept[0])


def test_a_server_of_its_own_is_gone_afterwards():
    with temporary_database() as url:
        with psycopg.connect(url) as connection:
            (folder,) = connection.execute("SHOW data_directory").fetchone()
        assert Path(folder).exists()
    assert not Path(folder).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_server_that_is_not_there_and_a_user_who_may_not_are_told(server):
    with pytest.raises(GladError, match=r"127\.0\.0\.1:9"), temporary_database("postgresql://glad@127.0.0.1:9/glad"):
        pass
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE ROLE may_nothing LOGIN PASSWORD 'secret-of-nobody'")
        try:
            url = re.sub(r"//[^@]+@", "//may_nothing:secret-of-nobody@", server)
            with pytest.raises(GladError, match="allowed to create databases") as error, temporary_database(url):
                pass
        finally:
            connection.execute("DROP ROLE may_nothing")
    assert "secret-of-nobody" not in str(error.value)


def test_a_setting_that_is_not_allowed_is_told_before_anything_is_started():
    with pytest.raises(UsageError, match="GLAD_BATCH_SIZE is 0"), temporary_pipeline(settings={"GLAD_BATCH_SIZE": 0}):
        pass


# --- overrides ---


def test_an_override_of_what_there_is_not_is_told_with_what_there_is(pipeline):
    with pytest.raises(UsageError, match=r"no resource is called postgress: there are postgres, queue, object_store"):
        build_defs(resource_overrides={**pipeline.overrides, "postgress": pipeline.overrides["postgres"]})


def test_an_override_of_postgres_alone_is_what_queue_and_store_use_too(pipeline, server, s3, monkeypatch):
    with temporary_pipeline(server) as real:  # what the environment names, in place of a deployment's own
        monkeypatch.setenv("DATABASE_URL", real.database_url)
        for name, value in s3.items():
            monkeypatch.setenv(name, value)
        real.add("not to be touched")
        pipeline.add("a hill", title="Hill")
        overrides = {"postgres": pipeline.overrides["postgres"], "sdxl": InstantSdxl()}
        job = build_defs(resource_overrides=overrides).resolve_job_def("publish_prompts")
        assert job.execute_in_process().success
        assert [post["title"] for post in pipeline.posts()] == ["Hill"]
        (row,) = real.prompts()
        assert (row["status"], row["attempts"], row["claimed_by"]) == ("pending", 0, None)
        whose = "SELECT bucket FROM deployments"
        assert real.sql(whose) == []
        assert pipeline.sql(whose) == [{"bucket": s3["AWS_S3_BUCKET"]}]
