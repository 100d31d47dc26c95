"""What is secret is masked in every text, whatever it looks like and however it is quoted."""

import json
import logging
import os
import subprocess
import sys
import threading
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr

from glad_pipeline import cli, redaction
from glad_pipeline.database import DatabaseError, connect, describe
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local import bootstrap
from glad_pipeline.redaction import hide, hide_environment, hide_url, redact, shown
from glad_pipeline.settings import Settings, is_secret, load_settings, variables_of
from glad_pipeline.urls import problem_of_database_url, problem_of_web_address
from glad_pipeline_tests.secret_texts import SECRETS, pieces, shows, tried

AN_ID = "AWS_ACCESS_KEY_ID"  # shown by AWS itself; masked in texts all the same


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(redaction, "_known", redaction._Known())


QUOTED = {
    "as it is": str,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda secret: repr(secret.encode()),
    "json": json.dumps,
    "cut": lambda secret: secret[: max(8, len(secret) // 2)],
    "its end": lambda secret: secret[-max(8, len(secret) // 2) :],
    "twice": lambda secret: secret * 2,
}


@tried(200)
@given(secret=SECRETS, form=st.sampled_from(sorted(QUOTED)))
@example(secret="a/b@c#d%zz", form="bytes")
@example(secret="\x01§'\"\\x", form="repr")
def test_a_secret_is_masked_however_it_is_quoted(secret, form):
    redaction._known = redaction._Known()
    text = f"it said <{QUOTED[form](secret)}>, no more"
    assume(not shows("it said <>, no more", secret))
    hide(secret)
    clean = redact(text)
    assert not shows(clean, secret), clean
    assert clean.startswith("it said <")
    assert clean.endswith(">, no more")


@tried(200)
@given(password=SECRETS)
@example(password="pa/ss@wo#rd")
@example(password="a/b:c/d@e")
def test_the_password_in_a_url_is_masked_though_nobody_knows_it(password):
    assume(not set("\"'<>") & set(password) and not any(c.isspace() for c in password))
    clean = redact(f"no answer from ftp://me:{password}@far.example/x today")
    assert clean == "no answer from ftp://***@far.example/x today"


@pytest.mark.parametrize(
    "text",
    [
        "it looks like postgresql://user:password@host:5432/database",
        "stabilityai/sdxl@0123 at https://pictures.example/a/b.png and https://social.example/@me, me@mail.example",
        "http://127.0.0.1:8333/glad/generated/ab/cd.png answers 404",
        "user, password and host. GLAD_REVALIDATE_SECRET has to be the site's own",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPx"),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEJr"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("GLAD_REVALIDATE_SECRET", "site-secret-1"),
        ("HF_TOKEN", "hf_abcdefgh"),
        ("RAY_AUTH_TOKEN", "ray-token-x1"),
        ("DAGSTER_PG_PASSWORD", "p@ss/w0rd"),
        ("PGPASSWORD", "p@ss/w0rd"),
        ("GLAD_SOMETHING_NEW_PASSWORD", "tomorrow's"),
    ],
)
def test_what_is_called_a_secret_is_masked_with_nobody_listing_it(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    hide_environment()
    assert redact(f"<{value}>") == "<***>"


def test_the_place_of_a_secret_is_none(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/home/me/.glad/ray-token")
    hide_environment()
    assert redact("/home/me/.glad/ray-token cannot be read") == "/home/me/.glad/ray-token cannot be read"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2/x@h/d",
        "postgresql://u:hunter2%2Fx@h/d",
        "postgresql:///d?host=h&password=hunter2%2Fx",
        "host=h user=u password='hunter2/x' dbname=d",
        "host=h user=u password=hunter2/x dbname=d",
    ],
)
def test_of_a_url_the_password_is_masked_and_the_rest_is_told(url):
    hide_url(url)
    assert redact("hunter2/x does not suit h/d, says hunter2%2Fx") == "*** does not suit h/d, says ***"


def looks_secret(variable):
    return bool(redaction.SECRET_NAME.search(variable)) or variable.endswith("DATABASE_URL")


def open_secrets(model):
    fields = [field for field in model.model_fields.values() if not is_secret(field)]
    return {name for field in fields for name in variables_of(field) if looks_secret(name)}


def test_a_setting_whose_name_looks_secret_is_one():
    assert open_secrets(Settings) == {AN_ID}

    class Tomorrow(Settings):
        password: str | None = Field(None, alias="GLAD_WEB_PASSWORD")
        token: SecretStr | None = Field(None, alias="GLAD_WEB_TOKEN")

    assert open_secrets(Tomorrow) == {AN_ID, "GLAD_WEB_PASSWORD"}


def test_a_new_secret_setting_is_masked_whatever_it_is_called(monkeypatch):
    class Tomorrow(Settings):
        dsn: SecretStr | None = Field(None, alias="GLAD_SOMEWHERE")

    monkeypatch.setattr("glad_pipeline.settings.settings.Settings", Tomorrow)
    monkeypatch.setenv("GLAD_SOMEWHERE", "tomorrow's")
    load_settings()
    assert redact("it is <tomorrow's>") == "it is <***>"


def test_the_password_of_a_package_index_is_in_no_log_of_the_installation(tmp_path, monkeypatch):
    monkeypatch.setenv("GLAD_TORCH_INDEX", "https://me:hunter2/geheim@index.example/simple")
    hide_environment()
    log = tmp_path / "install.log"
    program = "import os, sys; print('Looking in', os.environ['GLAD_TORCH_INDEX'], flush=True); sys.exit(3)"
    with pytest.raises(bootstrap.SetUpFailed) as failed:
        bootstrap.step("Installing", [sys.executable, "-c", program], log)
    for told in (str(failed.value), log.read_text()):
        assert "Looking in https://***@index.example/simple" in told
        assert not shows(told, "hunter2/geheim")


@tried(200)
@given(password=SECRETS)
@example(password="pa/ss@word")
@example(password="word@h/x?y=z")
@example(password="12345/678")
@example(password="x:1@y")
def test_libpq_reads_the_whole_password_or_the_url_is_refused(password):
    url = f"postgresql://user:{password}@host:5432/blog"
    if fault := problem_of_database_url(url):
        assert not shows(fault, password)
        assert describe(url) == "(not a PostgreSQL URL)"
    else:
        parts = conninfo_to_dict(url)
        assert (parts["password"], parts["host"], parts["port"], parts["dbname"]) == (
            unquote(password),
            "host",
            "5432",
            "blog",
        )


@tried(200)
@given(password=SECRETS)
def test_an_encoded_password_is_taken(password):
    url = f"postgresql://user:{quote(password, safe='')}@host:5432/blog"
    assert problem_of_database_url(url) is None
    assert conninfo_to_dict(url)["password"] == password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgres://h",
        "postgresql:///blog",
        "postgresql://u@h/blog?sslmode=require&options=-csearch_path%3Dglad,public",
        "postgresql://u:p@h1:5432,h2/blog?target_session_attrs=read-write",
        "postgresql://u:p@[::1]:5432/blog",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/blog",
        "postgresql:///blog?host=/var/run/postgresql&password=a%40b",
        "host=/var/run/postgresql dbname=blog",
        "postgresql://u:p@my_db-1.internal./blog",
    ],
)
def test_every_kind_of_url_that_libpq_takes_is_taken(url):
    assert problem_of_database_url(url) is None


BROKEN = {
    "postgresql://u:{}/x@h/d": "a / before the @",
    "postgresql://u:{}@x@h/d": "more than one @",
    "postgresql://u:{}%zz@h/d": "begin a percent-encoded sign",
    "postgresql://u:{} x@h/d": "a space",
    "postgresql://u:{}@h:x/d": "its port",
    "postgresql://u:{}@h:70000/d": "its port",
    "postgresql://u:{}@h h/d": "a space",
    "postgresql://u:{}@h!/d": "its host",
    "postgresql://u:{}@h/d/e": "more than one / behind the host",
    "postgresql://u:{}@h/d?sslmod=require": "parameters behind the ?",
    "postgresql://u:{}@h/d?connect_timeout=soon": "parameter connect_timeout",
    "postgresql://u:{}@[::1/d": "host or port",
    "postgresql://u:{}:5432/d": "its port",
    "mysql://u:{}@h/d": "begin with postgresql://",
    "{}": "begin with postgresql://",
    "host=h password={} x": "name=value pairs",
    "psql postgresql://u:{}@h/d": "begin with postgresql://",
}


@pytest.mark.parametrize("name", ["DATABASE_URL", "DAGSTER_DATABASE_URL"])
@pytest.mark.parametrize(("url", "part"), BROKEN.items())
def test_the_part_of_a_url_that_is_wrong_is_named_and_nothing_of_it_is_told(monkeypatch, url, part, name):
    url = url.format("hunter2secret")
    monkeypatch.setenv(name, url)
    with pytest.raises(UsageError, match=name) as refused:
        load_settings()
    assert part in str(refused.value)
    assert not shows(str(refused.value), "hunter2secret")
    with pytest.raises(DatabaseError, match="not a PostgreSQL URL") as refused:
        connect(url)
    assert part in str(refused.value)
    assert not shows(str(refused.value), "hunter2secret")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("ftp://h", "begin with http"),
        ("localhost:9000", "begin with http"),
        ("hunter2secret", "begin with http"),
        ("hunter2:secret@h", "begin with http"),
        ("https://me:hunter2secret@h", "without user, password and @"),
        ("https://me:hunter2/secret@h", "without user, password and @"),
        ("https://hunter2secret@h", "without user, password and @"),
        ("https://me:hunter2secret", "its port"),
        ("https://h/?hunter2secret", "without ?"),
        ("https://h h", "a space"),
        ("https://", "its host"),
        ("https://[::1", "its port"),
    ],
)
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "GLAD_PUBLIC_BASE_URL", "GLAD_SITE_URL"])
def test_a_web_address_is_refused_by_its_part_and_without_its_password(monkeypatch, name, url, part):
    monkeypatch.setenv(name, url)
    with pytest.raises(UsageError, match=name) as refused:
        load_settings()
    assert part in str(refused.value)
    assert not shows(str(refused.value), "hunter2secret")
    assert not shows(str(refused.value), "hunter2/secret")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8333", "https://h", "https://[::1]:9000/x", "https://h.example/a/b"])
def test_a_plain_web_address_is_taken(url):
    assert problem_of_web_address(url) is None


AWKWARD = ["GLAD_STEPS", "GLAD_RAY_ADDRESS", "AWS_CLOUDFRONT_DOMAIN", "AWS_CLOUDFRONT_DISTRIBUTION_ID", "GLAD_SENSOR"]


@tried(50)
@given(secret=SECRETS, name=st.sampled_from([*AWKWARD, "AWS_SESSION_TOKEN", "GLAD_REVALIDATE_SECRET"]))
def test_no_setting_that_is_refused_shows_a_secret_that_went_astray(secret, name):
    """A URL, or one of our own secrets, in the wrong variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", redaction._Known())
        patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        for value in (secret, f"redis://:{secret}@cache:6379", f"ray://me:{secret}"):
            patch.setenv(name, value)
            try:
                load_settings()
            except UsageError as refused:
                assert not shows(str(refused), secret), refused  # noqa: PT017


def test_a_message_of_ours_has_no_secret_whatever_it_was_made_of():
    hide("hunter2secret")
    error = GladError("the server says: hunter2secret is wrong")
    assert "hunter2" not in f"{error} {error!r} {error.args}"


def test_a_harmless_value_is_shown_and_one_that_may_hold_a_secret_is_not():
    assert [shown(value) for value in ("-3", "many", "localhost:9000", "https://cdn.example.com", 7)] == [
        "'-3'",
        "'many'",
        "'localhost:9000'",
        "'https://cdn.example.com'",
        "7",
    ]
    assert [shown(value) for value in ("a@b", "http://me:word", "a b", "x" * 99)] == [None] * 4


CRASHES = """
import logging, sys, threading
from glad_pipeline.redaction import at_every_door, hide
at_every_door()
url = "postgresql://u:" + sys.argv[1] + "@h/d"
hide(sys.argv[1])
logging.basicConfig(level=logging.DEBUG)
logging.warning("cannot use %s or %r", url, {"password": sys.argv[1].encode()})
logging.warning("a wrong %d format", url)
try:
    {}[url]
except KeyError:
    logging.exception("no such key")
thread = threading.Thread(target=lambda: {}[url])
thread.start()
thread.join()
class Bad:
    def __del__(self):
        raise ValueError(url)
Bad()
try:
    raise ValueError(sys.argv[1])
except ValueError as error:
    raise RuntimeError("unforeseen") from error
"""


@pytest.mark.parametrize("secret", ["p/a@s#s:%w or\\d'§", "plainsecret"])
def test_logs_threads_and_crashes_of_a_process_show_no_secret(secret):
    ended = subprocess.run([sys.executable, "-c", CRASHES, secret], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    for words in ("cannot use", "a wrong", "no such key", "KeyError", "ValueError", "RuntimeError: unforeseen"):
        assert words in ended.stderr
    assert not shows(ended.stderr, secret), ended.stderr


def test_where_there_is_nothing_to_mask_a_crash_is_told_by_who_told_it_before():
    told = "import sys; from glad_pipeline.redaction import at_every_door; {}; at_every_door(); 1/0"
    ended = subprocess.run(
        [sys.executable, "-c", told.format("sys.excepthook = lambda *a: print('mine', a[1])")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "mine division by zero\n"


def test_what_is_typed_is_not_repeated_with_its_password(capsys, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2/x@h/d")
    assert cli.main(["status", os.environ["DATABASE_URL"]]) == 2
    told = capsys.readouterr().err
    assert "unexpected extra argument" in told
    assert not shows(told, "hunter2/x")


def test_a_process_hangs_its_doors_once():
    redaction.at_every_door()
    doors = (sys.excepthook, threading.excepthook, logging.getLogRecordFactory())
    redaction.at_every_door()
    assert doors == (sys.excepthook, threading.excepthook, logging.getLogRecordFactory())


def test_the_helper_of_these_tests_sees_what_it_looks_for():
    assert shows("… rd-12 …", "password-12")
    assert shows("abc", "abc")
    assert not shows("pass", "password-12")
    assert pieces("abcdef") == {"abcde", "bcdef"}
