"""What a takedown leaves: nothing of ours, in whichever bucket it lies, and never a word that it is done when it is not."""

import json
import os

import psycopg
import pytest
from psycopg.types.json import Jsonb
from test_identity import glad, other_bucket, other_database  # noqa: F401  fixtures
from test_outbox import cdn  # noqa: F401  a fixture

from glad_pipeline.operations.removal import forget_galleries, forget_previews
from glad_pipeline.storage.keys import QUARANTINE
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_takedown import answer

LARGE = InstantSdxl(side=300)  # with a thumbnail


@pytest.fixture
def moved(world, other_bucket, monkeypatch, glad):  # noqa: F811
    """A post whose picture lies in the bucket that the settings named before."""
    world.add("a hill", title="Hill")
    world.run(sdxl=LARGE)
    (world.image,) = world.sql("SELECT * FROM images")
    world.first = world.store.bucket
    monkeypatch.setenv("AWS_S3_BUCKET", other_bucket)
    assert glad("migrate", "--adopt")[0] == 0
    return world


def test_a_picture_in_the_bucket_of_before_is_deleted_there(moved, glad):  # noqa: F811
    assert answer(moved.image["url"]) == answer(moved.image["thumbnail_url"]) == 200
    assert "elsewhere: 1 pictures in a bucket that this database had before" in glad("audit")[1]
    said = glad("audit", "--fix", "--grace", "0")[1]  # the picture is not missed here, only its address is another one
    assert "other addresses: 1" in said
    assert "1 of 1 findings remain" in said
    assert moved.statuses() == ["published"]
    code, out, error = glad("posts", "unpublish", "hill", "--reason", "not ours")
    assert code == 0, error
    assert "from the bucket: done" in out
    assert answer(moved.image["url"]) == answer(moved.image["thumbnail_url"]) == 404


def test_a_copy_of_it_in_the_bucket_of_now_goes_too_and_what_else_may_hold_one_is_named(
    moved,
    other_bucket,  # noqa: F811
    glad,  # noqa: F811
):
    client, key = moved.store.client, moved.image["key"]
    client.copy_object(Bucket=other_bucket, Key=key, CopySource={"Bucket": moved.first, "Key": key})
    assert answer(moved.image["url"].replace(moved.first, other_bucket)) == 200
    out = glad("posts", "unpublish", "hill", "--reason", "not ours")[1]
    assert answer(moved.image["url"]) == answer(moved.image["url"].replace(moved.first, other_bucket)) == 404
    assert f"the bucket {moved.first!r} at " in out.partition("what others may still hold:")[2]


def test_a_picture_in_a_bucket_that_others_have_by_now_stays_and_is_never_called_done(
    moved,
    other_database,  # noqa: F811
    monkeypatch,
    glad,  # noqa: F811
):
    own, second = os.environ["DATABASE_URL"], moved.store.bucket
    monkeypatch.setenv("DATABASE_URL", other_database())
    monkeypatch.setenv("AWS_S3_BUCKET", moved.first)
    assert glad("migrate", "--adopt")[0] == 0
    monkeypatch.setenv("DATABASE_URL", own)
    monkeypatch.setenv("AWS_S3_BUCKET", second)
    out = json.loads(glad("posts", "unpublish", "hill", "--reason", "not ours", "--json")[1])
    assert out["done"] is False
    (message,) = [row for row in out["messages"] if row["kind"] == "delete"]
    assert message["status"] == "dead"
    assert f"{moved.first!r}" in message["last_error"]
    assert "belongs to the database" in message["last_error"]
    assert answer(moved.image["url"]) == 200


def test_a_copy_of_the_database_takes_no_picture_from_the_original(world, other_database, monkeypatch, glad):  # noqa: F811
    world.add("a hill", title="Hill")
    world.run()
    (image,) = world.sql("SELECT * FROM images")
    monkeypatch.setenv("DATABASE_URL", other_database(copy=True))
    code, out, _ = glad("posts", "unpublish", "hill", "--reason", "a trial")
    assert code == 1
    assert "GIVEN UP: not deleted" in out
    assert "from the bucket: done" not in out
    code, out, _ = glad("posts", "unpublish", "hill", "--reason", "once more")
    assert (code, "not all of it is done" in out, "GIVEN UP: not deleted" in out) == (1, True, True)
    assert glad("images", "delete", image["key"], "--reason", "once more", "--json")[0] == 1
    assert answer(image["url"]) == 200


@pytest.mark.few(1)
@pytest.mark.parametrize("there", [True, False], ids=["still shown", "gone"])
def test_an_old_picture_whose_bucket_nobody_knows_is_done_only_if_it_is_gone(moved, there, glad):  # noqa: F811
    moved.sql("UPDATE images SET deployment_id = NULL")  # as an earlier version has catalogued it
    if not there:
        client = moved.store.client
        client.delete_object(Bucket=moved.first, Key=moved.image["key"])
    out = glad("posts", "unpublish", "hill", "--reason", "not ours")[1]
    assert answer(moved.image["url"]) == (200 if there else 404)
    assert ("GIVEN UP: the picture is not in the bucket" in out) is there
    assert ("from the bucket: done" in out) is not there


def test_a_url_that_the_cdn_of_the_settings_does_not_serve_is_not_called_purged(world, s3, cdn, monkeypatch, glad):  # noqa: F811
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # which the CDN's fixture has replaced
        monkeypatch.setenv(name, s3[name])
    world.add("a hill", title="Hill")
    world.run()
    monkeypatch.setenv("AWS_CLOUDFRONT_DOMAIN", "new.example.com")
    monkeypatch.setenv("AWS_CLOUDFRONT_DISTRIBUTION_ID", "NEW")
    out = glad("posts", "unpublish", "hill", "--reason", "not ours")[1]
    assert "from the bucket: done" in out
    assert "purge the CDN of it: GIVEN UP: visitors know the picture as" in out
    assert cdn.asked == []


def test_no_trace_of_ours_is_left(world, glad):  # noqa: F811
    world.sql("INSERT INTO content_tasks (task_id) VALUES ('t1')")
    prompt = world.add("a hill", title="Hill", alt_text="A green hill", task_id="t1")
    world.run(sdxl=LARGE)
    (image,) = world.sql("SELECT * FROM images")
    store = world.store
    store.copy(image["key"], f"{QUARANTINE}{image['key']}")  # an audit had put an earlier one aside
    world.sql("UPDATE posts SET metadata = metadata || %s", Jsonb({"mine": 1}))
    out = glad("posts", "unpublish", "hill", "--reason", "not ours")[1]
    assert [listed.key for prefix in ("generated/", QUARANTINE) for listed in store.listing(prefix)] == []
    (post,) = world.posts()
    assert post["metadata"] == {"mine": 1, "pipeline_task_id": "t1"}
    (task,) = world.sql("SELECT * FROM content_tasks")
    shown = ("s3_image_url", "featured_image_url", "featured_image_prompt")
    assert {task.get(name) for name in shown} == {None}
    for words in (("prompts", "show", prompt), ("prompts", "show", prompt, "--json"), ("prompts", "list", "--json")):
        printed = glad(*words)[1]
        assert image["url"] not in printed
        assert image["thumbnail_url"] not in printed
    assert "image_removed_reason" in glad("prompts", "show", prompt)[1]
    held = out.partition("what others may still hold:")[2]
    assert all(word in held for word in ("CDN", "browsers", "backups", "event log"))
    assert "versions" not in held  # this store keeps none, and says so


def test_galleries_that_show_it_go_and_others_stay(tmp_path):
    files = [tmp_path / name for name in ("a.html", "b.html", "none.html")]
    files[0].write_text("… generated/ab/abcd.png …")
    files[1].write_text("… generated/ab/other.png …")
    assert forget_galleries(files, ["generated/ab/abcd.png"]) == [files[0]]
    assert [file.exists() for file in files] == [False, True, False]


def test_contact_sheets_of_earlier_versions_are_blanked_in_dagsters_tables(stack):
    url = stack["DAGSTER_DATABASE_URL"]
    sheet = json.dumps({"md_str": "![contact sheet](data:image/webp;base64,UklGRh4AAABXRUJQ+/=)", "label": "kept"})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT to_regclass('event_logs') IS NULL AS made")
        connection.execute("CREATE TABLE IF NOT EXISTS event_logs (run_id text, event text, timestamp timestamp)")
        connection.execute("INSERT INTO event_logs (run_id, event, timestamp) VALUES ('sheet', %s, now())", [sheet])
        assert forget_previews(url) == 1
        assert forget_previews(url) == 0
        (event,) = connection.execute("DELETE FROM event_logs WHERE run_id = 'sheet' RETURNING event").fetchone()
        assert json.loads(event) == {"md_str": "![contact sheet](about:blank)", "label": "kept"}
        if connection.execute("SELECT made FROM mine").fetchone()[0]:
            connection.execute("DROP TABLE event_logs")


def test_there_is_nothing_to_blank_where_dagster_has_no_tables(database_url):
    assert forget_previews(database_url) == 0


def test_a_message_that_names_no_deployment_that_can_be_is_refused_and_the_others_go_on(world, glad):  # noqa: F811
    for n in range(2):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    first, second = (row["key"] for row in world.sql("SELECT key FROM images ORDER BY id"))
    for key, named in ((first, "no uuid"), (second, None)):
        world.sql(
            "INSERT INTO outbox (kind, subject, payload) VALUES ('delete', %s, %s)",
            f"image:{key}",
            Jsonb({"keys": [key], "deployment": named}),
        )
    code, _, error = glad("outbox", "deliver")
    assert code == 1
    assert "its deployment is 'no uuid'" in error
    assert world.objects() == [first]
