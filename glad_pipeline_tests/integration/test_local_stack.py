"""What a command is given: servers that are absent are started, given ones are used, halves are refused."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from dotenv import dotenv_values

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local import site
from glad_pipeline.local import stack as local_stack
from glad_pipeline.local.home import Home
from glad_pipeline.settings import Settings

GLAD = [sys.executable, "-m", "glad_pipeline.cli"]


def settings(home, **given):
    return Settings(GLAD_HOME=home, _env_file=None, **given)


@pytest.fixture(scope="module", autouse=True)
def _file_of_its_own(stack):
    """A command that an earlier test has called may have written it for a database of that test's."""
    local_stack.ensure(settings(stack["GLAD_HOME"]), foreground=True)


def test_two_that_start_at_once_get_the_same_servers(tmp_path):
    home = tmp_path / "home"
    program = (
        "import sys\nfrom pathlib import Path\nfrom glad_pipeline.local import stack\n"
        "from glad_pipeline.settings import Settings\n"
        "e = stack.ensure(Settings(GLAD_HOME=Path(sys.argv[1]), _env_file=None))\n"
        "print(e['DATABASE_URL'], e['AWS_ENDPOINT_URL_S3'])"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, home], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    try:
        answers = [process.communicate(timeout=120)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert answers[0] == answers[1] != ""
    finally:
        assert local_stack.stop(settings(home)) == ["the S3 server", "PostgreSQL"]
    left = [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])
    ]
    assert left == []


def test_the_file_for_other_shells_says_the_same_as_the_environment(stack):
    path = f"{stack['GLAD_HOME']}/.env"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["sh", "-c", f"set -a; . {shlex.quote(path)}; env"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    for name, value in dotenv_values(path).items():
        assert stack[name] == value
        assert f"{name}={value}" in shown


def test_dagster_gets_a_database_of_its_own(stack):
    with psycopg.connect(stack["DAGSTER_DATABASE_URL"]) as connection:
        assert connection.info.dbname == stack["DAGSTER_PG_DB"] == "glad_dagster"


def test_a_person_s_aws_profile_does_not_reach_the_embedded_store(stack, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    environment = local_stack.environment(settings(stack["GLAD_HOME"]), {"AWS_SESSION_TOKEN": ""})
    assert {n: v for n, v in environment.items() if n.startswith("AWS_")} == {"AWS_SESSION_TOKEN": ""}


def test_given_servers_are_used_as_they_are(stack, tmp_path, database_url, s3):
    given = settings(tmp_path / "home", DATABASE_URL=database_url, **s3)
    environment = local_stack.ensure(given)
    assert environment["DATABASE_URL"] == database_url
    assert environment["AWS_S3_BUCKET"] == s3["AWS_S3_BUCKET"]
    assert not (tmp_path / "home" / "postgres").exists()
    assert not (tmp_path / "home" / "s3").exists()
    assert local_stack.stop(given) == []
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {environment['DAGSTER_PG_DB']}")


@pytest.mark.parametrize("lasting", [False, True], ids=["for one command", "in .env"])
def test_what_is_given_for_one_command_is_not_found_by_the_next(stack, tmp_path, s3, monkeypatch, lasting):
    """Only what is ours, and what stands in the repository's `.env`, is written for other shells."""
    monkeypatch.setenv("GLAD_ENV_FILE", str(tmp_path / ".env"))
    path = Path(stack["GLAD_HOME"]) / ".env"
    before = path.read_text()
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    if lasting:
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in s3.items()))
    environment = local_stack.ensure(Settings(GLAD_HOME=stack["GLAD_HOME"], _env_file=None), foreground=True)
    assert environment["AWS_S3_BUCKET"] == s3["AWS_S3_BUCKET"] != "glad"
    found = dotenv_values(path)
    assert found["AWS_S3_BUCKET"] == (s3["AWS_S3_BUCKET"] if lasting else "glad")
    assert ("AWS_S3_BUCKET:" in found["GLAD_EMBEDDED"]) is not lasting
    assert "DATABASE_URL:" in found["GLAD_EMBEDDED"]
    if not lasting:
        assert sorted(path.read_text().splitlines()) == sorted(before.splitlines())


def test_a_first_command_with_a_server_of_its_own_writes_nothing_of_it(tmp_path, database_url, s3, monkeypatch):
    for name, value in {**s3, "DATABASE_URL": database_url, "DAGSTER_DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    local_stack.ensure(Settings(GLAD_HOME=tmp_path / "home", _env_file=None))
    text = (tmp_path / "home" / ".env").read_text()
    assert not [name for name in dotenv_values(tmp_path / "home" / ".env") if name.startswith(("AWS_", "DATABASE_"))]
    assert s3["AWS_SECRET_ACCESS_KEY"] not in text


def test_who_may_not_create_a_database_is_told_which_setting_helps(database_url, tmp_path):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'secret'")
    try:
        url = database_url.replace(database_url.split("//")[1].split("@")[0], "stranger:secret")
        with pytest.raises(GladError, match="set DAGSTER_DATABASE_URL") as error:
            local_stack.ensure(settings(tmp_path / "home", DATABASE_URL=url))
        assert "secret" not in str(error.value)
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP ROLE stranger")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}, "AWS_ENDPOINT_URL_S3.*AWS_S3_BUCKET"),
        ({"AWS_CLOUDFRONT_DOMAIN": "cdn.example.org"}, "AWS_CLOUDFRONT_DOMAIN.*AWS_S3_BUCKET"),
        ({"AWS_S3_BUCKET": "b", "AWS_ACCESS_KEY_ID": "k"}, "AWS_SECRET_ACCESS_KEY is not"),
        ({"AWS_S3_BUCKET": "b", "AWS_SECRET_ACCESS_KEY": "s"}, "AWS_ACCESS_KEY_ID is not"),
    ],
)
def test_half_a_store_is_refused(given, named, tmp_path):
    with pytest.raises(UsageError, match=named):
        local_stack.ensure(settings(tmp_path / "home", **given))
    assert not (tmp_path / "home").exists()


def test_a_command_gets_the_environment_and_its_own_exit_code(stack):
    run = subprocess.run(
        [*GLAD, "run", "--", "sh", "-c", "echo $AWS_S3_BUCKET; command -v dagster; exit 7"],
        env=os.environ | {"GLAD_HOME": stack["GLAD_HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (7, "")
    assert run.stdout.splitlines() == ["glad", str(Path(sys.executable).with_name("dagster"))]


def test_a_shell_that_has_read_the_servers_file_is_not_taken_for_servers_of_the_person_s_own(stack):
    script = 'set -a; . "$GLAD_HOME/.env"; "$@" status && "$@" run -- "$@" status'
    shown = subprocess.run(
        ["sh", "-c", script, "sh", *GLAD],
        env=os.environ | {"GLAD_HOME": stack["GLAD_HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "yours" not in shown.stdout
    assert shown.stdout.count("PostgreSQL         running") == shown.stdout.count("object store       running") == 2


def test_every_command_tells_the_site_while_a_glad_up_serves_it_unless_the_person_has_one(stack, monkeypatch):
    home = Home(Path(stack["GLAD_HOME"]))
    path = home.path / ".env"
    names = {"GLAD_SITE_URL", "GLAD_REVALIDATE_SECRET"}
    site.note(home, "http://127.0.0.1:3100")
    try:
        environment = local_stack.ensure(settings(stack["GLAD_HOME"]), foreground=True)
        assert environment["GLAD_SITE_URL"] == "http://127.0.0.1:3100"
        assert len(environment["GLAD_REVALIDATE_SECRET"]) > 20
        shell = dotenv_values(path)
        assert names <= set(shell)
        local_stack.forget_ours(shell)
        assert not names & set(shell)
        theirs = {"GLAD_SITE_URL": "https://blog.example", "GLAD_REVALIDATE_SECRET": "theirs"}
        for name, value in theirs.items():
            monkeypatch.setenv(name, value)
        own = local_stack.ensure(settings(stack["GLAD_HOME"], **theirs), foreground=True)
        assert {name: own[name] for name in names} == theirs
    finally:
        for name in names:
            monkeypatch.delenv(name, raising=False)
        site.note(home, None)
    assert not names & set(local_stack.ensure(settings(stack["GLAD_HOME"]), foreground=True))
    assert not names & set(dotenv_values(path))


def test_a_site_whose_glad_up_was_killed_is_told_nothing(stack):
    home = Home(Path(stack["GLAD_HOME"]))
    with home.lock():
        home.remember("site", {"url": "http://127.0.0.1:3100", "pid": 1, "created": 0.0})
    assert "GLAD_SITE_URL" not in local_stack.ensure(settings(stack["GLAD_HOME"]), foreground=True)


@pytest.mark.deep
def test_a_value_changed_since_in_that_shell_is_the_person_s_own(stack, database_url):
    script = '. "$GLAD_HOME/.env"; export GLAD_EMBEDDED DATABASE_URL="$1"; shift; "$@" status'
    shown = subprocess.run(
        ["sh", "-c", script, "sh", database_url, *GLAD],
        env=os.environ | {"GLAD_HOME": stack["GLAD_HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "yours (DATABASE_URL)" in shown.stdout
    assert "yours (AWS_S3_BUCKET)" not in shown.stdout


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (["up"], 1, "Run ./glad migrate first"),
        (["run", "--", "true"], 1, "Run ./glad migrate first"),
        (["prompts", "list"], 1, "Run ./glad migrate first"),
        (["demo"], 2, "migrate your own database 127.0.0.1"),
    ],
)
def test_a_person_s_own_database_is_changed_by_no_command_but_migrate(command, code, told, database_url, tmp_path):
    done = subprocess.run(
        [*GLAD, *command],
        env=os.environ | {"GLAD_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert database_url.rsplit("/", 1)[1] in done.stderr
    assert not (tmp_path / "home").exists()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall() == []


def test_after_migrate_a_person_s_own_database_is_used(database_url, tmp_path, stack):
    environment = os.environ | {"GLAD_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url}
    environment |= {"DAGSTER_DATABASE_URL": stack["DAGSTER_DATABASE_URL"]}
    environment |= {name: value for name, value in stack.items() if name.startswith("AWS_")}
    subprocess.run([*GLAD, "migrate"], env=environment, check=True, capture_output=True)
    done = subprocess.run([*GLAD, "run", "--", "true"], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_status_shows_what_runs_and_reset_needs_a_yes(stack):
    environment = os.environ | {"GLAD_HOME": stack["GLAD_HOME"]}
    shown = subprocess.run([*GLAD, "status"], env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert stack["AWS_ENDPOINT_URL_S3"] in shown.stdout
    reset = subprocess.run(
        [*GLAD, "reset"], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert (reset.returncode, "--yes" in reset.stderr) == (2, True)


def test_reset_removes_what_is_ours_and_nothing_else(tmp_path):
    home = tmp_path / "home"
    local_stack.ensure(settings(home))
    (home / "notes.txt").write_text("mine")
    ours = home / "spool" / f"glad@127.0.0.1_{Home(home).recall('port s3')}"
    theirs = home / "spool" / "theirs@aws"
    for folder in (ours, theirs):
        folder.mkdir(parents=True)
        (folder / ("0" * 32)).write_text("a picture")
    done = subprocess.run(
        [*GLAD, "reset", "--yes"],
        env=os.environ | {"GLAD_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in home.iterdir()) == ["lock", "notes.txt", "spool"]
    assert list((home / "spool").iterdir()) == [theirs]  # pictures that wait for a bucket of the person's own
    Home(home).prepare()  # still known as ours
