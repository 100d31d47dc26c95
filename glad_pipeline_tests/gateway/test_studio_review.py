"""The studio's review through the API: what waits is shown, and decided about as a person has seen it."""

import pytest

from glad_pipeline.operations.review import SQL
from glad_pipeline.prompts import management
from glad_pipeline_tests.gateway.studio_rows import URL, glad, image_in, prompt_in, sql, status_of

REVIEW = "/api/studio/review"


@pytest.fixture
def reviewer(client_with):
    return client_with("review")


def test_what_waits_is_shown_with_previews_the_oldest_first(reviewer, database):
    [post] = sql(
        database,
        """INSERT INTO posts (title, slug, content, status, featured_image_url)
           VALUES ('Old', 'old', 'text', 'published', 'https://elsewhere.example/x.jpg') RETURNING id""",
    )
    first = prompt_in(database, "awaiting_approval", post_id=post["id"], alt_text="a lake at dawn")
    second = prompt_in(database, "awaiting_approval", title="<b>Two</b>")
    prompt_in(database, "generated")
    page = reviewer.get(REVIEW, params={"limit": 1}).json()
    [shown] = page["data"]
    stem = f"{URL}generated/ab/{first:032x}"
    assert (shown["id"], shown["alt_text"], shown["reason"]) == (first, "a lake at dawn", "some error")
    assert (shown["post_path"], shown["post_shows"]) == ("/posts/old", "https://elsewhere.example/x.jpg")
    assert shown["picture"] == {
        "url": f"{stem}.png",
        "width": 64,
        "height": 32,
        "bytes": 9,
        "thumbnail": f"{stem}-256.webp",
        "placeholder": "data:image/webp;base64,AA",
        "srcset": {"webp": f"{stem}-w16.webp 16w, {stem}-w32.webp 32w"},
    }
    [shown] = reviewer.get(REVIEW, params={"after": page["meta"]["after"]}).json()["data"]
    assert (shown["id"], shown["title"], shown["post_path"]) == (second, "<b>Two</b>", None)


def test_several_are_decided_about_each_for_itself(reviewer, database):
    waits, other = prompt_in(database, "awaiting_approval"), prompt_in(database, "pending")
    asked = [{"id": each} for each in (waits, other, 999, waits)]
    answer = reviewer.post(f"{REVIEW}/approve", json={"prompts": asked}).json()
    assert [(each["id"], each["ok"]) for each in answer["data"]] == [(waits, True), (other, False), (999, False)]
    assert "it is pending" in answer["data"][1]["detail"]
    assert "no such prompt" in answer["data"][2]["detail"]
    assert answer["meta"] == {"ok": 1, "refused": 2}
    assert status_of(database, waits) == "generated"


def test_a_rejection_keeps_its_reason(reviewer, database):
    waits = prompt_in(database, "awaiting_approval")
    blank = reviewer.post(f"{REVIEW}/reject", json={"prompts": [{"id": waits}], "reason": "  "})
    assert (blank.status_code, status_of(database, waits)) == (422, "awaiting_approval")
    assert reviewer.post(f"{REVIEW}/reject", json={"prompts": [{"id": waits}]}).status_code == 422
    reviewer.post(f"{REVIEW}/reject", json={"prompts": [{"id": waits}], "reason": "six fingers"})
    assert sql(database, "SELECT status, last_error FROM prompts") == [
        {"status": "rejected", "last_error": "six fingers"}
    ]


@pytest.mark.parametrize("decision", ["approve", "reject", "publish", "discard"])
def test_a_picture_that_was_drawn_anew_since_is_not_decided_about(reviewer, database, decision):
    state = "ready" if decision in ("publish", "discard") else "awaiting_approval"
    prompt_id = prompt_in(database, state)
    [seen] = [each["image_id"] for each in reviewer.get(REVIEW, params={"status": state}).json()["data"]]
    another = image_in(database, 1_000)
    sql(database, "UPDATE prompts SET image_id = %s WHERE id = %s", another, prompt_id)
    extra = {"reason": "r"} if decision in ("reject", "discard") else {}
    path = f"{REVIEW}/{decision}"
    [told] = reviewer.post(path, json={"prompts": [{"id": prompt_id, "image_id": seen}], **extra}).json()["data"]
    assert not told["ok"]
    assert "another one" in told["detail"] or "look at it again" in told["detail"]
    assert status_of(database, prompt_id) == state
    [told] = reviewer.post(path, json={"prompts": [{"id": prompt_id, "image_id": another}], **extra}).json()["data"]
    assert told["ok"]
    assert status_of(database, prompt_id) != state


def test_who_has_decided_is_noted_and_shown(client_with, database, settings, capsys):
    approved, rejected, discarded = (
        prompt_in(database, status) for status in ("awaiting_approval", "awaiting_approval", "ready")
    )
    by_key, session = client_with("admin"), client_with()
    key = client_with("review").headers["Authorization"].removeprefix("Bearer ")
    token = session.post("/api/studio/session", json={"key": key}).json()["data"]["csrf_token"]
    session.headers["X-CSRF-Token"] = token
    session.post(f"{REVIEW}/approve", json={"prompts": [{"id": approved}]})
    by_key.post(f"{REVIEW}/reject", json={"prompts": [{"id": rejected}], "reason": "six fingers"})
    by_key.post(f"{REVIEW}/discard", json={"prompts": [{"id": discarded}]})
    by_key.post("/api/studio/prompts/retry", json={"ids": [rejected]})
    management.cancel(database, [rejected])  # by the terminal: nobody's name is left from the transaction before
    for prompt_id, expected in (
        (approved, [("approved", "key-2")]),
        (rejected, [("rejected", "key-0"), ("retried", "key-0"), ("cancelled", None)]),
        (discarded, [("discarded", "key-0")]),
    ):
        shown = by_key.get(f"/api/studio/prompts/{prompt_id}").json()["data"]["history"]
        told = [(each["event"], each["actor"]) for each in shown]
        assert told[-len(expected) :] == expected
        assert all(actor is None for _, actor in told[: -len(expected)])
        _, printed = glad(capsys, settings, "prompts", "show", prompt_id, "--json")
        assert [(each["event"], each["actor"]) for each in printed["history"]] == told
    line = [each for each in glad(capsys, settings, "prompts", "show", approved)[1].splitlines() if "approved" in each]
    assert "key-2" in line[-1]


def test_what_waits_is_found_by_an_index(database):
    for status in ("awaiting_approval", "ready", "pending"):
        prompt_in(database, status)
    sql(database, "INSERT INTO prompts (prompt) SELECT 'p ' || n FROM generate_series(1, 3000) n")
    sql(database, "ANALYZE prompts")
    for status in ("awaiting_approval", "ready"):
        bound = {"status": status, "source": None, "limit": 20, "after": None}
        with database.transaction() as connection:
            plan = connection.execute("EXPLAIN " + SQL["waiting"], bound).fetchall()
        assert "prompts_awaiting" in str(plan)


def test_pictures_that_were_asked_for_alone_become_posts_or_are_put_aside(reviewer, client_with, database):
    post, aside = prompt_in(database, "ready"), prompt_in(database, "ready")
    both = {"prompts": [{"id": post}, {"id": aside}], "title": "T"}
    assert reviewer.post(f"{REVIEW}/publish", json=both).status_code == 422
    answer = reviewer.post(f"{REVIEW}/publish", json={"prompts": [{"id": post}], "title": "Dawn"}).json()
    assert answer["data"] == [{"id": post, "ok": True, "detail": "the next run publishes it"}]
    assert sql(database, "SELECT status, title FROM prompts WHERE id = %s", post) == [
        {"status": "generated", "title": "Dawn"}
    ]
    body = {"prompts": [{"id": aside}]}
    assert reviewer.post(f"{REVIEW}/discard", json={**body, "delete_picture": True}).status_code == 403
    assert status_of(database, aside) == "ready"
    assert reviewer.post(f"{REVIEW}/discard", json=body).json()["meta"] == {"ok": 1, "refused": 0}
    assert status_of(database, aside) == "cancelled"


def test_who_may_read_or_submit_decides_nothing(client_with, database):
    waits = prompt_in(database, "awaiting_approval")
    for scope in ("read", "submit"):
        answer = client_with(scope).post(f"{REVIEW}/approve", json={"prompts": [{"id": waits}]})
        assert answer.status_code == 403
    assert status_of(database, waits) == "awaiting_approval"


def test_each_picture_comes_with_what_the_gates_have_found(reviewer, database):
    prompt_in(database, "awaiting_approval")
    sql(database, "UPDATE images SET contrast = 31.25, provenance = '{\"prompt_tokens_dropped\": 12}'")
    [shown] = reviewer.get(REVIEW).json()["data"]
    assert shown["findings"] == [
        {"gate": "blank", "passed": True, "detail": "contrast 31.2, at least 4 is needed"},
        {"gate": "text", "passed": False, "detail": "12 tokens of its texts were not drawn"},
    ]


def test_a_picture_is_drawn_again_with_another_seed_and_waits_for_approval_again(reviewer, database):
    waits = prompt_in(database, "awaiting_approval", needs_approval=True)
    ready, pending = prompt_in(database, "ready"), prompt_in(database, "pending")
    [before] = sql(database, "SELECT seed, image_id FROM prompts WHERE id = %s", waits)
    other = reviewer.post(f"{REVIEW}/redraw", json={"prompts": [{"id": waits, "image_id": before["image_id"] + 1}]})
    assert (other.json()["meta"]["refused"], status_of(database, waits)) == (1, "awaiting_approval")
    asked = [{"id": waits, "image_id": before["image_id"]}, {"id": ready}, {"id": pending}, {"id": 999}]
    answer = reviewer.post(f"{REVIEW}/redraw", json={"prompts": asked}).json()
    assert [each["ok"] for each in answer["data"]] == [True, True, False, False]
    [after] = sql(database, "SELECT status, seed, needs_approval FROM prompts WHERE id = %s", waits)
    assert (after["status"], after["needs_approval"], after["seed"] != before["seed"]) == ("pending", True, True)
    assert status_of(database, ready) == "pending"
    seed = reviewer.post(f"{REVIEW}/redraw", json={"prompts": asked[:2], "seed": 5})
    assert seed.status_code == 422
