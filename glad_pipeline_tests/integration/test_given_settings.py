"""`build_defs(settings)`: the graph works by these settings alone, whatever the environment of the process names."""

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from glad_pipeline.definitions import build_defs
from glad_pipeline.redaction import redact
from glad_pipeline.settings import load_settings

FOREIGN = {
    "DATABASE_URL": "postgresql://other:secret@127.0.0.1:1/other",
    "AWS_S3_BUCKET": "another-bucket",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "another",
    "AWS_SECRET_ACCESS_KEY": "another-secret",
    "GLAD_MODEL": "/nowhere/model",
    "GLAD_STEPS": "199",
    "GLAD_BACKEND": "ray",
    "GLAD_RAY_ADDRESS": "127.0.0.1:1",
    "GLAD_DATABASE_PATIENCE_SECONDS": "0",
    "GLAD_STORE_PATIENCE_SECONDS": "0",
}


@pytest.fixture
def own(migrated_url, s3, tmp_path, monkeypatch):
    """Settings of our servers and folder, in a process whose environment names others by now."""
    given = {"DATABASE_URL": migrated_url, **s3, "GLAD_HOME": str(tmp_path / "own"), "GLAD_MODEL": "demo"}
    drawing = {"GLAD_STEPS": "1", "GLAD_WIDTH": "64", "GLAD_HEIGHT": "64", "GLAD_DEVICE": "cpu", "GLAD_BACKEND": "auto"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**given, **drawing}.items():
            patch.setenv(name, value)
        settings = load_settings()
    for name, value in {**FOREIGN, "GLAD_HOME": str(tmp_path / "foreign")}.items():
        monkeypatch.setenv(name, value)
    return settings


def run(settings):
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(settings).resolve_job_def("publish_prompts")
        return job.execute_in_process(instance=instance, raise_on_error=False)


def prompts(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        return connection.execute("SELECT status, attempts FROM prompts").fetchall()


def add_a_hill(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        # of one step another seed may give a blank picture
        connection.execute("INSERT INTO prompts (prompt, title, seed) VALUES ('a hill', 'Hill', 1)")


def test_a_run_uses_database_bucket_model_and_engine_of_the_settings_it_was_built_with(own, database_url, tmp_path):
    add_a_hill(database_url)
    result = run(own)
    assert result.success, [event.message for event in result.all_events if event.is_failure]
    assert prompts(database_url) == [("published", 1)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        [(recipe, url)] = connection.execute("SELECT recipe, url FROM images").fetchall()
    assert (recipe["model"], recipe["num_inference_steps"], recipe["width"]) == ("demo", 1, 64)
    assert url.startswith(f"{own.s3_endpoint_url}/{own.s3_bucket}/")
    assert (tmp_path / "own" / "model-hashes.json").exists()
    assert not (tmp_path / "foreign").exists()


def test_workers_too_are_looked_for_where_the_settings_say(own, database_url):
    add_a_hill(database_url)
    result = run(own.model_copy(update={"backend": "ray"}))
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "no workers run on this machine" in failed.user_failure_data.description
    assert "127.0.0.1:1" not in str(failed)
    assert prompts(database_url) == [("pending", 0)]


def test_given_secrets_are_masked_though_the_environment_has_others(own):
    build_defs(own.model_copy(update={"s3_secret_access_key": SecretStr("a-given-secret")}))
    assert "a-given-secret" not in redact("it says a-given-secret")
