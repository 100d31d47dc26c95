"""The component in a stranger's code location: nobody's definitions are touched, and none of ours collides."""

import traceback

import dagster as dg
import pytest
from dagster.components.testing import create_defs_folder_sandbox

import glad_pipeline
from glad_pipeline.component import GladPipeline
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.wiring import build_resources, definitions
from glad_pipeline.errors import UsageError
from glad_pipeline.settings import settings_of

OURS = ["prompts", "generated_images", "s3_objects", "published_posts", "site_revalidations"]
STORE = {
    "bucket": "pictures",
    "endpoint_url": "http://127.0.0.1:9",
    "access_key_id": "id",
    "secret_access_key": "hunter22",
}
DATABASE = "postgresql://u:hunter11@127.0.0.1:9/d"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch, tmp_path):
    for name in ("DATABASE_URL", "AWS_S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GLAD_PRESET", "no such preset")  # not this component's business


def loaded(*components):
    """The definitions of a project with these components (name, attributes)."""
    with create_defs_folder_sandbox() as sandbox:
        for name, attributes in components:
            sandbox.scaffold_component(
                component_cls=GladPipeline,
                defs_path=name,
                defs_yaml_contents={
                    "type": "glad_pipeline.GladPipeline",
                    "attributes": {"database": DATABASE, "store": STORE, **attributes},
                },
            )
        with sandbox.build_all_defs() as defs:
            return defs


def refusal(*components):
    """What Dagster shows of definitions that cannot be loaded."""
    with pytest.raises(Exception, match="Error while") as refused:
        loaded(*components)
    return "".join(traceback.format_exception(refused.value))


def keys(assets):
    return {key.to_user_string() for key in assets}


def job_assets(defs, name):
    return keys(defs.resolve_job_def(name).asset_layer.executable_asset_keys)


def test_the_component_is_the_package_s_and_the_package_loads_without_dagster():
    assert glad_pipeline.GladPipeline is GladPipeline
    assert "GladPipeline" in dir(glad_pipeline)


def test_everything_has_the_name_in_front():
    defs = loaded(("a", {"name": "blog"}))
    assert {job.name for job in defs.jobs} == {"blog_publish_prompts", "blog_deliver_messages", "blog_audit_store"}
    assert job_assets(defs, "blog_publish_prompts") == {f"blog/{name}" for name in OURS}
    assert all(name.startswith("blog_") for name in defs.resources)
    assert {s.name for s in (*defs.sensors, *defs.schedules)} == {
        "blog_new_prompts",
        "blog_publish_prompts_hourly",
        "blog_audit_store_daily",
    }
    [images] = [a for a in defs.assets if a.key.path[-1] == "generated_images"]
    assert images.node_def.pool == "gpu"


def host(defs):
    """The host's own: partitioned in two ways, with required configuration, with an executor and in our group."""
    days, kinds = dg.DailyPartitionsDefinition("2026-01-01"), dg.StaticPartitionsDefinition(["a", "b"])

    class Required(dg.Config):
        must: str

    @dg.asset(partitions_def=days, group_name="blog")
    def daily():
        return 1

    @dg.asset(partitions_def=kinds)
    def by_kind():
        return 1

    @dg.asset
    def needs_config(config: Required):
        return 1

    @dg.asset(deps=[dg.AssetKey(["blog", "published_posts"])])
    def after():
        return 1

    theirs = dg.Definitions(
        assets=[daily, by_kind, needs_config, after],
        jobs=[dg.define_asset_job("publish_prompts", selection=[after])],
        resources={"postgres": "theirs", "queue": "theirs", "io_manager": dg.mem_io_manager},
        executor=dg.multiprocess_executor,
    )
    return dg.Definitions.merge(theirs, *defs)


def test_two_components_and_partitioned_neighbours_live_in_one_project():
    defs = host([loaded(("a", {"name": "blog"}), ("b", {"name": "second", "key_prefix": ["x", "y"], "pool": "gpu"}))])
    defs.get_repository_def()
    assert job_assets(defs, "blog_publish_prompts") == {f"blog/{name}" for name in OURS}
    assert job_assets(defs, "second_publish_prompts") == {f"x/y/{name}" for name in OURS}
    assert job_assets(defs, "publish_prompts") == {"after"}
    for name in ("blog_publish_prompts", "second_publish_prompts"):
        job = defs.resolve_job_def(name)
        assert job.partitions_def is None
        assert job.executor_def == dg.in_process_executor
        dg.validate_run_config(job, {})  # no neighbour's configuration is asked for


def test_two_components_with_one_name_are_refused_with_the_cure():
    assert "2 components GladPipeline are named 'blog': give each a name of its own" in refusal(
        ("a", {"name": "blog"}), ("b", {"name": "blog"})
    )


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"name": "Mein Blog"}, "lower-case letters"),
        ({"name": "blog", "preset": "nonsense"}, "GLAD_PRESET"),
        ({"name": "blog", "settings": {"GLAD_BATCH_SIZE": "many"}}, "GLAD_BATCH_SIZE"),
        ({"name": "blog", "settings": {"BATCH_SIZE": 3}}, "no setting is called BATCH_SIZE"),
        ({"name": "blog", "database": "mysql://u:hunter11@h/d"}, "postgresql://"),
    ],
)
def test_a_wrong_attribute_is_named_and_no_secret_is_told(attributes, told):
    said = refusal(("a", attributes))
    assert told in said
    assert "hunter11" not in said


@pytest.mark.parametrize(
    ("attributes", "look", "told"),
    [
        ({"database": None}, lambda made: made["blog_postgres"].connect(), "no database is named"),
        ({"store": {"bucket": None}}, lambda made: made["blog_object_store"].unchecked, "no bucket is named"),
    ],
)
def test_what_is_missing_is_told_by_the_run_and_not_taken_from_the_environment(attributes, look, told, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://another@127.0.0.1:9/d")
    defs = loaded(("a", {"name": "blog", **attributes}))
    with pytest.raises(UsageError, match=told):
        look(defs.resources)


def test_the_ui_shows_the_names_of_variables_and_no_secret():
    from dagster._core.remote_representation.external_data import RepositorySnap

    defs = loaded(("a", {"name": "blog"}))
    shown = str(RepositorySnap.from_def(defs.get_repository_def()).resources)
    assert "hunter" not in shown


def test_an_override_replaces_what_others_consist_of_too(monkeypatch):
    """Not the environment's database: a test would work off rows of the real one."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://the-real-one@127.0.0.1:9/d")
    from glad_pipeline.defs.resources import PostgresResource

    ours = PostgresResource(url=DATABASE)
    made = build_resources(
        settings_of({"DATABASE_URL": "postgresql://the-real-one@127.0.0.1:9/d"}), overrides={"postgres": ours}
    )
    assert made["queue"].postgres is ours
    assert made["object_store"].postgres is ours
    with pytest.raises(UsageError, match=r"no resource is called databse: there are postgres, queue"):
        definitions(settings_of({}), Names(), {"databse": ours})
