"""URLs, keys and tokens of every kind, broken ones too, through the real commands and the real graph: none is told."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glad_pipeline import cli, redaction
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.failures import as_failure
from glad_pipeline.errors import GladError
from glad_pipeline.generation.hub import fetch
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import World
from glad_pipeline_tests.secret_texts import SECRETS, shows, tried
from glad_pipeline_tests.unit.test_database import closed_port

ROOT = Path(__file__).parents[2]
COMMANDS = (
    ["status"],
    ["migrate"],
    ["up"],
    ["down"],
    ["reset", "--yes"],
    ["demo", "--yes"],
    ["run", "--", "true"],
    ["reproduce", "a-post"],
    ["prompts", "list"],
    ["outbox", "list"],
    ["audit"],
    ["catalogue", "rebuild"],
    ["model", "list"],
    ["workers", "status"],
    ["settings"],
)
URLS = (
    "postgresql://me:{raw}@{nowhere}/blog",
    "postgresql://me:{encoded}@{nowhere}/blog",
    "postgresql://me:{encoded}@{nowhere}x/blog",
    "postgresql://me:{encoded}@no_such host/blog",
    "postgresql://me:{encoded}@{nowhere}/blog/{encoded}",
    "postgresql://me:{encoded}@{nowhere}/blog?no_such=1",
    "postgresql://me:{encoded}@{nowhere}/blog?sslmode=nonsense",
    "postgresql://me:{encoded}@{nowhere}/blog?connect_timeout=x",
    "postgresql:///blog?host=127.0.0.1&port=1&user=me&password={encoded}",
    "postgresql://me:{raw}:5432/blog",
    "postgresql+psycopg2://me:{raw}@{nowhere}/blog",
    "host=127.0.0.1 port=1 user=me password={raw} dbname=blog",
    "host=127.0.0.1 port=1 user=me password='{raw} dbname=blog",
    "{raw}",
)
WHERE = ("DATABASE_URL", "DAGSTER_DATABASE_URL", "AWS_ENDPOINT_URL_S3", "GLAD_SITE_URL", "GLAD_PUBLIC_BASE_URL")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    monkeypatch.setenv("GLAD_HOME", str(tmp_path / "home"))


def told_by(command, variables, secret):
    """All that a command tells in this process, and the files it leaves, apart from those that are to have secrets."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        before = dict(os.environ)
        patch.setattr(redaction, "_known", redaction._Known())
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            code = cli.main(list(command))
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)
    return code, out.getvalue() + told_in(Path(os.environ["GLAD_HOME"]), secret)


def told_in(folder, secret):
    """The texts of the files in which a piece of the secret is."""
    keepers = (".env", "secrets.json", "s3.json", "ray-token")  # 0600, and made for it
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in keepers]
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in files}
    return "".join(f"\n{path}: {text}" for path, text in texts.items() if shows(text, secret))


@tried(60)
@given(
    password=SECRETS,
    url=st.sampled_from(URLS),
    name=st.sampled_from(WHERE),
    command=st.sampled_from(COMMANDS),
)
def test_no_command_tells_the_password_of_a_url(password, url, name, command):
    value = url.format(raw=password, encoded=quote(password, safe=""), nowhere=f"127.0.0.1:{closed_port()}")
    others = {"DATABASE_URL": f"postgresql://127.0.0.1:{closed_port()}/blog", "GLAD_REVALIDATE_SECRET": "s"}
    code, told = told_by(command, {**others, name: value}, password)
    assert not shows(told, password), told
    assert "Traceback" not in told
    assert code in (0, 1, 2)
    if code == 2:
        assert name in told


@tried(60)
@given(
    secret=SECRETS,
    name=st.sampled_from(["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "GLAD_REVALIDATE_SECRET"]),
)
def test_no_command_tells_a_key_or_token(s3, secret, name):
    """Against the real store, which does not know it; what no header can hold does not get so far."""
    code, told = told_by(["up"], {**s3, "AWS_SECRET_ACCESS_KEY": "wrong", name: secret}, secret)
    assert code in (1, 2)
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN  # what this process starts would inherit it
    assert not shows(told, secret), told
    assert "Traceback" not in told
    if code == 2:
        assert name in told


MALFORMED = [
    "me:pa55/w0rd!x@127.0.0.1:1",
    "me:pa55@w0rd!x@127.0.0.1:1",
    "me:pa55%w0rd!x@127.0.0.1:1",
    "me:pa55#w0rd!x@127.0.0.1:1",
]
PROCESSES = {
    "glad": ["-m", "glad_pipeline.cli", "prompts", "list"],
    "dagster": ["-m", "dagster", "definitions", "validate", "-m", "glad_pipeline.definitions"],
}


@pytest.mark.few(1)
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DAGSTER_DATABASE_URL"])
def test_a_real_process_refuses_a_broken_url_by_its_part_and_writes_it_nowhere(tmp_path, process, name):
    url = f"postgresql://{MALFORMED[0 if name == 'DATABASE_URL' else 1]}/blog"
    (tmp_path / "dagster home").mkdir()
    ended = subprocess.run(
        [sys.executable, *PROCESSES[process]],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path / "dagster home"), name: url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode != 0
    assert f"{name}: it has {'a / before the @' if name == 'DATABASE_URL' else 'more than one @'}" in ended.stdout
    for piece in ("pa55", "w0rd"):
        assert piece not in ended.stdout
        assert not any(piece.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.few(1)
@pytest.mark.parametrize("token", ["hf_\x01a/b@c:secret", "hf_geheim-§-secret", "hf_two words secret"])
def test_a_token_of_the_hub_that_no_header_can_hold_is_refused_by_name(monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(GladError, match="HF_TOKEN") as refused:
        fetch("owner/name", "1" * 40, lambda names: names, None, print)
    assert not shows(str(refused.value), token)


class Leaky(InstantSdxl):
    """Fails as nobody has foreseen, with all the secrets there are in the error and in what led to it."""

    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        def stream():
            secrets = {name: os.environ[name] for name in ("DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN")}
            try:
                raise ConnectionError(f"cannot use {secrets}")
            except ConnectionError as error:
                raise RuntimeError(f"unforeseen: {json.dumps(secrets)}") from error
            yield

        return stream()


def test_an_unforeseen_error_in_a_run_leaves_no_secret_in_event_log_or_rows(migrated_url, s3, tmp_path, monkeypatch):
    token = "hf_to/k@e:n#42"
    for name, value in {**s3, "DATABASE_URL": migrated_url, "HF_TOKEN": token}.items():
        monkeypatch.setenv(name, value)
    world = World(migrated_url)
    world.add("a hill", title="Hill")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        job = build_defs(resource_overrides={"sdxl": Leaky()}).resolve_job_def("publish_prompts")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        written = str(
            [
                event.event_log_entry.to_json() if hasattr(event, "event_log_entry") else event
                for event in instance.all_logs(result.run_id)
            ]
        )
    assert "unforeseen" in written
    rows = str(world.sql("SELECT * FROM prompts"))
    world.connection.close()
    password = migrated_url.split(":")[2].split("@")[0]
    for secret in (password, token, s3["AWS_SECRET_ACCESS_KEY"]):
        assert not shows(written, secret), secret
        assert not shows(rows, secret), secret
        assert not told_in(tmp_path, secret)


def test_an_unforeseen_error_without_a_secret_comes_through_as_it_is():
    with pytest.raises(RuntimeError, match="unforeseen"), as_failure():
        raise RuntimeError("unforeseen")


def test_what_is_logged_in_a_run_has_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_to/k@e:n#42")
    redaction.at_every_door()

    @dg.op
    def talkative(context: dg.OpExecutionContext) -> None:
        context.log.info("the token is %s", os.environ["HF_TOKEN"])

    @dg.job
    def talk() -> None:
        talkative()

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        result = talk.execute_in_process(instance=instance)
        written = str(instance.all_logs(result.run_id))
    assert "the token is ***" in written
    assert not shows(written, "hf_to/k@e:n#42")
