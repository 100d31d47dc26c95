"""What may be typed into the launchpad: which prompts, how many, and nothing about where things are."""

import dagster as dg
import pytest
from dagster._config import ConfigTypeKind
from dagster._config.source import StringSourceType
from dagster._core.remote_representation.external_data import RepositorySnap, ResourceConfigEnvVarSnap

from glad_pipeline.definitions import build_defs
from glad_pipeline.testing import InstantSdxl

SECRETS = {"DATABASE_URL": "postgresql://u:hunter2@h/d", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hunter3"}
ALLOWED = {  # what an operator chooses for a run
    "ops/prompts/config/prompt_ids",
    "ops/prompts/config/batch_size",
    "ops/audit/config/fix",
    "ops/audit/config/deep",
    "ops/audit/config/at_most",
    "ops/audit/config/grace_seconds",
    "ops/audit/config/urls",
}


@pytest.fixture
def defs(monkeypatch):
    for name, value in {"AWS_S3_BUCKET": "pictures", "GLAD_REVALIDATE_SECRET": "hunter4", **SECRETS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GLAD_SITE_URL", "https://blog.example.com")
    return build_defs()


def jobs(defs):
    return defs.get_repository_def().get_all_jobs()


def leaves(kind, path=""):
    """Every place below a configuration type where a value can be typed, with its type.

    Not where Dagster takes anything and nobody reads it (`ANY`, for an op without configuration).
    """
    if ConfigTypeKind.is_shape(kind.kind) or ConfigTypeKind.is_selector(kind.kind):
        for name, field in kind.fields.items():
            yield from leaves(field.config_type, f"{path}/{name}" if path else name)
    elif kind.kind == ConfigTypeKind.NONEABLE:
        yield from leaves(kind.inner_type, path)
    elif kind.kind != ConfigTypeKind.ANY:
        yield path, kind


def test_run_config_holds_what_an_operator_chooses_and_nothing_that_names_a_place_or_a_secret(defs):
    seen = set()
    for job in jobs(defs):
        for path, kind in leaves(job.run_config_schema.config_type):
            assert not path.startswith("resources/"), f"{job.name}: {path}"
            assert not isinstance(kind, StringSourceType), f"{job.name}: {path} would read an environment variable"
            seen |= {path} if path.startswith("ops") else set()
    assert seen == ALLOWED


TYPED = [
    ("object_store", {"endpoint_url": "http://127.0.0.1:9", "bucket": {"env": "AWS_SECRET_ACCESS_KEY"}}),
    ("object_store", {"session_token": {"env": "DATABASE_URL"}}),
    ("object_store", {"spool_folder": "/etc"}),
    ("postgres", {"url": "postgresql://elsewhere/x"}),
    ("outbox", {"site_url": "http://127.0.0.1:9"}),
    ("sdxl", {"model": "/etc/passwd"}),
    ("queue", {"max_attempts": {"env": "AWS_SECRET_ACCESS_KEY"}}),
    ("io_manager", {"base_dir": {"env": "DATABASE_URL"}}),
    ("queue_rows", {"anything": {"env": "DATABASE_URL"}}),
    ("image_store", {"anything": 1}),
]


@pytest.mark.parametrize(("resource", "config"), TYPED, ids=[f"{r} {next(iter(c))}" for r, c in TYPED])
def test_a_resource_typed_into_the_launchpad_is_refused_before_anything_is_read(defs, resource, config):
    [job] = [job for job in jobs(defs) if job.name == "__ASSET_JOB"]  # what *Materialize* launches
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(job, {"resources": {resource: {"config": config}}})
    told = str(refused.value)
    assert "unexpected config entr" in told
    assert "hunter" not in told


def test_a_variable_that_is_no_number_is_named_and_not_shown(defs):
    [job] = [job for job in jobs(defs) if job.name == "publish_prompts"]
    config = {"ops": {"prompts": {"config": {"batch_size": {"env": "AWS_SECRET_ACCESS_KEY"}}}}}
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(job, config)
    assert "AWS_SECRET_ACCESS_KEY" in str(refused.value)
    assert "hunter" not in str(refused.value)


def test_the_web_ui_goes_on_showing_the_resources_with_their_values_and_only_the_names_of_secrets(defs):
    shown = {resource.name: resource for resource in RepositorySnap.from_def(defs.get_repository_def()).resources}
    assert shown["object_store"].resource_type == "glad_pipeline.defs.resources.ObjectStoreResource"
    assert {name: snap.name for name, snap in shown["object_store"].configured_values.items()
            if isinstance(snap, ResourceConfigEnvVarSnap)} == {
        "bucket": "AWS_S3_BUCKET",
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    }  # fmt: skip
    assert shown["object_store"].configured_values["region"] == '"us-east-1"'
    assert shown["postgres"].configured_values["url"].name == "DATABASE_URL"
    assert shown["outbox"].configured_values["site_url"] == '"https://blog.example.com"'
    assert shown["sdxl"].configured_values["model"] == '"demo"'
    assert shown["queue"].nested_resources["postgres"].name == "postgres"
    assert "hunter" not in str(shown)


def test_a_resource_gets_the_values_it_was_made_with_also_inside_another(defs):
    @dg.asset
    def looks(context, postgres: dg.ResourceParam[object], queue: dg.ResourceParam[object]):
        context.add_output_metadata({"own": postgres.url, "nested": queue.postgres.url, "batch": queue.batch_size})

    result = dg.materialize([looks], resources={**defs.resources, "sdxl": InstantSdxl()})
    [made] = result.asset_materializations_for_node("looks")
    assert made.metadata["own"].value == made.metadata["nested"].value == SECRETS["DATABASE_URL"]
    assert made.metadata["batch"].value == 256
