"""Pictures by request: what is asked for, what is answered, and that asking again asks for the same."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from glad_pipeline.gateway.image_request import ImageRequest, fields_of
from glad_pipeline.prompts import management, sources
from glad_pipeline.settings import settings_of
from glad_pipeline.testing import temporary_pipeline
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.runs import drawn, run
from glad_pipeline_tests.integration.test_queue import execute

ASK = "/api/media/generate-image"
NOW = {"wait": 0}


def prompts(database):
    return execute(database, "SELECT * FROM prompts ORDER BY id")


def asked_for(database):
    """The prompts, once there are any."""
    while not (found := prompts(database)):
        time.sleep(0.02)
    return found


# ---- the page of the source document


def the_page(address, key):
    """What the page does, and all that it knows; in JavaScript it is `fetch`. The key is what it needs besides."""
    response = httpx2.post(
        f"{address}/api/media/generate-image",
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        content=json.dumps({"prompt": "AI gaming NPCs futuristic", "use_generation": True, "task_id": "blog-post-123"}),
        timeout=120,
    )
    data = response.json()
    return data["image_url"] if data["success"] else None


def test_the_source_s_page_gets_a_picture_that_loads_and_the_same_one_for_the_same_task(stack, tmp_path):
    from glad_pipeline.callers.keys import make_key
    from glad_pipeline.database import Database

    with temporary_pipeline(stack["DATABASE_URL"]) as pipeline:
        job = pipeline.definitions().resolve_job_def("publish_prompts")
        settings = settings_of({"DATABASE_URL": pipeline.database_url, "GLAD_HOME": str(tmp_path)})
        with Database(pipeline.database_url) as database:
            _, key = make_key(database, "page", ["submit"])
        with served(settings) as address, ThreadPoolExecutor(1) as pool:
            shown = pool.submit(the_page, address, key)
            while not pipeline.prompts():
                time.sleep(0.02)
            assert job.execute_in_process().success
            url = shown.result(timeout=60)
            assert httpx2.get(url).content.startswith(b"\x89PNG")
            assert the_page(address, key) == url
        (row,) = pipeline.prompts()
        assert (row["status"], row["source"], row["publish"]) == ("ready", "page", "picture")
        assert pipeline.posts() == []


# ---- what is answered


def test_without_waiting_it_is_answered_at_once_with_where_to_ask_on(client_with, database):
    client = client_with("submit")
    answer = client.post(ASK, params=NOW, json={"prompt": "a hill"})
    (row,) = prompts(database)
    path = f"/api/media/tasks/{row['id']}"
    assert (answer.status_code, answer.headers["location"]) == (202, path)
    task = answer.json()
    assert (task["state"], task["message"], task["place"]) == ("pending", "waiting, 0 ahead", 1)
    assert task["links"] == {"task": path, "events": f"{path}/events"}
    assert client.get(path).json() == task


def test_a_call_that_waits_is_answered_when_the_picture_is_public(client_with, database):
    client = client_with("submit")
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(client.post, ASK, json={"prompt": "masterpiece, a hill"}, params={"wait": 30})
        asked_for(database)
        drawn(database)
        answer = waits.result(timeout=30)
    assert answer.status_code == 200
    told = answer.json()
    assert told["success"] is True
    assert told["image_url"] == told["image"]["url"] == "https://x/y.png"
    assert told["image"] == {
        "url": "https://x/y.png",
        "thumbnail": "https://x/y.png",
        "source": "sdxl",
        "photographer": "m",
        "photographer_url": None,
        "width": 8,
        "height": 8,
        "alt_text": "A hill",
    }
    assert "data:" not in answer.text


def test_after_its_wait_a_call_is_answered_with_where_to_ask_on(client_with, database):
    answer = client_with("submit").post(ASK, params={"wait": 0.5}, json={"prompt": "a hill"})
    assert answer.status_code == 202
    assert answer.elapsed.total_seconds() >= 0.5


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (lambda database, each: None, 422, "six fingers"),
        (lambda database, each: management.cancel(database, [each]), 409, "it is cancelled"),
    ],
)
def test_a_failure_is_answered_with_the_row_s_own_reason(client_with, database, end, status, reason):
    client = client_with("submit")
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(client.post, ASK, json={"prompt": "a hill"}, params={"wait": 30})
        (row,) = asked_for(database)
        if end(database, row["id"]) is None:
            with run(database) as now:
                now.reject(**{f"p{row['id']}": "six fingers"})
        answer = waits.result(timeout=30)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert (told["success"], told["image_url"], told["message"]) == (False, None, reason)
    assert told["links"]["task"].endswith(str(row["id"]))


def test_a_picture_that_was_taken_down_is_gone(client_with, database):
    client = client_with("submit")
    client.post(ASK, params=NOW, json={"prompt": "a hill"})
    drawn(database)
    assert client.post(ASK, params=NOW, json={"prompt": "a hill"}).status_code == 200
    execute(database, "UPDATE images SET removed_at = now(), removed_reason = 'a face'")
    gone = client.post(ASK, params=NOW, json={"prompt": "a hill"})
    assert (gone.status_code, gone.json()["message"]) == (410, "its picture was taken down: a face")
    assert client.get(gone.json()["links"]["task"]).json()["image_url"] is None


def test_what_waits_for_a_person_is_not_waited_for(client_with, database):
    client = client_with("submit")
    asked = {"prompt": "a hill", "title": "A hill", "needs_approval": True}
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(client.post, ASK, json=asked, params={"wait": 60})
        asked_for(database)
        drawn(database)
        answer = waits.result(timeout=20)
    assert (answer.status_code, answer.json()["state"]) == (202, "awaiting_approval")


# ---- what is asked for


def test_every_column_that_may_be_asked_for_is_and_the_older_fields_mean_what_they_say(client_with, database):
    asked = {
        "prompt": "a (hill:1.2)",
        "negative_prompt": "people",
        "prompt_syntax": "a1111",
        "title": "A hill",
        "slug": "a-hill",
        "content": "# Hill\r\n",
        "seed": 7,
        "width": 512,
        "height": 768,
        "num_inference_steps": 50,
        "guidance_scale": 8,
        "scheduler": "euler",
        "priority": 3,
        "publish_at": "2030-01-02T03:04:05+01:00",
        "focus": "top",
        "task_id": "t-1",
        "use_pexels": True,
        "use_refinement": True,
        "high_quality": True,
        "keywords": ["hill"],
        "publish_to_s3": True,
    }
    answer = client_with("submit").post(ASK, params=NOW, json=asked)
    assert answer.status_code == 202, answer.text
    (row,) = prompts(database)
    given = (
        "prompt",
        "negative_prompt",
        "prompt_syntax",
        "title",
        "slug",
        "seed",
        "width",
        "height",
        "priority",
        "focus",
    )
    assert {name: row[name] for name in given} == {name: asked[name] for name in given}
    assert (row["publish"], row["preset"], row["task_id"], row["source"]) == ("post", "refined", "t-1", "key-0")
    assert row["idempotency_key"] == "key-0:t-1"
    assert [notice.split()[0] for notice in answer.json()["notices"]] == ["use_pexels", "keywords", "high_quality"]


@pytest.mark.parametrize(
    ("asked", "setting", "preset"),
    [
        ({"use_refinement": True}, "fast", "refined"),
        ({"use_refinement": False}, "refined", "base"),
        ({"use_refinement": False}, "fast", "fast"),
        ({"use_refinement": False}, "base", "base"),
        ({"use_refinement": False, "preset": "fp8"}, "refined", "fp8"),
        ({}, "fast", None),
    ],
)
def test_the_preset_that_use_refinement_means_is_written_down(asked, setting, preset):
    given = fields_of(ImageRequest(prompt="a hill", **asked), settings_of({"GLAD_PRESET": setting}))
    assert given.get("preset") == preset


@pytest.mark.parametrize(
    ("more", "publish"),
    [
        ({}, "picture"),
        ({"title": "A hill"}, "post"),
        ({"publish": "post"}, "post"),
        ({"title": "A hill", "publish": "picture"}, "picture"),
    ],
)
def test_a_picture_alone_is_meant_unless_a_title_or_publish_says_otherwise(client_with, database, more, publish):
    client_with("submit").post(ASK, params=NOW, json={"prompt": "a hill", **more})
    assert prompts(database)[0]["publish"] == publish


def test_a_stock_photo_is_never_given_in_place(client_with, database):
    answer = client_with("submit").post(ASK, params=NOW, json={"prompt": "a hill", "use_generation": False})
    assert answer.status_code == 422
    assert "no stock photo is given" in answer.json()["detail"]
    assert prompts(database) == []


def test_nobody_asks_for_pictures_without_the_scope(client_with, database):
    assert client_with().post(ASK, json={"prompt": "a hill"}).status_code == 401
    assert client_with("review").post(ASK, json={"prompt": "a hill"}).status_code == 403
    assert prompts(database) == []


HUGE = "1" + "0" * 400
BAD = [
    *(
        b'{"prompt": %s}' % each
        for each in (b"null", b'""', b'" "', b"7", b"[]", b'"a\\u0000b"', b'"\\ud800"', b"true")
    ),
    *(
        b'{"prompt": "a", "seed": %s}' % each
        for each in (b"-1", HUGE.encode(), b"1.5", b'"1"', b"NaN", b"9223372036854775808")
    ),
    *(
        b'{"prompt": "a", "guidance_scale": %s}' % each
        for each in (b"NaN", b"Infinity", b"1e400", HUGE.encode(), b"-1")
    ),
    *(b'{"prompt": "a", "width": %s}' % each for each in (b"1023", b"0", b"1e3", b"4096000")),
    *(b'{"prompt": "a", "publish_at": %s}' % each for each in (b'"soon"', b'"9999-12-31"', b"7", b'"2030-13-01"')),
    *(
        b'{"prompt": "a", "title": %s}' % each
        for each in (b'"\\udfff"', b'"a\\nb"', b'"%s"' % (b"x" * 256), b'{"a": 1}')
    ),
    *(b'{"prompt": "a", "task_id": %s}' % each for each in (b'"\\u0000"', b'""', b'"\\ud83d"', b"1")),
    *(
        b'{"prompt": "a", "post_id": %s, "publish": "post"}' % each
        for each in (HUGE.encode(), b'"\\u0000"', b'"x"', b"true", b"17")
    ),
    b'{"prompt": "a", "source": "someone"}',
    b'{"prompt": "a", "idempotency_key": "x"}',
    b'{"prompt": "a", "preset": "refined ", "use_refinement": true}',
    b'{"prompt": "a", "preset": "fast", "use_refinement": true}',
    b'{"prompt": "a", "preset": "refined", "use_refinement": false}',
    b'{"prompt": "a", "width": 4096, "height": 4096}',
    b'{"prompt": "a", "scheduler": "DPM++ 3M"}',
    b'{"prompt": "a", "lora": "\\u009f"}',
    b'{"prompt": "a", "keywords": "hill"}',
    b"{" * 100_000,
    b"[]",
    b"",
    b"\xff\xfe",
    b'{"prompt": "a"',
]


def test_whatever_cannot_be_is_refused_with_what_is_wrong_and_nothing_is_added(client_with, database):
    client = client_with("submit")
    for body in BAD:
        answer = client.post(ASK, params=NOW, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), (body[:80], answer.status_code, answer.text[:300])
        assert answer.headers["content-type"] == "application/problem+json", body[:80]
        assert answer.json()["detail"], body[:80]
    for wait in ("-1", "nan", "121", "inf", "x", HUGE):
        assert client.post(ASK, params={"wait": wait}, json={"prompt": "a"}).status_code == 422, wait
    for key in (b"", b"k" * 256, b"caf\xc3\xa9", b"a\tb"):
        answer = client.post(ASK, params=NOW, json={"prompt": "a"}, headers={"idempotency-key": key})
        assert answer.status_code == 422, repr(key)
    assert prompts(database) == []


# ---- asking again


def test_the_same_key_is_the_same_request_and_another_body_is_refused(client_with, database):
    client, other = client_with("submit"), client_with("submit")
    key = {"idempotency-key": "one"}
    first = client.post(ASK, params=NOW, json={"prompt": "a hill"}, headers=key)
    assert client.post(ASK, params=NOW, json={"prompt": "a hill"}, headers=key).json() == first.json()
    refused = client.post(ASK, params=NOW, json={"prompt": "a lake"}, headers=key)
    assert (refused.status_code, "'one' was used" in refused.json()["detail"]) == (409, True)
    theirs = other.post(ASK, params=NOW, json={"prompt": "a lake"}, headers=key)
    assert theirs.status_code == 202
    assert [row["source"] for row in prompts(database)] == ["key-0", "key-1"]


def test_a_new_key_with_a_task_id_that_asked_for_something_else_is_refused(client_with, database):
    client = client_with("submit")
    asked = {"prompt": "a hill", "title": "A hill", "guidance_scale": 7.3, "task_id": "t-1"}
    first = client.post(ASK, params=NOW, json=asked, headers={"idempotency-key": "one"})
    assert first.status_code == 202
    again = client.post(ASK, params=NOW, json=asked, headers={"idempotency-key": "two"})
    assert (again.status_code, again.json()) == (202, first.json())
    for other in ({"prompt": "a lake"}, {"seed": 7}, {"title": "Hills"}):
        refused = client.post(ASK, params=NOW, json={**asked, **other}, headers={"idempotency-key": "three"})
        assert (refused.status_code, "task_id 't-1'" in refused.json()["detail"]) == (409, True)
    assert len(prompts(database)) == 1


def test_one_key_at_the_same_moment_is_one_row_and_one_answer(client_with, database):
    client = client_with("submit")
    together = threading.Barrier(8)

    def ask(_):
        together.wait()
        return client.post(ASK, params=NOW, json={"prompt": "a hill", "task_id": "blog-post-123"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len(prompts(database)) == 1


def test_a_task_that_is_another_key_s_prompt_is_not_shown(client_with, database):
    asked = {"prompt": "a hill", "title": "A hill", "task_id": "t-1"}
    assert client_with("submit").post(ASK, params=NOW, json=asked).status_code == 202
    refused = client_with("submit").post(ASK, params=NOW, json=asked)
    assert refused.status_code == 409
    assert len(prompts(database)) == 1


def test_a_prompt_that_is_another_source_s_by_now_is_not_shown(client_with, database):
    client, asked = client_with("submit"), {"prompt": "a hill", "task_id": "t-1"}
    number = client.post(ASK, params=NOW, json=asked).json()["id"]
    given = client_with("admin").patch(f"/api/studio/prompts/{number}", json={"fields": {"source": "another"}})
    assert given.status_code == 200, given.text
    refused = client.post(ASK, params=NOW, json=asked)
    assert (refused.status_code, "not asked for with this key" in refused.json()["detail"]) == (409, True), refused.text


def test_a_key_may_queue_as_much_as_its_source_may(client_with, database):
    client = client_with("submit")
    sources.limit(database, "key-0", {"queued_limit": 1})
    assert client.post(ASK, params=NOW, json={"prompt": "a hill"}).status_code == 202
    refused = client.post(ASK, params=NOW, json={"prompt": "a lake"})
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    assert client.post(ASK, params=NOW, json={"prompt": "a hill"}).status_code == 202


# ---- the post of a picture


def publish(client, number, **fields):
    return client.post(f"/api/media/{number}/publish", json=fields or None)


def test_a_post_is_made_of_a_picture_once_and_asking_again_changes_nothing(client_with, database):
    client = client_with("submit")
    client.post(ASK, params=NOW, json={"prompt": "a hill"})
    (number,) = drawn(database)
    for _ in range(2):
        answer = publish(client, number, title="A hill", slug="a-hill")
        assert (answer.status_code, answer.json()["message"]) == (202, "stored, its post is next")
    with run(database) as now:
        holder = now._holder
        database.transact("publish", lambda c: holder.published(c, {p.id: None for p in holder.publishable(c, 9)}, {}))
    done = publish(client, number, title="A hill", slug="a-hill")
    assert (done.status_code, done.json()["state"]) == (200, "published")
    assert publish(client, number).status_code == 200
    other = publish(client, number, title="Another hill")
    assert (other.status_code, "edit the post itself" in other.json()["detail"]) == (409, True)


def test_who_may_only_submit_publishes_nothing_past_who_approves_it(client_with, database):
    client = client_with("submit", "read")
    client.post(ASK, params=NOW, json={"prompt": "a hill", "needs_approval": True})
    (number,) = drawn(database)
    before = prompts(database)
    for fields in ({}, {"title": "A hill"}):
        refused = publish(client, number, **fields)
        assert (refused.status_code, "who may review it" in refused.json()["detail"]) == (403, True), refused.text
    assert prompts(database) == before
    assert publish(client_with("submit", "review"), number, title="A hill").status_code == 202


def test_only_one_s_own_picture_is_published_or_anybody_s_with_the_scope_review(client_with, database):
    client_with("submit").post(ASK, params=NOW, json={"prompt": "a hill"})
    (number,) = drawn(database)
    assert publish(client_with("submit"), number).status_code == 404
    assert publish(client_with("submit", "read"), number).status_code == 404
    assert publish(client_with("submit", "review"), number, title="A hill").status_code == 202
    assert publish(client_with("admin"), 2**63 - 1).status_code == 404
    assert publish(client_with("admin"), 2**63).status_code == 422
    management.cancel(database, [number])
    assert publish(client_with("admin"), number).status_code == 409


# ---- whether anything is drawn


def test_health_says_what_the_queue_shows(client_with, database):
    client = client_with()

    def health():
        answer = client.get("/api/media/health")
        assert answer.status_code == 200
        assert answer.json()["pexels_available"] is False
        return answer.json()["status"], answer.json()["sdxl_available"]

    assert health() == ("healthy", True)
    execute(database, "INSERT INTO prompts (prompt, created_at) VALUES ('a hill', now() - interval '10 minutes')")
    assert health() == ("stalled", False)
    with run(database):
        assert health() == ("healthy", True)
    sources.pause(database, reason="holidays")
    assert health() == ("paused", False)
    assert client.get("/api/media/health").json()["message"] == "paused"
    assert "holidays" in client_with("submit").get("/api/media/health").json()["message"]
