"""The studio's queue, outbox and keys through the API, with the same effect as by the terminal."""

import pytest

from glad_pipeline.gateway.jobs import Jobs
from glad_pipeline_tests.gateway.studio_rows import glad, prompt_in, sql

QUEUE, OUTBOX, KEYS = "/api/studio/queue", "/api/studio/outbox", "/api/studio/keys"


@pytest.fixture
def admin(client_with):
    return client_with("admin")


def test_the_queue_is_paused_and_goes_on_with_its_reason_shown(admin, client_with, database, settings, capsys):
    prompt_in(database, "pending", source="site")
    paused = admin.post(f"{QUEUE}/pause", json={"reason": "a new model"}).json()["data"]
    assert (paused["paused"], paused["before"]) == (True, None)
    assert paused["still"].endswith("a new model")
    again = admin.post(f"{QUEUE}/pause", json={}).json()["data"]
    assert again["before"] is not None
    shown = client_with("read").get(QUEUE).json()["data"]
    assert (shown["pending"], shown["paused"], shown["counts"]["pending"]) == (False, paused["still"], 1)
    assert f"paused: {paused['still']}" in glad(capsys, settings, "prompts", "list")[1]
    resumed = admin.post(f"{QUEUE}/resume", json={}).json()["data"]
    assert resumed == {"paused": False, "before": again["before"], "still": None}
    one = admin.post(f"{QUEUE}/pause", json={"source": "site"}).json()["data"]
    assert "the source 'site'" in one["still"]
    shown = client_with("read").get(QUEUE).json()["data"]
    _, told = glad(capsys, settings, "prompts", "sources", "--json")
    assert [(each["source"], each["waiting"]) for each in shown["sources"]] == [
        (each["source"], each["waiting"]) for each in told
    ]
    assert shown["pending"] is False


def test_a_source_is_limited_and_more_is_refused(admin, database):
    [limited] = admin.post(f"{QUEUE}/limits", json={"source": "key-0", "queued": 1}).json()["data"]
    assert (limited["source"], limited["queued_limit"], limited["daily_limit"]) == ("key-0", 1, None)
    assert admin.post("/api/studio/prompts", json={"prompt": "one"}).status_code == 201
    more = admin.post("/api/studio/prompts", json={"prompt": "two"})
    assert (more.status_code, "key-0" in more.json()["detail"]) == (422, True)
    admin.post(f"{QUEUE}/limits", json={"source": "key-0", "queued": None})
    assert admin.post("/api/studio/prompts", json={"prompt": "two"}).status_code == 201


def test_only_admins_move_the_queue_the_outbox_and_keys(client_with, database):
    for scopes in (("read",), ("submit", "review")):
        client = client_with(*scopes)
        for path in (f"{QUEUE}/pause", f"{QUEUE}/resume", f"{OUTBOX}/retry", f"{OUTBOX}/deliver", f"{KEYS}/revoke"):
            assert client.post(path, json={}).status_code == 403, path
        assert client.get(OUTBOX).status_code == client.get(KEYS).status_code == 403


def message_in(database, status="dead"):
    [row] = sql(
        database,
        """INSERT INTO outbox (kind, subject, payload, status, last_error, ended_at)
           VALUES ('revalidate', 'post:1', '{"paths": ["/", "/posts/x"]}', %s, 'refused',
                   CASE WHEN %s <> 'waiting' THEN now() END) RETURNING id""",
        *(status, status),
    )
    return row["id"]


def test_messages_are_listed_and_dead_ones_wait_again(admin, database, settings, capsys):
    dead, told, waits = (message_in(database, status) for status in ("dead", "delivered", "waiting"))
    page = admin.get(OUTBOX, params={"limit": 2}).json()
    assert [each["id"] for each in page["data"]] == [waits, told]
    assert page["meta"] == {"after": told, "counts": {"waiting": 1, "delivered": 1, "skipped": 0, "dead": 1}}
    assert [each["id"] for each in admin.get(OUTBOX, params={"after": told}).json()["data"]] == [dead]
    assert admin.get(OUTBOX, params={"status": "lost"}).status_code == 422
    for wrong in ({}, {"ids": [1], "dead": True}, {"ids": [2**63]}):
        assert admin.post(f"{OUTBOX}/retry", json=wrong).status_code == 422
    answer = admin.post(f"{OUTBOX}/retry", json={"ids": [dead, told, 999]}).json()
    assert [each["ok"] for each in answer["data"]] == [True, False, False]
    assert answer["data"][1]["detail"] == "it is delivered: only dead ones are retried"
    _, listed = glad(capsys, settings, "outbox", "list", "--status", "waiting", "--json")
    assert {each["id"] for each in listed} == {dead, waits}
    sql(database, "UPDATE outbox SET status = 'dead', ended_at = now() WHERE status = 'waiting'")
    assert admin.post(f"{OUTBOX}/retry", json={"dead": True}).json()["meta"]["ok"] == 2


def test_what_waits_is_delivered_now(admin, database):
    message_in(database, "waiting")
    done = admin.post(f"{OUTBOX}/deliver")
    assert done.status_code == 200, done.text
    job = done.json()["data"]
    assert (job["kind"], job["state"], job["by"]) == ("deliver", "done", "key-0")
    assert job["result"] == {"delivered": 0, "skipped": 1, "waiting": 0, "dead": 0, "errors": []}
    assert admin.get(OUTBOX).json()["meta"]["counts"]["skipped"] == 1


def test_a_delivery_is_ended_between_messages_once_its_time_is_over(admin, database, monkeypatch):
    message_in(database, "waiting")
    begin = Jobs.begin
    monkeypatch.setattr(Jobs, "begin", lambda *given, **named: begin(*given, **named, seconds=-1.0))
    job = admin.post(f"{OUTBOX}/deliver")
    assert job.status_code >= 400
    assert "not over after" in job.json()["detail"]
    assert admin.get(OUTBOX).json()["meta"]["counts"] == {"waiting": 1, "delivered": 0, "skipped": 0, "dead": 0}


def test_keys_are_made_shown_once_and_revoked(admin, client_with):
    made = admin.post(KEYS, json={"name": "site", "scopes": ["submit", "read"], "expires_at": "2100-01-01T00:00:00Z"})
    assert made.status_code == 201
    text = made.json()["data"]["text"]
    with_it = {"Authorization": f"Bearer {text}"}
    nobody = client_with()
    assert nobody.get("/api/caller", headers=with_it).json()["data"]["name"] == "site"
    listed = admin.get(KEYS)
    assert text not in listed.text
    assert [each["name"] for each in listed.json()["data"]] == ["key-0", "site"]
    for wrong in (
        {"name": "site", "scopes": ["read"]},
        {"name": "a b", "scopes": ["read"]},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["read"], "expires_at": "2000-01-01"},
        {"name": "x", "scopes": ["read"], "expires_at": "soon"},
    ):
        assert admin.post(KEYS, json=wrong).status_code == 422, wrong
    assert admin.post(f"{KEYS}/revoke", json={"name": "site"}).json()["data"]["revoked_at"] is not None
    assert nobody.get("/api/caller", headers=with_it).status_code == 401
    assert admin.post(f"{KEYS}/revoke", json={"name": "nobody"}).status_code in (404, 422)


def test_a_key_is_revoked_through_the_api_with_those_that_it_has_made(admin, client_with):
    made = admin.post(KEYS, json={"name": "second", "scopes": ["admin"]}).json()["data"]["text"]
    second = client_with()
    second.headers["Authorization"] = f"Bearer {made}"
    third = second.post(KEYS, json={"name": "third", "scopes": ["read"]}).json()["data"]["text"]
    other = client_with("admin")
    answer = other.post(f"{KEYS}/revoke", json={"name": "second"}).json()
    assert (answer["data"]["name"], answer["meta"]) == ("second", {"made_with_it": ["third"]})
    for text in (made, third):
        assert client_with().get("/api/caller", headers={"X-API-Key": text}).status_code == 401
    assert admin.get("/api/caller").status_code == 200


def test_a_key_gets_another_secret_from_itself_or_from_the_key_that_made_it(admin, client_with, database):
    text = admin.post(KEYS, json={"name": "site", "scopes": ["read"]}).json()["data"]["text"]
    session = client_with()
    assert session.post("/api/studio/session", json={"key": text}).status_code == 200
    other = client_with("admin")
    refused = other.post(f"{KEYS}/rotate", json={"name": "site"})
    assert (refused.status_code, "made with it" in refused.json()["detail"]) == (422, True)
    done = admin.post(f"{KEYS}/rotate", json={"name": "site", "grace_seconds": 3_600}).json()["data"]
    for each in (text, done["text"]):
        assert client_with().get("/api/caller", headers={"X-API-Key": each}).json()["data"]["name"] == "site"
    assert session.get("/api/studio/session").status_code == 401
    again = session.post("/api/studio/session", json={"key": text}).json()["data"]
    assert again["expires_at"][:16] == done["key"]["old_until"][:16]  # no longer than the secret that has opened it
    own = other.post(f"{KEYS}/rotate", json={"name": "key-2"})
    assert own.status_code == 200, own.text
    assert other.get("/api/caller").status_code == 401
    for wrong in ({"name": "site", "grace_seconds": -1}, {"name": "nobody"}, {}):
        assert admin.post(f"{KEYS}/rotate", json=wrong).status_code == 422, wrong


def test_a_key_ends_with_the_key_that_made_it_at_the_latest(client_with, database):
    ending, lasting = client_with("admin"), client_with("admin")
    sql(database, "UPDATE api_keys SET expires_at = '2100-01-01T00:00:00Z' WHERE name = 'key-0'")
    session = client_with()
    key = ending.headers["Authorization"].removeprefix("Bearer ")
    token = session.post("/api/studio/session", json={"key": key}).json()["data"]["csrf_token"]
    session.headers["X-CSRF-Token"] = token
    for nth, (client, asked, ends) in enumerate(
        [
            (ending, None, "2100-01-01"),
            (ending, "2101-01-01T00:00:00Z", "2100-01-01"),
            (ending, "2099-01-01T00:00:00Z", "2099-01-01"),
            (session, None, "2100-01-01"),
            (lasting, None, None),
            (lasting, "2101-01-01T00:00:00Z", "2101-01-01"),
        ]
    ):
        made = client.post(KEYS, json={"name": f"made-{nth}", "scopes": ["read"], "expires_at": asked})
        assert made.status_code == 201, made.text
        told = made.json()["data"]["key"]["expires_at"]
        assert (told and told[:10]) == ends, (asked, ends)
