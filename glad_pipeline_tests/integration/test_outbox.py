"""The outbox on a real PostgreSQL and a real S3 server, told to a real little site and CDN over HTTP."""

import json
import logging
import socket
import threading
import time
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4
from xml.etree import ElementTree

import dagster as dg
import psycopg
import pytest
from psycopg.types.json import Jsonb
from test_graph import BLOGS, World, metadata, world  # noqa: F401  a fixture

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.definitions import build_defs
from glad_pipeline.errors import GladError
from glad_pipeline.failpoints import arm
from glad_pipeline.outbox import deliver as delivery
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox import targets
from glad_pipeline.outbox.deliver import deliver
from glad_pipeline.outbox.targets import Cdn, Site, Targets, joined
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline_tests.ticks import asked
from glad_pipeline_tests.ticks import tick as look

SECRET = "s3cr3t-of-the-site"


class Server:
    """Answers every request as it is told to, and keeps what it was asked."""

    def __init__(self):
        self.asked = []  # (path, secret, body)
        self.answer = lambda handler, body: (200, b'{"revalidated": true}')
        self.lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
                with self.lock:
                    self.asked.append((handler.path, handler.headers.get("x-revalidate-secret"), body))
                answer = self.answer(handler, body)
                if answer is None:
                    return
                status, text, *headers = answer
                handler.send_response(status)
                for name, value in headers:
                    handler.send_header(name, value)
                handler.send_header("Content-Length", str(len(text)))
                handler.end_headers()
                handler.wfile.write(text)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def bodies(self):
        return [json.loads(body) for _, _, body in self.asked]

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def site():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def cdn(monkeypatch):
    server = Server()
    server.answer = lambda handler, body: (201, b"<Invalidation><Id>I1</Id></Invalidation>")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    yield server
    server.close()


class Box:
    """An outbox, and who is told."""

    def __init__(self, database, site):
        self.database, self.site = database, site
        self.deleted = []

    def delete(self, messages):
        self.deleted += joined(messages, "keys")

    def targets(self, **changed):
        told = {"site": Site(url=self.site.url, secret=SECRET, seconds=1.0), "cdn": None, "delete": self.delete}
        return Targets(**(told | changed))

    def deliver(self, *, max_attempts=12, subjects=None, **changed):
        return deliver(self.database, self.targets(**changed), max_attempts=max_attempts, subjects=subjects)

    def write(self, *slugs, kind="revalidate", subject=None, payload=None):
        with self.database.transaction() as connection:
            for slug in slugs:
                connection.execute(
                    "INSERT INTO outbox (kind, subject, payload) VALUES (%s, %s, %s)",
                    [
                        kind,
                        subject or f"post:{slug}",
                        Jsonb(payload or {"paths": ["/", f"/posts/{slug}"], "tags": [f"post:{slug}"]}),
                    ],
                )

    def rows(self):
        with self.database.transaction() as connection:
            return connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()

    def statuses(self):
        return [row["status"] for row in self.rows()]

    def hurry(self):
        with self.database.transaction() as connection:
            outbox.hurry(connection)


@pytest.fixture(scope="module")
def migrated(stack):
    """One database for the tests that need nothing but an outbox."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}"
        migrate(url)
        with Database(url) as database:
            yield database
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def box(migrated, site):
    with migrated.transaction() as connection:
        connection.execute("TRUNCATE outbox RESTART IDENTITY")
    return Box(migrated, site)


def test_many_posts_are_one_request_with_the_secret_and_each_path_once(box, site):
    box.write("one", "two", "three")
    report = box.deliver()
    assert (report.delivered, report.waiting, report.dead) == (3, 0, 0)
    ((path, secret, body),) = site.asked
    assert (path, secret) == ("/api/revalidate", SECRET)
    assert json.loads(body) == {
        "paths": ["/", "/posts/one", "/posts/two", "/posts/three"],
        "tags": ["post:one", "post:two", "post:three"],
    }
    assert box.deliver().delivered == 0
    assert len(site.asked) == 1


def test_with_nobody_to_tell_messages_are_skipped(box):
    box.write("one")
    box.write("x", kind="purge", payload={"paths": ["/x"]})
    assert box.deliver(site=None).skipped == 2
    assert [row["last_error"] for row in box.rows()] == [
        "GLAD_SITE_URL is not set",
        "AWS_CLOUDFRONT_DISTRIBUTION_ID is not set",
    ]


def hang(handler, body):
    time.sleep(3)


def drip(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(30):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def hang_up(handler, body):
    handler.connection.shutdown(socket.SHUT_RDWR)


def garbage(handler, body):
    handler.wfile.write(b"\x00\xff\x1b[31mnot HTTP at all\r\n\r\n" * 100)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda h, b: (401, b"no"), "GLAD_REVALIDATE_SECRET"),
        (lambda h, b: (403, SECRET.encode()), "GLAD_REVALIDATE_SECRET"),
        (lambda h, b: (404, b"<html>"), "GLAD_SITE_URL"),
        (lambda h, b: (500, b"it broke: " + SECRET.encode()), "500: it broke: (secret)"),
        (lambda h, b: (503, b""), "answers 503"),
        (lambda h, b: (502, b"\x00\xff" * 3000), "answers 502"),
        (lambda h, b: (429, b"slower"), "429: slower"),
        (
            lambda h, b: (302, b"", ("Location", f"http://elsewhere.example/{SECRET}")),
            "redirection to http://elsewhere",
        ),
        (lambda h, b: (308, b"", ("Location", "/other")), "GLAD_SITE_URL"),
        (hang, "does not answer"),
        (drip, "does not answer"),
        (hang_up, "does not answer"),
        (garbage, "does not answer"),
    ],
    ids=["401", "403", "404", "500", "503", "502", "429", "302", "308", "hang", "drip", "hang up", "garbage"],
)
def test_a_site_that_is_not_itself_is_told_later_and_why_is_readable(box, site, answer, words, caplog):
    caplog.set_level(logging.DEBUG)
    site.answer = answer
    box.write("one", "two")
    report = box.deliver()
    assert report.waiting == 2
    assert len(site.asked) == 1  # it is away for all of them
    for row in box.rows():
        assert (row["status"], row["attempts"], row["taken_until"]) == ("waiting", 1, None)
        assert words in row["last_error"]
        assert row["last_error"].isprintable()
        assert len(row["last_error"]) <= 400
        assert SECRET not in str(row)
    assert SECRET not in caplog.text + str(report) + repr(box.targets())
    site.answer = lambda h, b: (200, b"")
    assert box.deliver().delivered == 0  # not before its time
    box.hurry()
    assert box.deliver().delivered == 2


def test_a_site_that_is_off_is_asked_once_however_many_wait(box, site, monkeypatch):
    monkeypatch.setattr(delivery, "TOGETHER", 2)
    site.close()
    box.write(*"abcdefg")
    report = box.deliver()
    assert report.waiting == 2
    assert [row["attempts"] for row in box.rows()] == [1, 1, 0, 0, 0, 0, 0]
    assert all("does not answer" in row["last_error"] for row in box.rows())
    assert box.deliver().waiting == 0  # all of them wait


@pytest.mark.parametrize("refusal", [(400, b"bad path"), (200, b'{"revalidated": false, "message": "bad path"}')])
def test_a_message_that_the_site_refuses_is_dead_and_its_neighbours_are_delivered(box, site, refusal):
    site.answer = lambda h, body: refusal if b"/posts/bad" in body else (200, b"ok")
    box.write("one", "bad", "two")
    report = box.deliver()
    assert (report.delivered, report.dead) == (2, 1)
    assert box.statuses() == ["delivered", "dead", "delivered"]
    assert "bad path" in box.rows()[1]["last_error"]


def test_a_message_that_breaks_the_site_does_not_take_the_others_with_it(box, site):
    site.answer = lambda h, body: (500, b"") if b"/posts/bad" in body else (200, b"ok")
    box.write("bad", "one", "two")
    for _ in range(4):
        box.hurry()
        box.deliver(max_attempts=4)
    assert box.statuses() == ["dead", "delivered", "delivered"]


def test_a_message_is_given_up_after_its_tries_and_delivered_when_it_is_retried(box, site):
    site.answer = lambda h, b: (500, b"")
    box.write("one")
    for _ in range(3):
        box.hurry()
        box.deliver(max_attempts=3)
    (row,) = box.rows()
    assert (row["status"], row["attempts"]) == ("dead", 3)
    site.answer = lambda h, b: (200, b"")
    with box.database.transaction() as connection:
        assert outbox.retry(connection, [row["id"], 77]) == ([row["id"]], {77: "there is no such message"})
    assert box.deliver().delivered == 1
    with box.database.transaction() as connection:
        assert outbox.retry(connection, [row["id"]])[1] == {row["id"]: "it is delivered: only dead ones are retried"}


def test_pauses_grow_to_an_hour_and_differ():
    def delay(attempts):
        message = outbox.Message(id=1, kind="purge", subject="s", payload={}, attempts=attempts)
        return outbox.Settled(message=message, status="waiting").delay

    assert timedelta(seconds=2.5) <= delay(1) <= timedelta(seconds=5)
    assert timedelta(seconds=40) <= delay(5) <= timedelta(seconds=80)
    assert timedelta(minutes=30) <= delay(1_000_000) <= timedelta(hours=1)
    assert len({delay(5) for _ in range(20)}) > 1


def test_two_deliverers_share_the_work_and_keep_the_order_of_each_post(box, site, monkeypatch):
    monkeypatch.setattr(delivery, "TOGETHER", 3)
    for version in range(5):
        for post in range(6):
            box.write(f"{post}-{version}", subject=f"post:{post}")

    def slowly(handler, body):
        time.sleep(0.01)
        return 200, b""

    site.answer = slowly

    def work():
        with Database(box.database.url) as database:
            deliver(database, box.targets(), max_attempts=12)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box.deliver()  # what was second of its post while the other had the first
    assert set(box.statuses()) == {"delivered"}
    assert {row["attempts"] for row in box.rows()} == {1}
    told = [path.removeprefix("/posts/") for body in site.bodies() for path in body["paths"] if path != "/"]
    for post in range(6):
        assert [slug for slug in told if slug.startswith(f"{post}-")] == [f"{post}-{version}" for version in range(5)]


class Crash(Exception):
    pass


def test_what_was_told_before_a_crash_is_told_again_by_the_next_and_not_before_the_first_must_be_gone(box, site):
    box.write("one")
    box.write("one again", subject="post:one")

    def crash(point):
        if point == "settle_messages.before":
            raise Crash

    arm(crash)
    try:
        with pytest.raises(Crash):
            box.deliver()
    finally:
        arm(None)
    assert len(site.asked) == 1
    assert box.deliver().delivered == 0  # in the hands of one that may yet live; the second waits for the first
    with box.database.transaction() as connection:
        connection.execute("UPDATE outbox SET taken_until = now() WHERE taken_until > now()")
    assert box.deliver().delivered == 2
    assert [body["paths"][1] for body in site.bodies()] == ["/posts/one", "/posts/one", "/posts/one again"]


def test_one_that_comes_back_late_settles_nothing(box):
    box.write("one")
    with box.database.transaction() as connection:
        (late,) = outbox.take(connection, "revalidate", limit=5)
        connection.execute("UPDATE outbox SET taken_until = now()")
    with box.database.transaction() as connection:
        (again,) = outbox.take(connection, "revalidate", limit=5)
    with box.database.transaction() as connection:
        outbox.settle(connection, [outbox.Settled(message=late, status="dead", error="late")])
    assert box.statuses() == ["waiting"]
    with box.database.transaction() as connection:
        outbox.settle(connection, [outbox.Settled(message=again, status="delivered")])
    assert box.statuses() == ["delivered"]


def test_a_message_is_held_longer_than_the_longest_telling():
    def longest(client, more=0):
        config = client.meta.config
        return (config.connect_timeout + config.read_timeout) * (config.retries["total_max_attempts"] + more)

    store = S3Store(bucket="b", endpoint_url="http://127.0.0.1:1", access_key_id="i", secret_access_key="k")
    of_store = longest(store.client, more=1)  # a HEAD is tried past boto3 first
    for call in (targets.SECONDS, longest(Cdn(distribution_id="E1")._client()), of_store):
        assert (
            call + delivery.ALONE_SECONDS + call < outbox.VISIBILITY_TIMEOUT.total_seconds()
        )  # all; one by one; the last


def test_objects_are_deleted_and_only_then_purged_each_purge_under_one_reference(box, cdn):
    box.write("x", kind="delete", subject="image:k.png", payload={"keys": ["k.png", "k-256.webp"]})

    def refuse(keys):
        raise GladError("the store is away")

    told = Cdn(distribution_id="E1")
    assert box.deliver(delete=refuse, cdn=told).waiting == 1
    assert cdn.asked == []
    box.hurry()
    assert box.deliver(cdn=told).delivered == 2
    assert box.deleted == ["k.png", "k-256.webp"]
    ((path, _, body),) = cdn.asked
    assert path == "/2020-05-31/distribution/E1/invalidation"
    items = [each.text for each in ElementTree.fromstring(body).iter() if each.tag.endswith("Path")]
    assert items == ["/k.png", "/k-256.webp"]
    with box.database.transaction() as connection:
        connection.execute("UPDATE outbox SET status = 'waiting', taken_until = NULL WHERE kind = 'purge'")
    box.deliver(cdn=told)
    first, second = (ElementTree.fromstring(body).findtext("{*}CallerReference") for _, _, body in cdn.asked)
    assert first == second  # CloudFront takes it for the same request


def test_a_deletion_does_not_wait_for_a_cdn_that_is_away(box, cdn):
    cdn.answer = lambda h, b: (503, b"")
    image = {"subject": "image:k.png"}
    box.write("x", kind="purge", payload={"paths": ["/k.png"]}, **image)
    box.write("x", kind="delete", payload={"keys": ["k.png"]}, **image)
    box.deliver(cdn=Cdn(distribution_id="E1"))
    assert box.deleted == ["k.png"]
    assert box.statuses() == ["waiting", "delivered", "waiting"]
    cdn.answer = lambda h, b: (201, b"<Invalidation><Id>I1</Id></Invalidation>")
    box.hurry()
    box.deliver(cdn=Cdn(distribution_id="E1"))
    box.deliver(cdn=Cdn(distribution_id="E1"))
    assert box.statuses() == ["delivered"] * 3


def test_no_run_is_asked_for_while_a_message_waits_for_an_earlier_one(box, site):
    site.answer = lambda h, b: (500, b"")
    box.write("one")
    box.deliver()
    box.write("again", subject="post:one")

    def overdue(**set_to):
        with box.database.transaction() as connection:
            for column, value in set_to.items():
                connection.execute(f"UPDATE outbox SET {column} = now() - %s WHERE id = 2", [value])
            return outbox.overdue(connection)

    assert not overdue(next_attempt_at=timedelta(minutes=1))
    assert box.deliver().delivered == 0
    site.answer = lambda h, b: (200, b"")
    with box.database.transaction() as connection:
        connection.execute("UPDATE outbox SET next_attempt_at = now() - interval '1 minute'")
    assert overdue()


def test_what_cloudfront_complains_about_is_readable(box, cdn):
    box.write("x", kind="purge", payload={"paths": ["/x"]})
    error = "<ErrorResponse><Error><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>"
    for code, status, words in [
        ("NoSuchDistribution", "waiting", "AWS_CLOUDFRONT_DISTRIBUTION_ID"),
        ("AccessDenied", "waiting", "cloudfront:CreateInvalidation"),
        ("InvalidArgument", "dead", "InvalidArgument"),
    ]:
        cdn.answer = lambda h, b, code=code: (400, error.format(code, "no").encode())
        box.hurry()
        box.deliver(cdn=Cdn(distribution_id="E1"))
        (row,) = box.rows()
        assert row["status"] == status
        assert words in row["last_error"]


def test_what_was_delivered_long_ago_is_forgotten_and_the_dead_are_kept(box):
    box.write("one", "two", "three")
    box.deliver()
    with box.database.transaction() as connection:
        connection.execute("UPDATE outbox SET ended_at = now() - interval '31 days' WHERE id <> 3")
        connection.execute("UPDATE outbox SET status = 'dead' WHERE id = 2")
    box.deliver()
    assert [row["id"] for row in box.rows()] == [2, 3]


# --- in the graph ---


@pytest.fixture
def told(world, site, monkeypatch):  # noqa: F811
    """A world whose site is told."""
    monkeypatch.setenv("GLAD_SITE_URL", site.url)
    monkeypatch.setenv("GLAD_REVALIDATE_SECRET", SECRET)
    return world


def test_a_run_tells_the_site_which_pages_have_changed(told, site):
    told.add("a hill", title="Hill")
    result = told.run()
    assert metadata(result, "site_revalidations")["delivered"] == 1
    assert site.bodies() == [{"paths": ["/", "/posts/hill", "/sitemap.xml"], "tags": ["post:hill", "posts"]}]
    assert SECRET not in str(list(result.all_events))


def test_post_status_and_message_commit_together_or_not_at_all(told, site):
    told.add("a hill", title="Hill")

    def crash(point):
        if point == "publish.before":
            raise Crash

    arm(crash)
    try:
        told.run(expect_success=False)
    finally:
        arm(None)
    assert (told.posts(), told.statuses(), told.sql("SELECT * FROM outbox")) == ([], ["generated"], [])
    told.run()
    assert len(told.posts()) == len(told.sql("SELECT * FROM outbox")) == len(site.asked) == 1


def test_a_site_that_is_down_fails_no_run_and_the_sensor_asks_for_another_delivery(told, site):
    site.answer = lambda h, b: (500, b"down")
    told.add("a hill", title="Hill")
    result = told.run()
    assert told.statuses() == ["published"]
    seen = metadata(result, "site_revalidations")
    assert seen["will_be_tried_again"] == 1
    assert "answers 500: down" in str(seen["errors"])

    def tick():
        url = f"{told.connection.info.dsn} password={told.connection.info.password}"
        data = look(told.instance, url)
        return data.skip_message, asked(data)

    assert "no message is due" in tick()[0]
    told.sql("UPDATE outbox SET next_attempt_at = now() - interval '1 minute'")
    assert tick() == (None, ["deliver_messages"])
    site.answer = lambda h, b: (200, b"")
    job = build_defs().resolve_job_def("deliver_messages")
    tags = (
        look(told.instance, f"{told.connection.info.dsn} password={told.connection.info.password}").run_requests[0].tags
    )
    run = told.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING, tags=tags)
    assert "under way" in tick()[0]
    told.instance.report_run_failed(run)
    assert "runs failed" in tick()[0]
    result = job.execute_in_process(instance=told.instance)
    assert metadata(result, "site_revalidations")["delivered"] == 1
    assert "no message is due" in tick()[0]


def test_dead_messages_warn(told, site):
    site.answer = lambda h, b: (400, b"what?")
    told.add("a hill", title="Hill")
    result = told.run()
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "no_dead_message"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "glad outbox retry --dead" in check.description


def test_the_outbox_from_a_terminal(told, site, capsys):
    def glad(*arguments):
        code = cli.main(["outbox", *arguments])
        return (code, *capsys.readouterr())

    assert glad("list")[:2] == (0, "the outbox is empty\n")
    assert glad("deliver")[:2] == (0, "nothing waits\n")
    site.answer = lambda h, b: (401, b"")
    told.add("a hill", title="Hill")
    told.run()
    code, out, _ = glad("list")
    assert code == 0
    assert "revalidate" in out
    assert "1 waiting" in out
    code, out, error = glad("deliver")
    assert (code, out) == (1, "1 to be tried again\n")
    assert "GLAD_REVALIDATE_SECRET" in error
    told.sql("UPDATE outbox SET status = 'dead', ended_at = now()")
    assert glad("retry", "99")[0] == 1
    assert glad("retry", "--dead")[:2] == (0, "to be delivered again: 1\n")
    site.answer = lambda h, b: (200, b"")
    assert glad("deliver")[:2] == (0, "1 delivered\n")
    (row,) = json.loads(glad("list", "--status", "delivered", "--json")[1])
    assert row["payload"]["paths"] == ["/", "/posts/hill", "/sitemap.xml"]
    code, _, error = glad("list", "--status", "lost")
    assert code == 2
    assert "waiting, delivered, skipped, dead" in error


# --- posts that people edit ---


@pytest.fixture(params=["a", "b", "c", "d"])
def blog(request, database_url, s3, monkeypatch):
    """A world on each version of the blog's schema."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute((BLOGS / f"{request.param}.sql").read_text())
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    migrate(database_url)
    blog = World(database_url)
    with closing(blog.connection):
        yield blog


FIRST = "00000000-0000-4000-8000-000000000001"


def post_of(blog):
    return blog.sql("SELECT * FROM posts WHERE id = %s", FIRST)[0]


@pytest.mark.few(1)
def test_a_post_edited_meanwhile_is_left_alone_until_a_person_approves(blog):
    prompt = blog.add("a hill", post_id=FIRST)
    blog.run("prompts", "generated_images", "s3_objects")
    assert blog.statuses() == ["generated"]
    blog.sql("UPDATE posts SET title = 'Edited', updated_at = now() + interval '1 second' WHERE id = %s", FIRST)
    before = post_of(blog)
    result = blog.run("published_posts")
    assert post_of(blog) == before
    assert blog.statuses() == ["awaiting_approval"]
    told = blog.prompts()[prompt]["last_error"]
    assert "was edited at" in told
    assert f"glad prompts approve {prompt}" in told
    [event] = [e for e in result.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    seen = event.asset_observation_data.asset_observation.metadata
    assert seen["conflicts"].value == 1
    assert told in seen["edited_meanwhile"].value
    assert cli.main(["prompts", "approve", str(prompt)]) == 0
    blog.run("published_posts")
    assert blog.statuses() == ["published"]
    after = post_of(blog)
    assert after["title"] == "Edited"
    assert after["featured_image_url"] == blog.sql("SELECT url FROM images")[0]["url"]


@pytest.mark.few(1)
@pytest.mark.parametrize("blog", ["b"], indirect=True)
def test_an_edit_between_two_runs_of_which_the_first_died_is_an_edit(blog):
    prompt = blog.add("a hill", post_id=FIRST)
    blog.run("prompts")  # claims it, and gives it back unfinished
    blog.sql("UPDATE posts SET title = 'Edited', updated_at = now() + interval '1 second' WHERE id = %s", FIRST)
    blog.run()
    assert blog.prompts()[prompt]["status"] == "awaiting_approval"
    assert cli.main(["prompts", "approve", str(prompt)]) == 0
    blog.run()
    assert blog.prompts()[prompt]["status"] == "published"
    blog.sql("UPDATE posts SET updated_at = now() + interval '2 seconds' WHERE id = %s", FIRST)
    blog.run(config={"prompt_ids": [prompt]})  # redone on purpose: the approval was for one publication
    assert blog.prompts()[prompt]["status"] == "awaiting_approval"
    assert cli.main(["prompts", "approve", str(prompt)]) == 0  # the post as it is now
    blog.run()
    assert blog.prompts()[prompt]["status"] == "published"


@pytest.mark.few(1)
@pytest.mark.parametrize("blog", ["a", "d"], indirect=True)
def test_a_posts_first_edit_ever_is_an_edit(blog):
    blog.sql("UPDATE posts SET updated_at = NULL WHERE id = %s", FIRST)  # as in blogs that set it at an edit alone
    ids = [blog.add(f"a hill {n}", post_id=FIRST) for n in range(3)]
    blog.run("prompts", "generated_images", "s3_objects")
    blog.sql("UPDATE prompts SET publish_at = '2100-01-01' WHERE id = %s", ids[2])
    blog.run("published_posts")
    assert blog.statuses() == ["published"] * 2 + ["generated"]  # what we wrote ourselves is none
    blog.sql("UPDATE posts SET updated_at = NULL WHERE id = %s", FIRST)
    again = blog.add("a tree", post_id=FIRST)
    blog.run("prompts", "generated_images", "s3_objects")
    blog.sql("UPDATE posts SET title = 'Edited', updated_at = now() WHERE id = %s", FIRST)
    before = post_of(blog)
    blog.run("published_posts")
    assert post_of(blog) == before
    assert blog.prompts()[again]["status"] == "awaiting_approval"


@pytest.mark.few(1)
@pytest.mark.parametrize("blog", ["d"], indirect=True)
def test_our_own_writes_are_no_edits_in_one_batch_or_two(blog):
    ids = [blog.add(f"a hill {n}", post_id=FIRST) for n in range(4)]
    blog.run("prompts", "generated_images", "s3_objects")
    blog.sql("UPDATE prompts SET publish_at = '2100-01-01' WHERE id = ANY(%s)", ids[2:])
    blog.run("published_posts")
    blog.sql("UPDATE prompts SET publish_at = NULL WHERE id = %s", ids[2])
    blog.run("published_posts")
    assert blog.statuses() == ["published"] * 3 + ["generated"]
    blog.sql("UPDATE posts SET content = 'mine', updated_at = now() + interval '1 second' WHERE id = %s", FIRST)
    blog.sql("UPDATE prompts SET publish_at = NULL")
    blog.run("published_posts")
    assert blog.statuses() == ["published"] * 3 + ["awaiting_approval"]
