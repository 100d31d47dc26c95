"""Posts and pictures in the studio, on a real run's rows and objects: shown, taken down, allowed, drawn anew, audited."""

from datetime import UTC, datetime

import dagster as dg
import httpx2
import pytest

from glad_pipeline.definitions import build_defs
from glad_pipeline.gateway import studio_posts
from glad_pipeline.gateway.job_results import KEPT, Job, keep, kept
from glad_pipeline.storage.opening import open_store
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.studio_rows import glad, prompt_in, sql, status_of

STUDIO = "/api/studio"
NOW = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
def publish(settings, database, s3, monkeypatch):
    """Puts prompts into the queue and publishes them, by the graph itself."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)

    def run(*titles):
        for title in titles:
            sql(database, "INSERT INTO prompts (prompt, title) VALUES ('a hill', %s)", title)
        job = build_defs(resource_overrides={"sdxl": InstantSdxl(side=300)}).resolve_job_def("publish_prompts")
        assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success

    return run


def test_a_post_is_shown_taken_down_allowed_and_published_again(publish, client_with, database, settings, capsys):
    publish("Hill", "Lake")
    admin, reviewer, store = client_with("admin"), client_with("review"), open_store(settings)
    hill, lake = (row["id"] for row in sql(database, "SELECT id FROM prompts ORDER BY id"))

    lineage = reviewer.get(f"{STUDIO}/prompts/{hill}").json()["data"]
    assert lineage["prompt"]["post_path"] == "/posts/hill"
    assert lineage["image"]["recipe"]["prompt"] == "a hill"
    assert lineage["image"]["provenance"]
    assert [each["event"] for each in lineage["history"]][-1] == "published"
    assert [each["kind"] for each in lineage["messages"]] == ["revalidate"]
    posts = reviewer.get(f"{STUDIO}/posts", params={"limit": 1}).json()
    assert [(each["slug"], each["status"], each["prompt_id"]) for each in posts["data"]] == [
        ("lake", "published", lake)
    ]
    (post,) = reviewer.get(f"{STUDIO}/posts", params={"after": posts["meta"]["after"]}).json()["data"]
    assert (post["slug"], post["made"], post["shows"]) == ("hill", True, post["image_url"])

    body = {"post": "hill", "reason": "not ours"}
    refused = reviewer.post(f"{STUDIO}/posts/unpublish", json=body)
    assert (refused.status_code, "admin" in refused.json()["detail"]) == (403, True)
    hidden = reviewer.post(f"{STUDIO}/posts/unpublish", json={**body, "keep_picture": True}).json()["data"]
    assert (hidden["hidden"], hidden["removed"], hidden["done"]) == (["hill"], [], True)
    assert store.head(lineage["image"]["key"]) is not None
    (draft,) = reviewer.get(f"{STUDIO}/posts", params={"status": "draft"}).json()["data"]
    assert (draft["slug"], draft["prompt_status"]) == ("hill", "cancelled")

    image = str(sql(database, "SELECT image_id FROM prompts WHERE id = %s", lake)[0]["image_id"])
    body = {"image": image, "reason": "a face"}
    assert reviewer.post(f"{STUDIO}/images/delete", json=body).status_code == 403
    taken = admin.post(f"{STUDIO}/images/delete", json=body)
    assert taken.status_code == 200, taken.text
    data = taken.json()["data"]
    assert (data["hidden"], data["done"], len(data["removed"])) == (["lake"], True, 1)
    assert store.head(data["removed"][0]) is None
    job = admin.get(taken.json()["meta"]["job"]).json()["data"]
    assert (job["state"], job["result"]) == ("done", [data])
    assert reviewer.get(taken.json()["meta"]["job"]).status_code == 404
    again = admin.post(f"{STUDIO}/images/delete", json=body).json()["data"]
    assert (again["changed"], again["removed"]) == (False, [])

    allowed = admin.post(f"{STUDIO}/images/allow", json={"image": image}).json()["data"]
    assert (allowed["was_blocked"], lake in allowed["prompts"]) == (True, True)
    admin.post(f"{STUDIO}/prompts/retry", json={"ids": [hill, lake]})
    publish()
    assert [status_of(database, each) for each in (hill, lake)] == ["published", "published"]

    _, told = glad(capsys, settings, "audit", "--urls", "none", "--json")
    audited = admin.post(f"{STUDIO}/audit", json={"urls": "none"}).json()["data"]
    assert audited["state"] == "done"
    assert {name: audited["result"][name] for name in told} == told
    assert audited["result"]["clean"] is True
    listed = admin.get(f"{STUDIO}/jobs", params={"kind": "audit"}).json()["data"]
    assert [each["id"] for each in listed] == [audited["id"]]


def test_what_is_not_there_or_cannot_be_right_is_said(client_with, database):
    admin = client_with("admin")
    wrong = [
        ("posts/unpublish", {"post": "nothing", "reason": "r"}, 404),
        ("posts/unpublish", {"post": "nothing", "reason": ""}, 422),
        ("posts/unpublish", {"post": "x\x00", "reason": "r"}, 422),
        ("images/delete", {"image": "nothing", "reason": "r"}, 404),
        ("images/delete", {"image": "1", "reason": "r" * 501}, 422),
        ("images/delete", {"image": 1, "reason": "r"}, 422),
        ("images/allow", {"image": "f" * 64}, 404),
        ("images/redraw", {"ids": []}, 422),
        ("audit", {"at_most": 3}, 422),
        ("audit", {"urls": "some"}, 422),
        ("audit", {"grace_seconds": -1}, 422),
    ]
    for path, body, status in wrong:
        answer = admin.post(f"{STUDIO}/{path}", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
            path,
            body,
        )
    assert admin.get(f"{STUDIO}/jobs/{'x' * 16}").status_code == 404
    assert admin.get(f"{STUDIO}/posts", params={"status": "\x00"}).status_code == 422
    assert admin.get(f"{STUDIO}/posts").json() == {"data": [], "meta": {"after": None}}


def test_pictures_are_drawn_anew_where_their_post_still_shows_them(client_with, database):
    ready, waits = prompt_in(database, "ready"), prompt_in(database, "awaiting_approval")
    answer = client_with("admin").post(f"{STUDIO}/images/redraw", json={"ids": [waits, ready]}).json()
    assert [(each["id"], each["ok"]) for each in answer["data"]] == [(waits, False), (ready, True)]
    assert (status_of(database, ready), status_of(database, waits)) == ("pending", "awaiting_approval")


def test_what_the_settings_would_draw_in_another_way_is_found_and_drawn_anew(
    publish, client_with, database, monkeypatch
):
    publish("Hill", "Lake")
    admin, path = client_with("admin"), f"{STUDIO}/images/redraw-stale"
    assert admin.post(path, json={}).json()["data"]["result"]["prompts"] == []
    sql(database, "UPDATE images SET recipe_hash = repeat('f', 64) WHERE id = 1")
    [hill] = [row["id"] for row in sql(database, "SELECT id FROM prompts WHERE image_id = 1")]
    job = admin.post(path, json={}).json()["data"]
    assert (job["kind"], job["state"], job["result"]["prompts"], job["result"]["requeued"]) == (
        *("redraw", "done"),
        *([hill], 0),
    )
    assert (job["result"]["stale"], job["result"]["not_drawable"]) == (1, 0)
    assert status_of(database, hill) == "published"
    monkeypatch.setattr(studio_posts, "NAMED", 0)
    few = admin.post(path, json={}).json()["data"]["result"]
    assert (few["prompts"], few["refused"], few["stale"]) == ([], {}, 1)
    done = admin.post(path, json={"dry_run": False}).json()["data"]["result"]
    assert (done["requeued"], status_of(database, hill)) == (1, "pending")
    shown = admin.get(f"{STUDIO}/prompts/{hill}").json()["data"]["history"][-1]
    assert (shown["event"], shown["actor"]) == ("retried", "key-0")
    assert admin.post(path, json={"dry_run": "no"}).status_code == 422
    assert client_with("review").post(path, json={}).status_code == 403


def test_what_a_long_work_has_come_to_outlasts_the_gateway(client_with, database, settings):
    admin = client_with("admin")
    audited = admin.post(f"{STUDIO}/audit", json={"urls": "none"}).json()["data"]
    failed = admin.post(f"{STUDIO}/outbox/deliver").json()["data"]
    with served(settings) as another, httpx2.Client(base_url=another, headers=admin.headers) as client:
        assert client.get(f"{STUDIO}/jobs/{audited['id']}").json()["data"] == audited
        listed = client.get(f"{STUDIO}/jobs").json()["data"]
        assert [each["id"] for each in listed] == [failed["id"], audited["id"]]
        assert [each["result"] for each in listed] == [None, None]
        assert [each["id"] for each in client.get(f"{STUDIO}/jobs?kind=audit").json()["data"]] == [audited["id"]]
    assert client_with("read").get(f"{STUDIO}/jobs").json()["data"] == []
    for number in range(KEPT + 2):
        keep(database, Job(id=f"{number:016}", kind="audit", by="me", state="done", started_at=NOW, ended_at=NOW))
    assert len(kept(database)) == KEPT


def test_discarded_pictures_go_for_good_each_for_itself(client_with, database, settings):
    ready, shared, waits = (prompt_in(database, "ready"), prompt_in(database, "ready"), prompt_in(database, "pending"))
    image = sql(database, "SELECT image_id FROM prompts WHERE id = %s", shared)[0]["image_id"]
    other = prompt_in(database, "ready")
    sql(database, "UPDATE prompts SET image_id = %s WHERE id = %s", image, other)
    body = {"prompts": [{"id": ready}, {"id": shared}, {"id": waits}], "reason": "r", "delete_picture": True}
    answer = client_with("admin").post(f"{STUDIO}/review/discard", json=body).json()
    assert [(each["id"], each["ok"]) for each in answer["data"]] == [(ready, True), (shared, False), (waits, False)]
    assert answer["meta"]["job"].startswith(f"{STUDIO}/jobs/")
    assert [status_of(database, each) for each in (ready, shared, waits)] == ["cancelled", "ready", "pending"]
    gone = sql(database, "SELECT id FROM images WHERE removed_at IS NOT NULL")
    assert gone == sql(database, "SELECT image_id AS id FROM prompts WHERE id = %s", ready)
