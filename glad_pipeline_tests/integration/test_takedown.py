"""Takedown on a real PostgreSQL and a real S3 server: what is taken down is gone, and does not come back by itself."""

import json
import threading
import urllib.error
import urllib.request

import pytest
from test_graph import metadata, world  # noqa: F401  a fixture
from test_outbox import SECRET, site, told  # noqa: F401  fixtures

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.failpoints import arm
from glad_pipeline.operations import takedown
from glad_pipeline.storage.keys import original_key
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.rows import prompt_of

LARGE = InstantSdxl(side=300)  # with a thumbnail


def answer(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as got:
            return got.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def glad(capsys):
    def run(*arguments):
        code = cli.main([str(each) for each in arguments])
        out, error = capsys.readouterr()
        return code, out, "".join(line for line in error.splitlines(keepends=True) if line.startswith("glad: "))

    return run


@pytest.fixture
def database(database_url):
    with Database(database_url) as database:
        yield database


def kinds(world):  # noqa: F811
    return [(row["kind"], row["status"]) for row in world.sql("SELECT * FROM outbox ORDER BY id")]


def test_an_unpublished_post_is_hidden_its_picture_gone_and_comes_back_only_when_allowed(told, site, glad):  # noqa: F811
    prompt = told.add("a hill", title="Hill")
    told.run(sdxl=LARGE)
    (image,) = told.sql("SELECT * FROM images")
    assert answer(image["url"]) == answer(image["thumbnail_url"]) == 200
    site.asked.clear()

    code, out, error = glad("posts", "unpublish", "hill", "--reason", "not ours to show")
    assert code == 0, error
    assert "hidden: /posts/hill" in out
    assert "tell the site about /posts/hill: done" in out
    assert f"delete {image['key']}, {image['thumbnail_key']} from the bucket: done" in out
    assert "purge the CDN of it: skipped: AWS_CLOUDFRONT_DISTRIBUTION_ID is not set" in out
    assert SECRET not in out
    (post,) = told.posts()
    assert (post["status"], post["featured_image_url"], post["image_s3_key"]) == ("draft", None, None)
    assert answer(image["url"]) == answer(image["thumbnail_url"]) == 404
    assert site.bodies() == [{"paths": ["/", "/posts/hill", "/sitemap.xml"], "tags": ["post:hill", "posts", "gone"]}]
    row = told.prompts()[prompt]
    assert (row["status"], row["last_error"]) == ("cancelled", "taken down: not ours to show")
    (image,) = told.sql("SELECT * FROM images")
    assert image["removed_at"] is not None
    assert image["removed_reason"] == "not ours to show"
    kept = told.sql("SELECT subject, reason FROM takedowns ORDER BY id")
    assert kept == [
        {"subject": subject, "reason": "not ours to show"}
        for subject in (f"post:{post['id']}", f"image:{image['key']}")
    ]

    assert glad("posts", "unpublish", post["id"], "--reason", "again")[:2] == (0, "taken down already: nothing to do\n")
    assert len(site.asked) == 1

    glad("prompts", "retry", prompt)
    told.run(sdxl=LARGE)
    row = told.prompts()[prompt]
    assert row["status"] == "rejected"
    assert "taken down (not ours to show)" in row["last_error"]
    assert told.objects() == []

    code, out, _ = glad("images", "allow", image["url"])
    assert code == 0
    assert f"glad prompts retry {prompt}" in out
    assert "was not blocked" in glad("images", "allow", image["recipe_hash"])[1]
    glad("prompts", "retry", prompt)
    told.run(sdxl=LARGE)
    (post,) = told.posts()
    assert (post["status"], post["featured_image_url"]) == ("published", image["url"])
    assert answer(image["url"]) == 200
    assert told.sql("SELECT removed_at FROM images")[0]["removed_at"] is None
    assert told.statuses() == ["published"]


def test_with_keep_picture_only_the_post_goes_and_a_retried_prompt_shows_it_again(told, glad):  # noqa: F811
    prompt = told.add("a hill", title="Hill")
    told.run()
    _code, out, _ = glad("posts", "unpublish", "hill", "--reason", "too early", "--keep-picture")
    assert "kept: generated/" in out
    assert told.posts()[0]["status"] == "draft"
    assert len(told.objects()) == 1
    told.run()
    assert told.posts()[0]["status"] == "draft"
    assert told.statuses() == ["cancelled"]
    glad("prompts", "retry", prompt)
    told.run()
    assert told.posts()[0]["status"] == "published"
    told.sql("UPDATE posts SET status = 'draft'")  # by a person: worked again, it stays so
    told.run(config={"prompt_ids": [prompt]})
    assert told.posts()[0]["status"] == "draft"


def test_a_picture_that_another_post_shows_stays(told, glad):  # noqa: F811
    for title in ("One", "Two"):
        told.add("a hill", title=title, seed=5)
    told.run()
    out = json.loads(glad("posts", "unpublish", "one", "--reason", "r", "--json")[1])
    assert out["hidden"] == ["one"]
    assert list(out["kept"].values()) == ["the post two shows it too"]
    assert len(told.objects()) == 1
    out = json.loads(glad("posts", "unpublish", "two", "--reason", "r", "--json")[1])
    assert len(out["removed"]) == 1
    assert told.objects() == []
    assert [post["featured_image_url"] for post in told.posts()] == [None, None]


def test_a_deleted_picture_hides_posts_made_with_it_and_leaves_others_without_it(told, site, glad):  # noqa: F811
    mine = told.sql(
        "INSERT INTO posts (title, slug, content, status) VALUES ('Mine', 'mine', 'text', 'published') RETURNING id"
    )[0]["id"]
    told.sql("INSERT INTO content_tasks (task_id, status) VALUES ('t-1', 'in_progress')")
    told.add("a hill", title="Made", seed=5)
    told.add("a hill", post_id=mine, seed=5)
    told.add("a hill", task_id="t-1", seed=5)
    late = told.add("a hill", title="Late", seed=5, publish_at="2100-01-01")
    told.run()
    (image,) = told.sql("SELECT * FROM images")
    site.asked.clear()
    code, _out, _ = glad("images", "delete", image["id"], "--reason", "a face")
    assert code == 0
    posts = {post["slug"]: post for post in told.posts()}
    assert (posts["made"]["status"], posts["made"]["featured_image_url"]) == ("draft", None)
    assert (posts["mine"]["status"], posts["mine"]["featured_image_url"]) == ("published", None)
    (task,) = told.sql("SELECT * FROM content_tasks")
    assert (task["s3_image_url"], task["featured_image_url"]) == (None, None)
    assert told.objects() == []
    assert told.statuses() == ["cancelled", "cancelled", "cancelled", "rejected"]
    assert "glad images allow" in told.prompts()[late]["last_error"]
    assert {path for body in site.bodies() for path in body["paths"]} >= {"/posts/made", "/posts/mine"}
    assert "taken down already" in glad("images", "delete", image["key"], "--reason", "a face")[1]


def test_a_post_that_a_person_made_with_our_picture_counts_as_any_other(told, glad):  # noqa: F811
    told.add("a hill", title="One", seed=5)
    told.run()
    told.sql(
        "INSERT INTO posts (title, slug, content, status, featured_image_url)"
        " SELECT 'Mine', 'mine', 'text', 'published', featured_image_url FROM posts"
    )
    out = json.loads(glad("posts", "unpublish", "one", "--reason", "r", "--json")[1])
    assert list(out["kept"].values()) == ["the post mine shows it too"]
    (key,) = told.objects()
    out = json.loads(glad("images", "delete", key, "--reason", "r", "--json")[1])
    assert sorted(out["cleared"]) == ["mine", "one"]
    shown = {post["slug"]: (post["status"], post["featured_image_url"]) for post in told.posts()}
    assert shown == {"mine": ("published", None), "one": ("draft", None)}
    assert told.objects() == []


def test_a_picture_that_a_person_put_on_a_post_instead_stays(told, site, glad):  # noqa: F811
    posts = told.sql(
        "INSERT INTO posts (title, slug, content, status) VALUES ('Mine', 'mine', 'text', 'published'),"
        " ('Sized', 'sized', 'text', 'published') RETURNING id"
    )
    for post in posts:
        told.add("a hill", post_id=post["id"], seed=5)
    told.add("a hill", title="Made", seed=5)
    told.run()
    (image,) = told.sql("SELECT * FROM images")
    for slug in ("mine", "made"):
        told.sql("UPDATE posts SET featured_image_url = 'https://mine.example/x.png' WHERE slug = %s", slug)
    told.sql("UPDATE posts SET featured_image_url = featured_image_url || '?width=800' WHERE slug = 'sized'")
    site.asked.clear()
    assert glad("images", "delete", image["id"], "--reason", "a face")[0] == 0
    shown = {post["slug"]: (post["status"], post["featured_image_url"]) for post in told.posts()}
    theirs = ("published", "https://mine.example/x.png")
    assert shown == {"mine": theirs, "made": theirs, "sized": ("published", None)}
    assert {path for body in site.bodies() for path in body["paths"]} == {"/", "/posts/sized", "/sitemap.xml"}
    assert told.objects() == []


def test_a_picture_that_a_run_has_in_flight_is_not_catalogued_and_deleted_again(told, glad, database):  # noqa: F811
    first = told.add("a hill", title="First", seed=5)
    told.run()
    told.add("a hill", title="Second", seed=5)
    (image,) = told.sql("SELECT * FROM images")
    told.store.delete([image["key"]])  # so that the run draws it

    class Meanwhile(InstantSdxl):
        def generate(self, recipes, *, on_batch_start=lambda recipes: None):
            takedown.delete_image(database, str(image["id"]), reason="r")
            cli.main(["outbox", "deliver"])
            yield from super().generate(recipes, on_batch_start=on_batch_start)

    told.run(sdxl=Meanwhile())
    assert told.statuses() == ["cancelled", "rejected"]
    assert told.objects() == []
    assert told.sql("SELECT removed_reason FROM images")[0]["removed_reason"] == "r"
    assert told.prompts()[first]["last_error"] == "taken down: r"
    assert [kind for kind, _ in kinds(told)].count("delete") == 2


@pytest.mark.parametrize("point", ["catalogue.before", "publish.before"])
def test_a_takedown_and_a_transaction_that_uses_the_picture_wait_for_one_another(told, database, point):  # noqa: F811
    told.add("a hill", title="First", seed=5)
    told.run()
    told.add("a hill", title="Second", seed=5)
    (image,) = told.sql("SELECT * FROM images")
    threads = []

    def take_down(reached):
        if reached == point and not threads:
            work = threading.Thread(
                target=takedown.delete_image, args=(database, str(image["id"])), kwargs={"reason": "r"}
            )
            threads.append(work)
            work.start()
            work.join(0.5)
            assert work.is_alive()  # it waits for our commit

    arm(take_down)
    try:
        told.run()
    finally:
        arm(None)
    threads[0].join()
    told.run()
    assert told.objects() == []
    assert {post["featured_image_url"] for post in told.posts()} == {None}
    assert {post["status"] for post in told.posts()} == {"draft"}
    assert set(told.statuses()) <= {"cancelled", "rejected"}


def test_a_store_that_is_away_is_told_later_and_allow_waits_for_it(told, glad, monkeypatch):  # noqa: F811
    told.add("a hill", title="Hill")
    told.run()
    (image,) = told.sql("SELECT * FROM images")
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        code, out, _ = glad("images", "delete", image["url"], "--reason", "r")
    assert code == 0
    assert "NOT YET: " in out
    assert "AWS_SECRET_ACCESS_KEY" in out
    assert answer(image["url"]) == 200
    code, _, error = glad("images", "allow", image["id"])
    assert code == 1
    assert "glad outbox deliver" in error
    assert glad("outbox", "deliver")[0] == 0
    assert answer(image["url"]) == 404
    assert glad("images", "allow", image["id"])[0] == 0


def test_a_given_up_deletion_does_not_delete_what_is_allowed_and_drawn_again(told, glad):  # noqa: F811
    prompt = told.add("a hill", title="Hill")
    told.run()
    (image,) = told.sql("SELECT * FROM images")
    glad("images", "delete", image["id"], "--reason", "r")
    told.sql("UPDATE outbox SET status = 'dead' WHERE kind = 'delete'")
    glad("images", "allow", image["id"])
    glad("prompts", "retry", prompt)
    told.run()
    glad("outbox", "retry", "--dead")
    glad("outbox", "deliver")
    assert len(told.objects()) == 1
    assert told.posts()[0]["status"] == "published"


def test_prompts_that_aim_at_a_hidden_post_are_cancelled_wherever_they_are(told, glad):  # noqa: F811
    told.add("a hill", title="Hill")
    told.run()
    (post,) = told.posts()
    waiting = told.add("a tree", post_id=post["id"])
    other = told.add("a tree", title="Tree")
    glad("posts", "unpublish", "hill", "--reason", "r")
    assert told.prompts()[waiting]["status"] == "cancelled"
    assert told.prompts()[other]["status"] == "pending"
    told.run()
    assert {post["slug"]: post["status"] for post in told.posts()} == {"hill": "draft", "tree": "published"}


def test_what_cannot_be_taken_down_is_said_in_a_line(told, glad, database):  # noqa: F811
    for arguments, code, words in [
        (("posts", "unpublish", "nowhere", "--reason", "r"), 1, "no post has the id or slug 'nowhere'"),
        (("posts", "unpublish", "x", "--reason", " \t"), 2, "the reason must have 1 to 500 characters"),
        (("images", "delete", "https://x.example/a.png", "--reason", "r"), 1, "no picture has the id, key or URL"),
        (("images", "delete", "9" * 30, "--reason", "r"), 1, "no picture"),
        (("images", "allow", "0" * 64), 1, "no picture"),
    ]:
        got, out, error = glad(*arguments)
        assert (got, out) == (code, "")
        assert words in error
        assert error.count("\n") == 1
    with pytest.raises(GladError):
        takedown.unpublish(database, "x\x00y", reason="r")
    with pytest.raises(GladError):
        takedown.allow(database, "\udcff")
    with pytest.raises(UsageError):
        takedown.delete_image(database, "1", reason="r" * 501)


def test_a_barred_recipe_leaves_no_object_even_if_a_run_had_stored_it_and_died(told, glad):  # noqa: F811
    prompt = told.add("a hill", title="Hill")
    told.run()
    (image,) = told.sql("SELECT * FROM images")
    glad("images", "delete", image["key"], "--reason", "r")
    recipe = InstantSdxl().recipe(prompt_of(told.prompts()[prompt]))
    told.store.put_once(original_key(recipe.hash), b"drawn meanwhile", content_type="image/png", metadata={})
    glad("prompts", "retry", prompt)
    told.run()
    assert told.objects() == []
    assert told.prompts()[prompt]["status"] == "rejected"


def test_a_picture_taken_down_while_it_waits_in_the_spool_is_never_stored(told, glad):  # noqa: F811
    told.add("a hill", title="First", seed=5)
    told.run()
    (image,) = told.sql("SELECT * FROM images")
    told.store.delete([image["key"]])
    second = told.add("a hill", title="Second", seed=5)

    def crash(point):
        if point == "store.before":
            raise KeyboardInterrupt

    arm(crash)
    try:
        told.run(expect_success=False)
    finally:
        arm(None)
    glad("images", "delete", image["key"], "--reason", "r")
    glad("prompts", "cancel", second)
    result = told.run()
    assert "spooled_waiting" not in metadata(result, "generated_images")
    assert told.objects() == []
