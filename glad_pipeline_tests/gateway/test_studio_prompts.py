"""The studio's prompts through the API: the same rows and the same effects as by the terminal."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from glad_pipeline_tests.gateway.studio_rows import glad, prompt_in, sql, status_of

PROMPTS = "/api/studio/prompts"
PROBLEM = "application/problem+json"
END_WAITING = """SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND datname = current_database()"""


@pytest.fixture
def submitter(client_with):
    return client_with("submit")


@pytest.fixture
def editor(client_with):
    return client_with("submit", "review")


def refused(response, status, *words):
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM), response.text
    assert response.json()["status"] == status
    assert all(word in response.json()["detail"] for word in words), response.json()
    return response.json()


def test_prompts_are_paged_filtered_and_counted(client_with, database):
    ids = [prompt_in(database, "pending", prompt=f"hill {n}", title=f"Hill {n}", category="c") for n in range(5)]
    prompt_in(database, "failed", prompt="a 100% LAKE", source="site")
    reader = client_with("read")
    first = reader.get(PROMPTS, params={"limit": 3, "status": "pending"}).json()
    assert [each["id"] for each in first["data"]] == ids[:1:-1]
    assert first["meta"]["counts"]["pending"] == 5
    assert first["meta"]["counts"]["failed"] == 1
    after = first["meta"]["after"]
    second = reader.get(PROMPTS, params={"limit": 3, "status": "pending", "after": after}).json()
    assert [each["id"] for each in second["data"]] == ids[1::-1]
    assert second["meta"] == {"after": None, "counts": None}
    for params in ({"text": "100% lake"}, {"source": "site"}, {"status": "failed"}, {"text": "LAKE", "source": "site"}):
        found = reader.get(PROMPTS, params=params).json()["data"]
        assert [each["prompt"] for each in found] == ["a 100% LAKE"], params
    assert len(reader.get(PROMPTS, params={"category": "c"}).json()["data"]) == 5
    assert reader.get(PROMPTS, params={"text": "_"}).json()["data"] == []
    assert reader.get(PROMPTS, params={"until": "2020-01-01T00:00:00Z"}).json()["data"] == []
    assert len(reader.get(PROMPTS, params={"since": "2020-01-01T00:00:00"}).json()["data"]) == 6


def test_one_prompt_is_shown_as_the_terminal_shows_it_with_its_lineage(client_with, database, settings, capsys):
    prompt_id = prompt_in(database, "awaiting_approval", prompt="a (lake:1.3)", title="Lake")
    shown = client_with("read").get(f"{PROMPTS}/{prompt_id}").json()["data"]
    _, told = glad(capsys, settings, "prompts", "show", prompt_id, "--json")
    assert shown["stands"] == told["stands"] == "waiting for approval"
    assert shown["notices"] == told["notices"]
    assert [each["event"] for each in shown["history"]] == [each["event"] for each in told["history"]]
    assert {name: shown["prompt"][name] for name in ("id", "title", "image_url", "attempts", "source")} == {
        name: told[name] for name in ("id", "title", "image_url", "attempts", "source")
    }
    assert shown["image"]["recipe"] == {"seed": 5}
    assert [each["width"] for each in shown["renditions"]] == [16, 32]
    assert shown["messages"] == []
    refused(client_with("read").get(f"{PROMPTS}/999"), 404, "999")


def test_a_prompt_is_asked_for_once_and_has_the_keys_name_as_its_source(submitter, database):
    body = {"prompt": "a harbour", "title": "Boats", "priority": 5, "size": "512x256"}
    made = submitter.post(PROMPTS, json=body)
    assert made.status_code == 201
    data = made.json()["data"]
    assert (data["is_new"], data["prompt"]["source"], data["prompt"]["width"]) == (True, "key-0", 512)
    again = submitter.post(PROMPTS, json=body)
    assert (again.status_code, again.json()["data"]["id"], again.json()["data"]["is_new"]) == (200, data["id"], False)
    refused(submitter.post(PROMPTS, json={**body, "source": "another"}), 403, "another")
    assert len(sql(database, "SELECT id FROM prompts")) == 1


def test_a_task_of_somebody_elses_prompt_shows_nothing_of_it(submitter, client_with, database):
    there = prompt_in(database, "pending", prompt="a secret", task_id="t-1", source="another", publish="picture")
    body = {"prompt": "x", "task_id": "t-1"}
    problem = refused(submitter.post(PROMPTS, json=body), 409, "task_id")
    assert "secret" not in str(problem)
    shown = client_with("submit", "read").post(PROMPTS, json=body)
    assert (shown.status_code, shown.json()["data"]["id"]) == (200, there)
    sql(database, "UPDATE prompts SET source = 'key-0'")
    assert submitter.post(PROMPTS, json=body).json()["data"]["prompt"]["prompt"] == "a secret"
    assert len(sql(database, "SELECT id FROM prompts")) == 1


def test_of_a_batch_too_somebody_elses_prompt_shows_nothing_of_itself(submitter, client_with, database):
    there = prompt_in(database, "pending", prompt="a secret", task_id="t-1", source="another", publish="picture")
    body = {"prompts": [{"prompt": "x", "task_id": "t-1"}, {"prompt": "mine"}]}
    [other, mine] = submitter.post(f"{PROMPTS}/batch", json=body).json()["data"]
    assert (other["id"], other["ok"], "not asked for with this key" in other["detail"]) == (None, False, True)
    assert (mine["ok"], mine["is_new"]) == (True, True)
    [shown, _] = client_with("submit", "read").post(f"{PROMPTS}/batch", json=body).json()["data"]
    assert (shown["id"], shown["ok"]) == (there, True)
    keyed = {"prompts": [{"prompt": "y", "task_id": "t-1", "idempotency_key": "k"}]}
    [taken] = submitter.post(f"{PROMPTS}/batch", json=keyed).json()["data"]
    assert (taken["ok"], f"{there}" in taken["detail"]) == (False, False)


def test_a_key_that_asks_for_something_else_already_is_a_conflict(submitter, client_with, database):
    body = {"prompt": "a hill", "idempotency_key": "k"}
    assert submitter.post(PROMPTS, json=body).status_code == 201
    refused(submitter.post(PROMPTS, json={**body, "prompt": "a lake"}), 409, "idempotency_key")
    there = prompt_in(database, "pending", task_id="t-1", source="another")
    taken = {"prompt": "x", "task_id": "t-1", "idempotency_key": "l"}
    problem = refused(submitter.post(PROMPTS, json=taken), 409, "task_id")
    assert f"prompt {there}" not in problem["detail"]
    assert f"prompt {there}" in client_with("submit", "read").post(PROMPTS, json=taken).json()["detail"]


def test_of_a_batch_each_prompt_is_for_itself(submitter, database):
    batch = [
        {"prompt": "one"},
        {"prompt": "two", "slug": "Not A Slug"},
        {"prompt": "one"},
        {"prompt": "x", "post_id": "no"},
    ]
    answer = submitter.post(f"{PROMPTS}/batch", json={"prompts": batch}).json()
    assert [(each["ok"], each["is_new"]) for each in answer["data"]] == [
        *((True, True), (False, False)),
        *((True, False), (False, False)),
    ]
    assert "slug" in answer["data"][1]["detail"]
    assert "no post" in answer["data"][3]["detail"]
    assert answer["meta"] == {"ok": 2, "new": 1, "refused": 2}
    assert [row["prompt"] for row in sql(database, "SELECT prompt FROM prompts")] == ["one"]


def test_two_editors_at_once_are_not_lost_on_each_other(editor, database):
    prompt_id = prompt_in(database, "pending", title="Old", source="key-0")
    change = {"fields": {"title": "Mine"}, "expected": {"title": "Old", "priority": 0}}
    other = {"fields": {"title": "Yours"}, "expected": {"title": "Old"}}
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda body: editor.patch(f"{PROMPTS}/{prompt_id}", json=body), (change, other)))
    assert sorted(each.status_code for each in answers) == [200, 409]
    (won,) = [each.json()["data"] for each in answers if each.status_code == 200]
    (lost,) = [each.json() for each in answers if each.status_code == 409]
    [row] = sql(database, "SELECT title FROM prompts")
    assert won["changed"] == ["title"]
    assert lost["now"] == {"title": row["title"]}
    gone = editor.patch(f"{PROMPTS}/{prompt_id}", json={"fields": {"title": None}})
    assert gone.json()["data"] == {"changed": ["title"], "status": "pending", "redrawn": False}
    assert sql(database, "SELECT title FROM prompts") == [{"title": None}]


def test_what_is_expected_is_what_the_api_has_shown(editor, database):
    prompt_id = prompt_in(database, "pending", publish_at="2100-01-01T00:00:00.5+02:00", guidance_scale=7.5)
    seen = editor.get(f"{PROMPTS}/{prompt_id}").json()["data"]["prompt"]
    expected = {name: seen[name] for name in ("publish_at", "guidance_scale", "seed", "title", "status", "post_id")}
    body = {"fields": {"priority": 3}, "expected": expected}
    assert editor.patch(f"{PROMPTS}/{prompt_id}", json=body).status_code == 200


@pytest.mark.parametrize("scopes", [("submit",), ("submit", "read")])
def test_who_does_not_review_changes_only_its_own_prompts(client_with, database, scopes):
    submitter, editor = client_with(*scopes), client_with("submit", "review")
    mine, other = prompt_in(database, "failed", source="key-0"), prompt_in(database, "failed", source="another")
    for path, body in (("retry", {}), ("cancel", {}), ("priority", {"priority": 4})):
        answer = submitter.post(f"{PROMPTS}/{path}", json={"ids": [mine, other], **body}).json()
        assert [each["ok"] for each in answer["data"]] == [True, False], path
        assert "no" in answer["data"][1]["detail"]
    refused(submitter.patch(f"{PROMPTS}/{other}", json={"fields": {"title": "x"}}), 404)
    refused(submitter.post(f"{PROMPTS}/retry", json={"all_failed": True}), 403)
    assert status_of(database, other) == "failed"
    assert editor.patch(f"{PROMPTS}/{other}", json={"fields": {"title": "x"}}).status_code == 200
    assert editor.post(f"{PROMPTS}/retry", json={"all_failed": True}).json()["meta"]["ok"] == 1
    assert status_of(database, other) == "pending"


def test_a_source_of_anothers_is_refused_in_an_edit_too(submitter, database):
    mine = prompt_in(database, "pending", source="key-0")
    refused(submitter.patch(f"{PROMPTS}/{mine}", json={"fields": {"source": "another"}}), 403)


LARGE = 2**63


WRONG = [
    ("POST", "", {"prompt": "x\x00y"}),
    ("POST", "", {"prompt": ""}),
    ("POST", "", {"prompt": "x", "seed": LARGE}),
    ("POST", "", {"prompt": "x", "seed": "5"}),
    ("POST", "", {"prompt": "x", "unknown": 1}),
    ("POST", "", {"prompt": "x", "publish_at": "tomorrow"}),
    ("POST", "", {"prompt": "x", "post_id": "\x00"}),
    ("POST", "", {"prompt": "x" * 20_001}),
    ("POST", "", []),
    ("POST", "/batch", {"prompts": []}),
    ("POST", "/batch", {"prompts": [{"prompt": "x"}] * 10_001}),
    ("POST", "/cancel", {"ids": []}),
    ("POST", "/cancel", {"ids": [LARGE]}),
    ("POST", "/cancel", {"ids": [0]}),
    ("POST", "/cancel", {"ids": [True]}),
    ("POST", "/cancel", {"ids": list(range(1, 10_002))}),
    ("POST", "/retry", {}),
    ("POST", "/retry", {"ids": [1], "all_failed": True}),
    ("POST", "/priority", {"ids": [1], "priority": 2**31}),
    ("PATCH", "/1", {"fields": {}}),
    ("PATCH", "/1", {"fields": {"prompt": 5}}),
    ("PATCH", "/1", {"fields": {"title": "x"}, "expected": {"claim_token": 1}}),
    ("PATCH", f"/{LARGE}", {"fields": {"title": "x"}}),
    ("GET", "?limit=0", None),
    ("GET", "?limit=101", None),
    ("GET", f"?after={LARGE}", None),
    ("GET", "?status=nowhere", None),
    ("GET", "?text=%00", None),
    ("GET", "?source=%2A", None),
    ("GET", "?since=yesterday", None),
    ("GET", "/-1", None),
]


def test_what_cannot_be_right_is_said_and_nothing_is_changed(every_row, client_with):
    client = client_with("submit", "read")
    for method, path, body in WRONG:
        refused(client.request(method, f"{PROMPTS}{path}", json=body), 422)
    assert every_row() == []


@pytest.fixture
def every_row(database):
    return lambda: sql(database, "SELECT * FROM prompts")


def test_halves_of_characters_and_deep_or_broken_json_are_refused(submitter, every_row):
    for content in (b'{"prompt": "\\ud800"}', b'{"prompt": ', b"\xff\xfe", b'{"prompt": NaN}'):
        answer = submitter.post(PROMPTS, content=content, headers={"Content-Type": "application/json"})
        refused(answer, 422)
    assert every_row() == []


def test_a_database_that_goes_away_in_the_middle_of_a_request_is_said_and_the_next_one_is_served(editor, database):
    with database.transaction() as connection, ThreadPoolExecutor(1) as aside:
        connection.execute("LOCK TABLE prompts IN ACCESS EXCLUSIVE MODE")
        answer = aside.submit(editor.get, PROMPTS)
        until = time.monotonic() + 20
        while not sql(database, END_WAITING)[0]["ended"]:
            assert time.monotonic() < until, "nobody waits for the lock"
            time.sleep(0.05)
        lost = answer.result(timeout=20)
    refused(lost, 503)
    assert lost.headers["retry-after"] == "5"
    assert editor.get(PROMPTS).status_code == 200


OF_A_POST = {
    **{"title": "B", "slug": "b", "content": "B", "excerpt": "B", "category": "b", "author": "B", "alt_text": "B"},
    **{"task_id": "t-2", "replace": True, "publish": "picture", "needs_approval": False},
}
POST = "4c2e7d0e-0000-4000-8000-000000000001"
STATES = ["awaiting_approval", "generated", "ready"]


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("scopes", [("submit",), ("submit", "read")])
def test_what_needs_approval_goes_past_nobody_who_approves_it(client_with, database, every_row, scopes, status):
    client = client_with(*scopes)
    number = prompt_in(database, status, title="A", source="key-0", needs_approval=True)
    of_a_post = prompt_in(database, status, source="key-0", needs_approval=True, post_id=POST)
    before = every_row()
    refused(client.patch(f"{PROMPTS}/{of_a_post}", json={"fields": {"post_id": None}}), 403, "post_id")
    for fields in ({name: value} for name, value in OF_A_POST.items()):
        asked = {"publish": "post"} if "publish" in fields and status == "ready" else fields
        refused(client.patch(f"{PROMPTS}/{number}", json={"fields": asked}), 403, "approval", *asked)
    refused(client.post(f"/api/media/{number}/publish", json={"title": "B"}), 403, "approval")
    refused(client.post(f"/api/media/{number}/publish"), 403, "approval", "publish")
    assert every_row() == before
    assert client.patch(f"{PROMPTS}/{number}", json={"fields": {"priority": 5, "title": "A"}}).status_code == 200
    again = client.patch(f"{PROMPTS}/{number}", json={"fields": {"prompt": "a hill"}})
    assert again.json()["data"]["status"] == "pending"
    refused(client.patch(f"{PROMPTS}/{number}", json={"fields": {"needs_approval": False}}), 403, "needs_approval")
    assert client.patch(f"{PROMPTS}/{number}", json={"fields": {"title": "B"}}).status_code == 200


@pytest.mark.parametrize("status", STATES)
def test_who_reviews_changes_what_needs_approval(client_with, database, status):
    client = client_with("submit", "review")
    number = prompt_in(database, status, title="A", needs_approval=True)
    assert client.patch(f"{PROMPTS}/{number}", json={"fields": {"title": "B"}}).status_code == 200
    assert client.patch(f"{PROMPTS}/{number}", json={"fields": {"publish": "picture"}}).status_code == 200
    assert client.post(f"/api/media/{number}/publish", json={"title": "C"}).status_code == 202
    assert status_of(database, number) == "generated"


@pytest.mark.parametrize("status", ["generated", "ready"])
def test_what_needs_no_approval_is_its_askers(submitter, database, status):
    number = prompt_in(database, status, title="A", source="key-0")
    assert submitter.patch(f"{PROMPTS}/{number}", json={"fields": {"title": "B"}}).status_code == 200
    assert submitter.post(f"/api/media/{number}/publish").status_code == 202
    assert status_of(database, number) == "generated"


def test_an_idempotency_key_is_the_callers_own(client_with, database):
    one, two, admin = client_with("submit"), client_with("submit"), client_with("admin")
    asked = {"idempotency_key": "k"}
    media = {"params": {"wait": 0}, "headers": {"idempotency-key": "k"}}
    mine = one.post("/api/media/generate-image", json={"prompt": "a hill", "publish": "post"}, **media).json()["id"]
    same = one.post(PROMPTS, json={"prompt": "a hill", **asked})
    assert (same.status_code, same.json()["data"]["id"]) == (200, mine)
    for key in ("k", "key-0:k"):  # neither takes the first one's
        theirs = two.post(PROMPTS, json={"prompt": f"a {key}", "idempotency_key": key})
        assert theirs.status_code == 201, theirs.text
    batch = two.post(f"{PROMPTS}/batch", json={"prompts": [{"prompt": "a sea", "idempotency_key": "b"}]})
    assert batch.json()["meta"]["new"] == 1
    other = two.post(PROMPTS, json={"prompt": "a lake"}).json()["data"]["id"]
    for _ in range(2):  # as it is said, and as it is shown
        done = two.patch(f"{PROMPTS}/{other}", json={"fields": {"idempotency_key": "key-0:c"}})
        assert done.status_code == 200, done.text
    shown = two.patch(f"{PROMPTS}/{other}", json={"fields": {"idempotency_key": "key-1:key-0:c"}})
    assert shown.json()["data"]["changed"] == []
    assert admin.post(PROMPTS, json={"prompt": "a wood", "idempotency_key": "key-0:raw"}).status_code == 201
    refused(two.post(PROMPTS, json={"prompt": "x", "idempotency_key": " "}), 422, "idempotency_key")
    kept = [row["idempotency_key"] for row in sql(database, "SELECT idempotency_key FROM prompts ORDER BY id")]
    assert kept == ["key-0:k", "key-1:k", "key-1:key-0:k", "key-1:b", "key-1:key-0:c", "key-0:raw"]
