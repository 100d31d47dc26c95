"""When the public address of the pictures changes: the audit says so, and `glad urls rewrite` mends it, both ways."""

import hashlib
import io
import json
import re
import threading
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from glad_pipeline import cli, failpoints
from glad_pipeline.database import Database
from glad_pipeline.errors import UsageError
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.operations import rewrite_urls
from glad_pipeline.operations.audit import addresses
from glad_pipeline.operations.audit.report import Report
from glad_pipeline.pipeline.visit import problem_of_address
from glad_pipeline.publishing.blocklist import hold_off_takedowns
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.keys import original_key, thumbnail_key
from glad_pipeline_tests.cdn import Cdn
from glad_pipeline_tests.integration.test_graph import World

ELSEWHERE = "https://cdn.example.org/pictures"
NOT_OURS = "generated/" + "ab/" + "ab" * 16 + ".png"  # a key of ours, of a picture that nobody knows
TABLES = ("posts", "images", "media", "content_tasks")


@pytest.fixture
def glad(capsys):
    def run(*arguments):
        code = cli.main([str(each) for each in arguments])
        out, error = capsys.readouterr()
        return code, out, error

    return run


@pytest.fixture(scope="module")
def bucket(stack):
    """The settings of a bucket with two pictures, and their bytes by recipe hash."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    server = S3Server(Home(Path(stack["GLAD_HOME"])))
    server.prepare_bucket(name)
    pictures = {}
    for recipe in ("01" * 32, "02" * 32):
        file = io.BytesIO()
        Image.effect_noise((40, 31), 80).save(file, "PNG")
        pictures[recipe] = file.getvalue()
        for key in (original_key(recipe), thumbnail_key(recipe)):
            server.client().put_object(Bucket=name, Key=key, Body=pictures[recipe], ContentType="image/png")
    yield {each: stack[each] for each in stack if each.startswith("AWS_")} | {"AWS_S3_BUCKET": name}, pictures
    server.client().delete_bucket(Bucket=name)


@pytest.fixture
def moved(migrated_url, bucket, monkeypatch):
    """Two posts, shown at `moved.old`; a CDN that shows the same pictures at `moved.new`."""
    settings, pictures = bucket
    for name, value in {**settings, "DATABASE_URL": migrated_url}.items():
        monkeypatch.setenv(name, value)
    world = World(migrated_url)
    world.old = world.store.url("").rstrip("/")
    for n, (recipe, body) in enumerate(pictures.items()):
        publish(world, n, recipe, body)
    world.cdn = Cdn(world.old)
    world.new = world.cdn.url
    try:
        yield world
    finally:
        world.cdn.close()
        world.connection.close()


def publish(world, n, recipe, body):
    """A prompt, its picture and its post, as a run would leave them."""
    keys = original_key(recipe), thumbnail_key(recipe)
    url, thumbnail = (f"{world.old}/{key}" for key in keys)
    columns = {
        **{"key": keys[0], "recipe_hash": recipe, "url": url, "sha256": hashlib.sha256(body).hexdigest()},
        **{"bytes": len(body), "width": 40, "height": 31, "content_type": "image/png", "recipe": "{}"},
        **{"model": "m", "model_revision": "r", "thumbnail_key": keys[1], "thumbnail_url": thumbnail},
    }
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    image = world.sql(f"INSERT INTO images ({names}, verified_at) VALUES ({marks}, now()) RETURNING id",
                      *columns.values())[0]["id"]  # fmt: skip
    post = world.sql("INSERT INTO posts (title, slug, content, status, featured_image_url, cover_image_url, metadata)"
                     " VALUES (%s, %s, '', 'published', %s, %s, '{}') RETURNING id",
                     f"Hill {n}", f"hill-{n}", url, url)[0]["id"]  # fmt: skip
    prompt = world.add(f"a hill {n}", title=f"Hill {n}")
    held = "claim_token = -1, claimed_by = 'gone', lease_expires_at = now()"
    for step in (f"'claimed', {held}", f"'generated', image_id = {image}", "'published', claim_token = NULL"):
        world.sql(f"UPDATE prompts SET status = {step}, published_post_id = %s WHERE id = %s", post, prompt)


def tables(world):
    found = {name: world.sql(f"SELECT * FROM {name} ORDER BY 1") for name in TABLES}
    prompts = world.sql("SELECT * FROM prompts ORDER BY id")
    return found | {"prompts": [{**row, "updated_at": None} for row in prompts]}  # that is ours, by a trigger


def spread(world):
    """Put addresses wherever a blog may have them."""
    world.sql("CREATE TABLE IF NOT EXISTS media (id serial PRIMARY KEY, url text, alt_text text, post_id uuid)")
    world.sql('ALTER TABLE posts ADD "og %" json, ADD tail text GENERATED ALWAYS AS (right(content, 10)) STORED')
    [one, other] = world.sql("SELECT i.*, p.published_post_id AS post FROM images i JOIN prompts p ON image_id = i.id"
                             " ORDER BY p.id")  # fmt: skip
    text = f"![a]({world.old}/{one['thumbnail_key']}), {world.old}/{other['key']}. And {world.old}/{NOT_OURS}"
    stem = one["url"].removesuffix(".png")
    renditions = f"{stem}-w800.avif 800w, {stem}-social-50-30.jpg 1200w"
    shown = json.dumps({"url": one["url"], "srcset": renditions, "theirs": "http://b.example"})
    world.sql('UPDATE posts SET content = %s, metadata = metadata || %s::jsonb, "og %%" = %s WHERE id = %s',
              text, shown, shown.replace("/", r"\/"), one["post"])  # fmt: skip
    world.sql("INSERT INTO media (url, post_id) VALUES (%s, %s)", one["url"], one["post"])
    world.sql("INSERT INTO content_tasks (task_id, featured_image_url) VALUES ('t1', %s), ('t2', %s)",
              other["url"], f"{world.old}/{NOT_OURS}")  # fmt: skip
    world.sql("UPDATE prompts SET replaced_image_url = %s WHERE published_post_id = %s", one["url"], other["post"])
    # none of ours: another picture, no key after the base, a base that only begins like ours
    world.sql("INSERT INTO posts (title, slug, content, featured_image_url, status) VALUES ('T', 't', %s, %s, 'draft')",
              f"{world.old}1/{one['key']} {world.old}", f"{world.old}/{NOT_OURS}")  # fmt: skip


def test_every_address_of_ours_is_rewritten_and_back_and_nothing_else_is(moved, glad, monkeypatch):
    spread(moved)
    before = tables(moved)
    code, out, error = glad("urls", "rewrite", "--from", moved.old, "--to", f"{moved.new}/", "--dry-run")
    assert (code, error, tables(moved)) == (0, "", before)
    counts = "2 in images, 1 in prompts, 2 in posts, 1 in media, 1 in content_tasks"
    assert f"7 rows have addresses of {moved.old}: {counts}" in out
    code, out, _ = glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--dry-run", "--json")
    assert (code, json.loads(out)["move"]) == (0, {"old": moved.old, "new": moved.new})

    code, out, error = glad("urls", "rewrite", "--from", moved.old, "--to", moved.new)
    assert (code, tables(moved)) == (1, before)
    assert "--yes rewrites them" in error

    code, out, error = glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes")
    assert (code, out.splitlines()[0]) == (0, f"rewritten: {counts}")
    assert f"new pictures get addresses of {moved.old}" in error
    after = json.loads(json.dumps(tables(moved), default=str).replace(moved.new, moved.old))
    assert after == json.loads(json.dumps(before, default=str))
    said = json.dumps(tables(moved), default=str)
    assert said.count(moved.new) == 2 * 2 + 1 + 2 * 2 + 2 + 2 * 3 + 1 + 1
    assert said.count(f"{moved.old}/{NOT_OURS}") == said.count(f"{moved.old}/") == 3
    messages = moved.sql("SELECT kind, payload ->> 'tags' AS tags FROM outbox ORDER BY id")
    assert [row["kind"] for row in messages] == ["revalidate"] * 2
    assert "no site is told, since GLAD_SITE_URL is not set" in out

    monkeypatch.setenv("GLAD_SITE_URL", "https://blog.example")
    monkeypatch.setenv("GLAD_REVALIDATE_SECRET", "a-revalidation-secret")
    code, out, _ = glad("urls", "rewrite", "--from", moved.new, "--to", moved.old, "--yes")
    assert (code, tables(moved)) == (0, before)
    assert "the site is told of 2 posts" in out


@pytest.mark.parametrize("small", [False, True])
def test_an_address_that_is_percent_encoded_is_rewritten_as_it_is_written_and_back(moved, glad, small):
    [image] = moved.sql("SELECT * FROM images ORDER BY id LIMIT 1")
    stem = image["url"].removesuffix(".png")

    def encoded(url):
        found = quote(url, safe="")
        return re.sub("%..", lambda each: each[0].lower(), found) if small else found

    def content(base):
        links = [f"{stem}.png", f"{stem}-w800.avif", f"{moved.old}/{NOT_OURS}"]
        at = [encoded(url.replace(moved.old, base) if NOT_OURS not in url else url) for url in links]
        return "".join(f'<img src="/_next/image?url={url}&w=640&q=75">' for url in at)

    moved.sql("UPDATE posts SET content = %s", content(moved.old))
    before = moved.posts()
    assert glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes")[0] == 0
    assert {post["content"] for post in moved.posts()} == {content(moved.new)}
    assert glad("urls", "rewrite", "--from", moved.new, "--to", moved.old, "--yes")[0] == 0
    assert moved.posts() == before


def test_a_rewriting_that_is_killed_between_two_windows_is_finished_by_the_next(moved, glad, monkeypatch):
    monkeypatch.setattr(rewrite_urls, "ROWS", 1)
    seen = []

    def die(point):
        seen.append(point)
        if len(seen) == 9:  # before the commit of a window of posts
            raise KeyboardInterrupt

    failpoints.arm(die)
    try:
        assert glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes")[0] == 130
    finally:
        failpoints.arm(None)
    half = [post["featured_image_url"].startswith(moved.new) for post in moved.posts()]
    assert (half.count(True), len(moved.sql("SELECT id FROM outbox"))) in [(0, 0), (1, 1)]
    assert glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes")[0] == 0
    assert all(post["featured_image_url"].startswith(moved.new) for post in moved.posts())
    assert len(moved.sql("SELECT id FROM outbox")) == 2


def test_who_publishes_by_the_old_address_meanwhile_is_waited_for(moved, database_url):
    """A transaction that has read the old address of a picture commits its post only then."""
    move = rewrite_urls.move_of(moved.old, moved.new)
    with Database(database_url) as publishing, Database(database_url) as database:
        done = threading.Event()

        def rewriting():
            rewrite_urls.rewrite(database, move, dry_run=False)
            done.set()

        with publishing.transaction() as connection:
            hold_off_takedowns(connection)
            thread = threading.Thread(target=rewriting)
            thread.start()
            assert not done.wait(1.0)
            connection.execute(
                "INSERT INTO posts (title, slug, content, featured_image_url) SELECT 'L', 'l', '', url FROM images LIMIT 1"
            )
        thread.join(30)
    assert done.is_set()
    assert all(post["featured_image_url"].startswith(moved.new) for post in moved.posts())


def test_a_blog_with_names_and_a_clock_of_its_own_is_rewritten_as_well(moved, glad, monkeypatch, database_url):
    """Its trigger sets the time of change; that this was no person is noted."""
    moved.sql("ALTER TABLE posts RENAME featured_image_url TO hero")
    moved.sql("ALTER TABLE posts RENAME updated_at TO touched")
    moved.sql("ALTER TABLE posts RENAME TO articles")
    moved.sql("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
              " NEW.touched := clock_timestamp(); RETURN NEW; END $$")  # fmt: skip
    moved.sql("CREATE TRIGGER touch BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch()")
    monkeypatch.setenv("GLAD_POSTS_TABLE", "articles")
    monkeypatch.setenv("GLAD_POSTS_COLUMNS", "featured_image_url=hero,updated_at=touched")
    assert glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes")[0] == 0
    assert all(post["hero"].startswith(moved.new) for post in moved.sql("SELECT hero FROM articles"))
    noted = moved.sql(
        "SELECT to_jsonb(articles) ->> 'touched' AS now, after FROM articles JOIN post_writes ON post_id = id"
    )
    assert [row["after"] == row["now"] for row in noted] == [True, True]
    with Database(database_url, blog=load_settings().blog) as database:
        assert addresses.bases(database) == {moved.new: 2}


def test_rows_that_cannot_take_the_address_stay_and_are_told(moved, glad):
    long = f"{ELSEWHERE}/{'x' * 400}"
    moved.sql("ALTER TABLE posts ADD og text")
    moved.sql("UPDATE posts SET og = featured_image_url WHERE title = 'Hill 0'")
    moved.sql("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
              " IF NEW.title = 'Hill 1' THEN RAISE EXCEPTION 'it stays'; END IF; RETURN NEW; END $$")  # fmt: skip
    moved.sql("CREATE TRIGGER keep BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION keep()")
    code, _, error = glad("urls", "rewrite", "--from", moved.old, "--to", long, "--unchecked", "--yes")
    assert code == 1
    code, _, error = glad("urls", "rewrite", "--from", long, "--to", ELSEWHERE, "--unchecked", "--yes")
    assert code == 0
    code, _, error = glad("urls", "rewrite", "--from", moved.old, "--to", ELSEWHERE, "--unchecked", "--yes")
    assert (code, "1 rows cannot be changed:" in error, "it stays" in error) == (1, True, True)
    moved.sql("ALTER TABLE posts ALTER featured_image_url TYPE varchar(120)")
    moved.sql("DROP TRIGGER keep ON posts")
    code, _, error = glad("urls", "rewrite", "--from", ELSEWHERE, "--to", long, "--unchecked", "--yes")
    assert (code, "posts.featured_image_url takes 120 characters, and would have 4" in error) == (1, True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cdn.example.com", ELSEWHERE, "--from 'cdn.example.com': it has to begin with http"),
        (ELSEWHERE, "https://a.example/x?y", "--to 'https://a.example/x?y': it has to be without ? and #"),
        (ELSEWHERE, f"{ELSEWHERE}/", "are the same"),
        (ELSEWHERE, "https://a.example/generated/", "leave out /generated"),
    ],
)
def test_what_is_no_base_is_refused(old, new, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        rewrite_urls.move_of(old, new)


def test_an_address_that_does_not_load_is_refused_before_anything_is_changed(moved, glad):
    moved.cdn.misbehave = lambda path, right: (404, {"content-type": "text/html"}, b"")
    before = moved.posts()
    code, _, error = glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes")
    assert (code, "it answers 404" in error, "--unchecked" in error, moved.posts()) == (1, True, True, before)
    assert "it answers 404" in glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--dry-run")[2]
    assert glad("urls", "rewrite", "--from", moved.old, "--to", moved.new, "--yes", "--unchecked")[0] == 0


# --- the audit -------------------------------------------------------------------------------------------------------


@pytest.fixture
def look(moved, database_url):
    with Database(database_url) as database:

        def look(visits="all"):
            report = Report(place="", fix=False, deep=False)
            addresses.look_at_addresses(database, moved.store, report, visits=visits)
            return report

        yield look


def test_the_audit_says_which_addresses_are_not_those_of_the_settings_and_which_show_nothing(moved, look, glad):
    assert (look().visited, look().remaining()) == (2, 0)  # the cover is the same picture
    moved.sql("UPDATE posts SET featured_image_url = replace(featured_image_url, %s, %s) WHERE title = 'Hill 1'",
              moved.old, moved.new)  # fmt: skip
    report = look()
    assert report.findings["other_addresses"].examples == [
        f"{moved.new}: 1 (./glad urls rewrite --from {moved.new} --to {moved.old})"
    ]
    assert (report.visited, report.remaining()) == (3, 1)
    moved.cdn.misbehave = lambda path, right: (403, {"content-type": "text/html"}, b"")
    report = look("sample")
    [dead] = report.findings["dead_addresses"].examples
    assert dead.startswith("post 'hill-1' shows ")
    assert dead.endswith("it answers 403: visitors may not read it")
    code, out, _ = glad("audit", "--urls", "sample")
    assert (code, "dead addresses: 1" in out, "other addresses: 1" in out) == (1, True, True)
    code, out, _ = glad("audit", "--urls", "none", "--json")
    faults = json.loads(out)["faults"]
    assert (faults["dead_addresses"]["found"], faults["other_addresses"]["found"]) == (0, 1)
    assert glad("audit", "--urls", "some")[0] == 2


@pytest.mark.parametrize("place", ["column", "metadata"])
def test_the_audit_looks_at_what_pages_are_told_of_renditions_and_at_covers_of_other_pictures(moved, look, place):
    dead = f"{moved.new}/{moved.sql('SELECT key FROM images ORDER BY id')[0]['key'][:-4]}-w40.webp"
    data = json.dumps({"srcset": {"webp": f"{dead} 40w"}})
    if place == "column":
        moved.sql("ALTER TABLE posts ADD COLUMN featured_image_data json")
        moved.sql("UPDATE posts SET featured_image_data = %s WHERE title = 'Hill 0'", data.replace("/", r"\/"))
    else:
        moved.sql("UPDATE posts SET metadata = jsonb_build_object('featured_image_data', %s::jsonb)"
                  " WHERE title = 'Hill 0'", data)  # fmt: skip
    moved.sql("UPDATE posts SET featured_image_url = 'https://theirs.example/a.jpg' WHERE title = 'Hill 1'")
    report = look()
    assert report.visited == 3  # the picture and a rendition of one, the cover of the other
    assert report.findings["other_addresses"].found == 1
    assert report.findings["dead_addresses"].examples == [f"post 'hill-0' shows {dead}: it answers 404"]


def test_of_an_address_that_nothing_rewrites_no_command_is_said(moved, look):
    moved.sql("UPDATE posts SET featured_image_url = '/' || substr(featured_image_url, %s), cover_image_url = NULL"
              " WHERE title = 'Hill 1'", len(moved.old) + 2)  # fmt: skip
    (said,) = look("none").findings["other_addresses"].examples
    assert "urls rewrite" not in said


def test_a_rendition_that_nobody_has_recorded_and_is_gone_is_a_dead_address(moved, look):
    moved.sql("UPDATE posts SET cover_image_url = left(featured_image_url, -4) || '-social.jpg' WHERE title = 'Hill 0'")
    (dead,) = look().findings["dead_addresses"].examples
    assert "-social.jpg: it answers 404" in dead


def test_an_object_that_is_gone_is_no_fault_of_its_address(moved, look):
    store, key = moved.store, moved.sql("SELECT key FROM images ORDER BY id LIMIT 1")[0]["key"]
    body = store.fetch(key)
    store.delete([key])
    try:
        report = look()
        assert (report.visited, report.remaining()) == (2, 0)
    finally:
        store.put_once(key, body, content_type="image/png", metadata={})


def test_pictures_of_others_and_drafts_are_not_visited(moved, look, monkeypatch):
    moved.sql("UPDATE posts SET status = 'draft' WHERE title = 'Hill 0'")
    monkeypatch.setattr(addresses, "SAMPLE", 1)
    assert [look("sample").visited for _ in range(9)] == [1] * 9  # drafts are not drawn
    moved.sql("UPDATE posts SET featured_image_url = %s, cover_image_url = NULL WHERE title = 'Hill 1'",
              f"{moved.new}/{NOT_OURS}")  # fmt: skip
    report = look()
    assert (report.visited, report.remaining(), moved.cdn.visits) == (0, 0, [])


def test_a_base_that_shows_nothing_is_given_up_after_a_while(moved, look, monkeypatch):
    monkeypatch.setattr(addresses, "HOPELESS", 1)
    monkeypatch.setattr(addresses, "AT_ONCE", 1)
    moved.sql("UPDATE posts SET featured_image_url = replace(featured_image_url, %s, %s), cover_image_url = NULL",
              moved.old, moved.new)  # fmt: skip
    moved.cdn.misbehave = lambda path, right: (404, {}, b"")
    report = look()
    assert (report.visited, report.findings["dead_addresses"].found, report.findings["unvisited"].found) == (1, 1, 1)


def test_a_server_that_refuses_head_alone_shows_its_pictures(moved):
    url = moved.posts()[0]["featured_image_url"].replace(moved.old, moved.new)
    heads = []

    def misbehave(path, right):
        heads.append(path)
        return (405, {}, b"") if len(heads) == 1 else right

    moved.cdn.misbehave = misbehave
    assert problem_of_address(url) is None
    assert len(heads) == 2
