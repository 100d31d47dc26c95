"""`glad keys …`: made, shown once, listed without what opens anything, revoked."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from glad_pipeline import cli
from glad_pipeline.callers.keys import QUERIES, allows, digest, expiry, list_keys, make_key
from glad_pipeline.database import Database
from glad_pipeline.errors import UsageError


@pytest.fixture
def glad(migrated_url, s3, tmp_path, monkeypatch, capsys):
    """`glad(*words)`: exit code, stdout and stderr of a command on the database of this test."""
    for name, setting in {**s3, "DATABASE_URL": migrated_url, "GLAD_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, setting)

    def run(*words):
        code = cli.main([*words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_key_is_shown_once_and_kept_as_a_hash(glad, migrated_url):
    code, key, told = glad("keys", "make", "site", "--scope", "read", "--scope", "submit", "--expires", "90d")
    assert (code, key[:5], len(key)) == (0, "glad_", 49)
    assert "site may: read, submit" in told
    code, listed, _ = glad("keys", "list", "--json")
    [row] = json.loads(listed)
    assert (row["name"], row["scopes"], row["last_used_at"], row["revoked_at"]) == (
        "site",
        ["read", "submit"],
        None,
        None,
    )
    ends = datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < ends <= timedelta(days=90)
    with psycopg.connect(migrated_url) as connection:
        kept = str(connection.execute("SELECT * FROM api_keys").fetchall())
    assert key.strip() not in kept + listed
    assert "site" in glad("keys", "list")[1]


def test_what_cannot_be_is_refused_and_changes_nothing(glad):
    assert glad("keys", "make", "one", "--scope", "read")[0] == 0
    for words, told in (
        (["make", "one", "--scope", "read"], "there is a key named 'one' already"),
        (["make", "two"], "needs at least one scope of read, submit, review, admin"),
        (["make", "two", "--scope", "all"], "no scope is called 'all'"),
        (["make", "a b", "--scope", "read"], "'a b' is no name of a key"),
        (["make", "two", "--scope", "read", "--expires", "yesterday"], "'yesterday' is no time"),
        (["make", "two", "--scope", "read", "--expires", "2020-01-01"], "is over"),
        (["revoke", "nobody"], "no key is named 'nobody'"),
    ):
        code, _, error = glad("keys", *words)
        assert (code, told in error) == (2, True), error
    assert len(json.loads(glad("keys", "list", "--json")[1])) == 1


def test_a_key_is_revoked_for_good_and_again_without_harm(glad):
    made = json.loads(glad("keys", "make", "one", "--scope", "admin", "--json")[1])
    assert made["key"].startswith("glad_")
    first = json.loads(glad("keys", "revoke", "one", "--json")[1])
    assert json.loads(glad("keys", "revoke", "one", "--json")[1]) == first
    assert first["revoked_at"]
    assert "revoked" in glad("keys", "list")[1]
    assert glad("keys", "revoke", "one")[1] == "one opens nothing any more\n"


def test_a_rotated_key_has_another_secret_and_the_one_before_opens_nothing_or_for_a_while(glad, migrated_url):
    def opens(key):
        with Database(migrated_url) as database:
            return database.read(lambda c: c.execute(QUERIES["caller"], {"hash": digest(key.strip())}).fetchone())

    first = glad("keys", "make", "site", "--scope", "read")[1]
    code, second, told = glad("keys", "rotate", "site")
    assert (code, "opens nothing any more" in told, second != first) == (0, True, True)
    assert (opens(first), opens(second)["name"]) == (None, "site")
    code, third, told = glad("keys", "rotate", "site", "--grace", "24h")
    assert (code, "opens the same until" in told) == (0, True)
    assert opens(second) == opens(third)
    assert opens(first) is None
    with psycopg.connect(migrated_url) as connection:
        connection.execute("UPDATE api_keys SET old_until = now() - interval '1 s'")
    assert (opens(second), opens(third)["name"]) == (None, "site")
    [row] = json.loads(glad("keys", "list", "--json")[1])
    assert (row["name"], row["scopes"]) == ("site", ["read"])
    for words, why in ((["nobody"], "no key that opens anything"), (["site", "--grace", "soon"], "'soon' is no time")):
        code, _, error = glad("keys", "rotate", *words)
        assert (code, why in error) == (2, True), error
    glad("keys", "revoke", "site")
    assert glad("keys", "rotate", "site")[0] == 2
    assert opens(third) is None


def test_a_key_is_revoked_with_those_that_it_has_made(glad, migrated_url):
    with Database(migrated_url) as database:
        first, _ = make_key(database, "first", ["admin"])
        second, _ = make_key(database, "second", ["admin"], made_by=first.id)
        make_key(database, "third", ["read"], made_by=second.id)
        make_key(database, "other", ["read"])
        told = glad("keys", "revoke", "first")[1]
        assert [line.split()[0] for line in told.splitlines()] == ["first", "second", "third"]
        assert [(key.name, key.revoked_at is not None) for key in list_keys(database)] == [
            *(("first", True), ("second", True), ("third", True), ("other", False))
        ]
        with pytest.raises(UsageError, match="revoked just now"):
            make_key(database, "late", ["read"], made_by=first.id)


def test_a_time_without_a_zone_is_one_of_the_settings():
    berlin = ZoneInfo("Europe/Berlin")
    assert expiry("2999-01-01T01:00", berlin) == datetime(2999, 1, 1, tzinfo=UTC)
    assert expiry("2999-01-01T01:00+05:00", berlin) == datetime(2998, 12, 31, 20, tzinfo=UTC)
    for text in ("0d", "-1d", "", "9999-12-31T23:59-23:00", "99999d" * 2):
        with pytest.raises(UsageError):
            expiry(text, berlin)


def test_scopes_allow_what_they_include():
    allowed = {
        scope: [each for each in ("read", "submit", "review", "admin") if allows([scope], each)]
        for scope in ("read", "submit", "review", "admin", "unknown")
    }
    assert allowed == {
        "read": ["read"],
        "submit": ["submit"],
        "review": ["read", "review"],
        "admin": ["read", "submit", "review", "admin"],
        "unknown": [],
    }
