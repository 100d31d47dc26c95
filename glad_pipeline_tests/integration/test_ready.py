"""Prompts that ask for a picture alone, on a real PostgreSQL and a real S3 server: public without a post, then a post or
discarded."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from test_events import told
from test_graph import metadata, world  # noqa: F401  a fixture
from test_takedown import answer, database, glad  # noqa: F401  fixtures

from glad_pipeline.operations import redraw, takedown
from glad_pipeline.prompts import editing
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline.testing import InstantSdxl

LARGE = InstantSdxl(side=300)  # with a thumbnail


def ready(world, **columns):  # noqa: F811
    """A prompt whose picture is ready, and its row of `images`."""
    prompt = world.add("a hill", **{"title": "Hill", "seed": 1, "publish": "picture", **columns})
    world.run(sdxl=LARGE)
    return prompt, world.sql("SELECT * FROM images ORDER BY id DESC LIMIT 1")[0]


def test_a_picture_is_public_without_a_post_and_becomes_one_when_it_is_asked_for(world, glad, database):  # noqa: F811
    prompt = world.add("a hill", title="Hill", publish="picture", needs_approval=True)
    result = world.run(sdxl=LARGE)
    row = world.prompts()[prompt]
    assert (row["status"], row["claim_token"], row["claimed_by"], row["attempts"]) == ("ready", None, None, 1)
    assert metadata(result, "s3_objects")["ready"] == 1
    assert world.posts() == []
    (image,) = world.sql("SELECT * FROM images")
    assert answer(image["url"]) == answer(image["thumbnail_url"]) == 200
    assert not readiness(world.connection).due
    world.run(sdxl=LARGE)
    assert world.statuses() == ["ready"]

    code, out, error = glad("prompts", "publish", prompt, "--title", "The hill")
    assert (code, error) == (0, "")
    assert out == f"prompt {prompt}: the next run publishes it\n"
    assert readiness(world.connection).due
    world.run(sdxl=LARGE)
    (post,) = world.posts()
    assert (post["title"], post["featured_image_url"]) == ("The hill", image["url"])
    assert world.statuses() == ["published"]
    assert [each[0] for each in told(database, prompt)] == [
        *("queued", "claimed", "drawing", "ready", "asked_to_publish", "published")
    ]
    assert glad("prompts", "publish", prompt)[0] == 1  # it is published


def test_what_cannot_be_published_is_told_and_the_others_are(world, glad):  # noqa: F811
    prompt, _ = ready(world)
    waits = world.add("a lake", publish="picture")
    published = world.add("a sea", title="Sea")
    world.run(config={"prompt_ids": [published]})
    code, out, _ = glad("prompts", "publish", prompt, waits, published, 999)
    assert code == 1
    assert out.splitlines() == [
        f"prompt {prompt}: the next run publishes it",
        f"prompt {waits}: it becomes a post once it is drawn",
    ]
    assert glad("prompts", "publish", prompt, waits, "--title", "Both")[0] == 2
    world.run()
    assert world.statuses() == ["published"] * 3


def test_a_picture_alone_and_a_post_of_the_same_recipe_share_the_picture(world):  # noqa: F811
    alone = world.add("a hill", seed=1, publish="picture")
    post = world.add("a hill", seed=1, title="Hill")
    world.run()
    rows = world.prompts()
    assert (rows[alone]["status"], rows[post]["status"]) == ("ready", "published")
    assert rows[alone]["image_id"] == rows[post]["image_id"]
    assert len(world.objects()) == 1


def test_a_post_is_not_wanted_any_more_and_wanted_again_by_an_edit(world, glad):  # noqa: F811
    prompt = world.add("a hill", title="Hill", needs_approval=True)
    later = world.add("a lake", title="Lake", publish_at="2100-01-01")
    world.run()
    assert world.statuses() == ["awaiting_approval", "generated"]
    for each in (prompt, later):
        assert glad("prompts", "edit", each, "--publish", "picture")[0] == 0
    assert world.statuses() == ["ready", "ready"]
    assert glad("prompts", "edit", prompt, "--prompt", "another hill")[0] == 0
    assert world.statuses() == ["pending", "ready"]
    world.run()
    assert glad("prompts", "edit", prompt, "--publish", "")[0] == 0
    assert glad("prompts", "publish", later)[0] == 0
    world.run()
    assert world.statuses() == ["published", "generated"]  # who publishes it approves it, and its time stays
    with pytest.raises(psycopg.errors.CheckViolation, match="is published and stays as it is"):
        world.sql("UPDATE prompts SET publish = 'picture' WHERE id = %s", prompt)
    assert "is published" in glad("prompts", "edit", prompt, "--publish", "picture")[2]


def test_a_discarded_picture_stays_unless_its_deletion_is_asked_for(world, glad, database):  # noqa: F811
    prompt, image = ready(world)
    assert glad("prompts", "cancel", prompt)[0] == 1
    assert glad("prompts", "discard", prompt, "--reason", "six fingers")[:2] == (0, f"discarded: {prompt}\n")
    assert world.prompts()[prompt]["last_error"] == "discarded: six fingers"
    assert told(database, prompt)[-1] == ("discarded", "discarded: six fingers")
    assert answer(image["url"]) == 200
    assert glad("audit", "--grace", "0")[0] == 0

    code, out, _ = glad("prompts", "discard", prompt, 999, "--delete-picture")
    assert code == 1
    assert f"removed and blocked: {image['key']}" in out
    assert answer(image["url"]) == answer(image["thumbnail_url"]) == 404
    assert world.statuses() == ["cancelled"]
    assert glad("prompts", "retry", prompt)[0] == 0
    world.run(sdxl=LARGE)
    assert "taken down (not wanted)" in world.prompts()[prompt]["last_error"]


def test_a_post_asked_for_while_the_picture_is_being_discarded_keeps_it(world, database):  # noqa: F811
    prompt, image = ready(world)
    with ThreadPoolExecutor(1) as other, database.connect() as asks:
        asks.execute("UPDATE prompts SET publish = 'post' WHERE id = %s", [prompt])
        discarded = other.submit(takedown.discard, database, prompt, reason="no")
        waits_for_a_lock(world)
        asks.commit()
        with pytest.raises(takedown.GladError, match="it is generated: only what is ready can be discarded"):
            discarded.result(30)
    assert world.statuses() == ["generated"]
    assert world.sql("SELECT * FROM barred_recipes") == []
    assert answer(image["url"]) == 200


def waits_for_a_lock(world):  # noqa: F811
    until = time.monotonic() + 30
    while not world.sql("SELECT pid FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_no_post_is_asked_for_of_what_has_ended_until_it_is_tried_again(world, glad, database):  # noqa: F811
    prompt, image = ready(world)
    assert glad("prompts", "discard", prompt)[0] == 0
    assert glad("prompts", "publish", prompt)[0] == 1
    _, refused = editing.ask_to_publish(database, [prompt])
    assert refused == {prompt: f"it is cancelled: `glad prompts retry {prompt}` first"}
    assert world.prompts()[prompt]["publish"] == "picture"
    assert glad("prompts", "discard", prompt, "--delete-picture")[0] == 0
    assert answer(image["url"]) == 404


def test_a_picture_that_a_post_shows_is_not_deleted_with_a_discarded_prompt(world, database):  # noqa: F811
    prompt, image = ready(world)
    post = world.add("a hill", seed=1, title="Other")
    world.run(sdxl=LARGE)
    with pytest.raises(takedown.GladError, match=f"that of prompt {post} too, which is published"):
        takedown.discard(database, prompt, reason="no")
    assert world.prompts()[prompt]["status"] == "ready"
    assert answer(image["url"]) == 200


def test_a_ready_picture_is_rejected_when_it_is_taken_down_and_drawn_again_when_it_is_gone(world, glad):  # noqa: F811
    _, image = ready(world)
    world.store.delete([image["key"]])
    code, out, _ = glad("audit", "--json", "--grace", "0")
    assert (code, json.loads(out)["faults"]["ghosts"]["found"]) == (1, 1)
    glad("audit", "--fix", "--grace", "0", "--at-most", "9")
    assert world.statuses() == ["pending"]
    world.run(sdxl=LARGE)
    assert world.statuses() == ["ready"]
    assert glad("images", "delete", image["key"], "--reason", "not ours")[0] == 0
    assert world.statuses() == ["rejected"]
    assert answer(image["url"]) == 404


def test_a_ready_picture_is_drawn_again_on_purpose_by_its_id_or_by_a_redraw(world, database):  # noqa: F811
    prompt, _ = ready(world)
    assert [row["id"] for row in redraw._published(database)] == [prompt]
    assert redraw.requeue(database, [prompt]) == {prompt}
    assert told(database, prompt)[-1] == ("retried",)
    world.run(sdxl=LARGE)
    assert world.statuses() == ["ready"]
    world.run(config={"prompt_ids": [prompt]}, sdxl=LARGE)
    assert [each[0] for each in told(database, prompt)][-3:] == ["retried", "claimed", "ready"]
    assert len(world.objects()) == 2


def test_an_import_asks_for_pictures_alone_where_its_rows_do_not_say_it(world, glad, tmp_path):  # noqa: F811
    file = tmp_path / "prompts.csv"
    file.write_text("prompt,publish\na hill,\na lake,post\na sea,picture\n")
    assert glad("prompts", "import", file, "--publish", "picture")[0] == 0
    assert [row["publish"] for row in world.prompts().values()] == ["picture", "post", "picture"]
    assert glad("prompts", "import", file, "--publish", "picture")[:2] == (0, f"{file}: 0 added, 3 there already\n")
    assert glad("prompts", "import", file, "--publish", "nothing")[0] == 2
