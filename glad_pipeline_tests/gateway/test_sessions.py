"""The studio's sessions and the keys that open them."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2

from glad_pipeline.callers import keys
from glad_pipeline.callers.keys import digest, make_key, revoke_key
from glad_pipeline.callers.sessions import MOST, csrf_token, open_session
from glad_pipeline.database import connect, value
from glad_pipeline.local.processes import wait_until
from glad_pipeline_tests.gateway.test_guard import key_of

SESSION = "/api/studio/session"


def execute(database, statement, bound=None):
    with database.transaction() as connection:
        connection.execute(statement, bound)


def count(database):
    with database.transaction() as connection:
        return value(connection, "SELECT count(*) FROM api_sessions")


def logged_in(client_with, *scopes):
    client = client_with()
    answer = client.post(SESSION, json={"key": key_of(client_with(*scopes))})
    assert answer.status_code == 200, answer.text
    return client, answer


def test_a_key_opens_a_session_that_is_who_the_key_is_until_it_is_closed(client_with, database):
    client, answer = logged_in(client_with, "review", "submit")
    told = answer.json()["data"]
    assert (told["name"], told["scopes"]) == ("key-1", ["review", "submit"])
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # by http on this machine
    assert client.get(SESSION).json()["data"] == told
    assert client.get("/api/caller").json()["data"]["name"] == "key-1"
    kept = dict(client.cookies)
    (text,) = kept.values()
    assert text not in str(database.read(lambda c: c.execute("SELECT * FROM api_sessions").fetchall()))
    assert client.delete(SESSION, headers={"X-CSRF-Token": told["csrf_token"]}).status_code == 204
    assert not client.cookies
    assert httpx2.get(f"{client.base_url}{SESSION}", cookies=kept).status_code == 401  # replayed
    assert count(database) == 0


def test_a_change_by_a_session_needs_its_own_csrf_token(client_with):
    client, answer = logged_in(client_with, "admin")
    other, theirs = logged_in(client_with, "admin")
    (text,) = dict(client.cookies).values()
    for token in (None, "", "x" * 64, theirs.json()["data"]["csrf_token"], csrf_token(text)[:-1], text):
        refused = client.delete(SESSION, headers={} if token is None else {"X-CSRF-Token": token})
        assert (refused.status_code, "X-CSRF-Token" in refused.json()["detail"]) == (403, True), token
    assert client.get(SESSION).status_code == 200
    assert client.delete(SESSION, headers={"X-CSRF-Token": answer.json()["data"]["csrf_token"]}).status_code == 204
    assert other.get(SESSION).status_code == 200


def test_a_session_ends_with_its_key_with_its_time_and_with_the_keys_time(client_with, database):
    for end in (
        lambda name: revoke_key(database, name),
        lambda name: execute(database, "UPDATE api_sessions SET expires_at = now() - interval '1 s'"),
        lambda name: execute(
            database, "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE name = %s", [name]
        ),
    ):
        client, answer = logged_in(client_with, "admin")
        assert client.get(SESSION).status_code == 200
        end(answer.json()["data"]["name"])
        assert client.get(SESSION).status_code == 401
        assert client.get("/api/caller").status_code == 401
    logged_in(client_with, "admin")
    assert count(database) == 2  # that which was over is removed


def test_the_sessions_of_a_key_that_is_revoked_are_gone(client_with, database):
    _, answer = logged_in(client_with, "admin")
    logged_in(client_with, "admin")
    revoke_key(database, answer.json()["data"]["name"])
    assert count(database) == 1


def test_what_opens_nothing_is_told_so_and_nothing_more(client_with):
    revoked = client_with("admin")
    gone, stranger = key_of(revoked), client_with()
    for key in ("", "glad_" + "x" * 43, "x" * 200, gone[:-1], "\ud800", "\0"):
        body = json.dumps({"key": key})
        refused = stranger.post(SESSION, content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code in (401, 422), key
        assert "set-cookie" not in refused.headers
    for body in ({}, {"key": gone, "more": 1}, {"key": 1}, [], "x", None, {"key": "x" * 201}):
        assert stranger.post(SESSION, json=body).status_code == 422
    assert stranger.get(SESSION, headers={"Cookie": "glad-studio-00000000=x; a=b"}).status_code == 401
    assert stranger.delete(SESSION).status_code == 401
    assert revoked.get(SESSION).status_code == 401  # a key is no session


def test_a_key_has_so_many_sessions_and_the_oldest_makes_room(client_with, database):
    logged_in(client_with, "admin")
    key_id = database.read(lambda c: value(c, "SELECT id FROM api_keys"))
    assert all(open_session(database, key_id) for _ in range(MOST + 3))
    assert count(database) == MOST


def test_the_use_of_a_session_is_one_of_its_key(client_with, database):
    client, _ = logged_in(client_with, "admin")
    execute(database, "UPDATE api_keys SET last_used_at = now() - interval '2 minutes'")
    client.get(SESSION)
    used = database.read(lambda c: value(c, "SELECT max(last_used_at) > now() - interval '1 minute' FROM api_keys"))
    assert used


def test_no_session_comes_of_a_secret_that_is_rotated_away_at_this_moment(database):
    key, text = make_key(database, "one", ["admin"])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool, connect(database.url, autocommit=True) as look:
        with connect(database.url) as rotating:
            row = {"name": "one", "hash": digest("another"), "grace": timedelta(0), "by": None}
            rotating.execute(keys.QUERIES["rotate"], row)
            opened = pool.submit(open_session, database, key.id, digest(text))
            assert wait_until(lambda: value(look, waiting) == 1, 10)
            rotating.execute(keys.QUERIES["log_out"], {"ids": [key.id]})
            rotating.commit()
        assert opened.result() is None
    assert count(database) == 0
