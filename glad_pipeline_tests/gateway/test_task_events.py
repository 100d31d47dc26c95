"""How far a picture is: asked once, and told as it happens."""

import json
import time
from contextlib import contextmanager

from glad_pipeline.callers.keys import revoke_key
from glad_pipeline.gateway import events as streams
from glad_pipeline.gateway import waiting
from glad_pipeline.prompts import editing, management, sources
from glad_pipeline_tests.gateway.runs import drawn, run
from glad_pipeline_tests.integration.test_queue import add, execute


def ask(client, prompt="a hill", **fields):
    answer = client.post("/api/media/generate-image", params={"wait": 0}, json={"prompt": prompt, **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def task(client, number):
    return client.get(f"/api/media/tasks/{number}").json()


@contextmanager
def stream(client, number, since=None):
    """The events of a stream, each with its name, number and data, as they come."""
    headers = {} if since is None else {"last-event-id": str(since)}
    with client.stream("GET", f"/api/media/tasks/{number}/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        yield told(response)


def told(response):
    event = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line == "" and "event" in event:
            yield event["event"], int(event.get("id", 0)), json.loads(event["data"])
            event = {}
        elif name in ("event", "id", "data"):
            event[name] = value


def names(events):
    return [name for name, _, _ in events]


def test_a_stream_tells_what_happens_until_the_picture_is_there(client_with, database):
    client = client_with("submit")
    add(database, 2, priority=1)
    number = ask(client)
    with stream(client, number) as events:
        assert next(events) == ("queued", 0, {"place": 3, "message": "waiting, 2 ahead", "eta_seconds": None})
        with run(database) as now:
            assert next(events)[0] == "claimed"
            now.draw(*now.ids)
            name, _, data = next(events)
            assert (name, data["drawing"]) == ("drawing", {"picture": 3, "of": 3})
            assert task(client, number)["drawing"] == {"picture": 3, "of": 3}
            now.store(*now.ids)
            name, last, data = next(events)
        assert list(events) == []
    assert (name, data["image_url"], data["state"]) == ("ready", "https://x/y.png", "ready")
    assert data == task(client, number)
    with stream(client, number, since=last) as again:
        assert list(again) == [(name, last, data)]


def test_who_comes_again_is_told_what_was_missed_and_nothing_twice(client_with, database):
    client = client_with("submit")
    number = ask(client)
    with run(database) as now:
        now.draw(number)
        with stream(client, number) as events:
            seen = [next(events) for _ in range(2)]
    assert names(seen) == ["claimed", "drawing"]
    with stream(client, number, since=seen[-1][1]) as events:
        assert names([next(events), next(events)]) == ["queued", "returned"]
        drawn(database)
        assert names(events) == ["queued", "claimed", "drawing", "ready"]
    with stream(client, number, since=2**63 - 1) as events:  # a number that nobody was told
        assert names(events) == ["ready"]


def test_what_ended_before_and_goes_on_is_told_whole(client_with, database, monkeypatch):
    monkeypatch.setattr(waiting, "NEWS", 2)  # in several looks
    client = client_with("submit")
    number = ask(client, title="A hill")
    with run(database) as now:
        now.reject(**{f"p{number}": "six fingers"})
    management.retry(database, [number])
    drawn(database)
    with stream(client, number) as events:
        assert names([next(events) for _ in range(5)]) == ["claimed", "rejected", "retried", "claimed", "drawing"]
        assert next(events)[0] == "stored"
        assert task(client, number)["message"] == "stored, its post is next"
        management.cancel(database, [number])
        name, _, data = next(events)
        assert list(events) == []
    assert (name, data["state"], data["image_url"]) == ("cancelled", "cancelled", None)


def test_a_place_in_the_queue_is_told_when_it_changes(client_with, database, monkeypatch):
    monkeypatch.setattr(waiting, "SELDOM", 0.2)
    client = client_with("submit")
    ahead = add(database, 3, priority=1)
    number = ask(client)
    with stream(client, number) as events:
        assert next(events)[2]["place"] == 4
        management.cancel(database, ahead[:2])
        assert next(events) == ("queued", 0, {"place": 2, "message": "waiting, 1 ahead", "eta_seconds": None})
        sources.pause(database, reason="holidays")
        name, _, data = next(events)
        assert (name, data["place"], "holidays" in data["message"]) == ("queued", None, True)
        assert task(client, number)["message"] == data["message"]
        sources.resume(database)
        assert next(events) == ("queued", 0, {"place": 2, "message": "waiting, 1 ahead", "eta_seconds": None})


def test_a_stream_that_begins_without_a_place_is_told_of_it(client_with, database, monkeypatch):
    monkeypatch.setattr(waiting, "SELDOM", 0.2)
    monkeypatch.setattr(waiting, "COUNTED", 1)
    client = client_with("submit")
    ahead = add(database, 3, priority=1)
    number = ask(client)
    with stream(client, number) as events:
        assert next(events)[2]["place"] is None
        management.cancel(database, ahead[:2])
        assert next(events) == ("queued", 0, {"place": 2, "message": "waiting, 1 ahead", "eta_seconds": None})
    sources.pause(database, reason="holidays")
    with stream(client, number) as events:
        assert "holidays" in next(events)[2]["message"]
        sources.resume(database)
        assert next(events) == ("queued", 0, {"place": 2, "message": "waiting, 1 ahead", "eta_seconds": None})
        drawn(database)
        assert names(events) == ["claimed", "drawing", "ready"]


def test_a_prompt_that_is_deleted_ends_its_streams_and_the_history_of_one_may_be_gone(
    client_with, database, monkeypatch
):
    monkeypatch.setattr(waiting, "QUIET", 0.2)
    monkeypatch.setattr(waiting, "SELDOM", 0.1)
    client = client_with("submit")
    number, old = ask(client), ask(client, "a lake")
    with stream(client, number) as events:
        assert next(events)[0] == "queued"
        execute(database, "DELETE FROM prompts WHERE id = %s", number)
        assert names(events) == ["deleted"]
    assert client.get(f"/api/media/tasks/{number}").status_code == 404
    drawn(database)
    execute(database, "DELETE FROM prompt_events")
    with stream(client, old) as events:
        ((name, _, data),) = events
    assert (name, data["state"]) == ("ready", "ready")


def test_what_moves_while_another_transaction_notifies_is_told_soon(client_with, database):
    client = client_with("submit")
    number, other = ask(client), ask(client, "a lake")
    with stream(client, number) as events, database.transaction() as open_one:
        assert next(events)[0] == "queued"
        open_one.execute("UPDATE prompts SET status = 'cancelled' WHERE id = %s", [other])
        began = time.monotonic()
        management.cancel(database, [number])
        assert names(events) == ["cancelled"]
        assert time.monotonic() - began < 6


def test_the_post_of_a_picture_is_waited_for_in_a_stream_of_its_own(client_with, database):
    client = client_with("submit")
    number = ask(client)
    drawn(database)
    with stream(client, number) as events:
        last = list(events)[-1][1]
    editing.ask_to_publish(database, [number])
    with stream(client, number, since=last) as events:
        assert next(events)[0] == "asked_to_publish"


def test_tasks_are_shown_to_who_has_asked_for_them_and_to_who_may_read_all(client_with, database):
    mine, other, reader, nobody = client_with("submit"), client_with("submit"), client_with("read"), client_with()
    number = ask(mine)
    for path in (f"/api/media/tasks/{number}", f"/api/media/tasks/{number}/events"):
        assert other.get(path).status_code == 404
        assert nobody.get(path).status_code == 401
    assert reader.get(f"/api/media/tasks/{number}").json() == task(mine, number)
    with stream(reader, number) as events:
        assert next(events)[0] == "queued"
    for wrong, status in ((0, 422), (2**63, 422), ("x", 422), (2**63 - 1, 404)):
        assert mine.get(f"/api/media/tasks/{wrong}").status_code == status
        assert mine.get(f"/api/media/tasks/{wrong}/events").status_code == status
    wrong = mine.get(f"/api/media/tasks/{number}/events", headers={"last-event-id": "x"})
    assert wrong.status_code == 422


def test_streams_are_bounded_for_each_key_and_together_and_who_hangs_up_makes_room(client_with, database, monkeypatch):
    monkeypatch.setattr(waiting, "LARGEST", 2)
    one, two, three = (client_with("submit", "read") for _ in range(3))
    number = ask(one)
    path = f"/api/media/tasks/{number}/events"
    with stream(one, number) as first, stream(two, number) as second:
        assert names([next(first), next(second)]) == ["queued", "queued"]
        refused = one.get(path)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        full = three.get(path)
        assert (full.status_code, full.headers["retry-after"]) == (503, "5")
        unheld = three.post("/api/media/generate-image", params={"wait": 20}, json={"prompt": "a lake"})
        assert (unheld.status_code, unheld.elapsed.total_seconds() < 10) == (202, True)
        assert task(three, number)["id"] == number
    for _ in range(100):
        with one.stream("GET", path) as response:
            if response.status_code == 200:
                break
        time.sleep(0.05)
    assert response.status_code == 200


def test_a_stream_is_over_after_a_time_and_goes_on_for_who_still_has_a_key(client_with, database, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST", 1.0)
    client = client_with("submit")
    number = ask(client)
    with run(database) as now:
        now.draw(number)
        with stream(client, number) as events:
            told = list(events)
        assert names(told) == ["claimed", "drawing"]
        with stream(client, number, since=told[-1][1]) as events:
            now.store(number)
            assert names(events) == ["ready"]
    waits = ask(client, "a lake")
    with stream(client, waits) as events:
        assert next(events)[0] == "queued"
        revoke_key(database, "key-0")
        list(events)
    assert client.get(f"/api/media/tasks/{waits}/events").status_code == 401
