"""The site as a process: whom it answers, what it knows, how it is told, and whom the gateway counts for it."""

import json
import re
import time
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

from glad_pipeline.http_client import local_status
from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import gone
from glad_pipeline.local.site_keys import known_keys
from glad_pipeline_tests.acceptance.conftest import soon
from glad_pipeline_tests.web.site import SECRET


def get(site, path, **headers):
    return httpx2.get(f"{site.url}{path}", headers={name.replace("_", "-"): each for name, each in headers.items()})


def test_it_answers_by_its_own_names_only(site):
    assert get(site, "/").status_code == 200
    port = urlsplit(site.url).port
    assert get(site, "/", Host=f"localhost:{port}").status_code == 200
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example"):
        for path in ("/", "/api/revalidate", "/studio", "/feed.xml"):
            assert get(site, path, Host=name).status_code == 421, (name, path)


def test_there_is_no_second_copy_of_pictures_and_no_file_beside_the_pages(site):
    for path in ("/_next/image?url=%2Fa.png&w=640&q=75", "/server.js", "/package.json", "/.next/BUILD_ID", "/unpacked"):
        assert get(site, path).status_code == 404, path
    assert "x-powered-by" not in get(site, "/").headers


def test_its_process_knows_no_database_and_no_store(site):
    port = urlsplit(site.url).port
    [pid] = {each.pid for each in psutil.net_connections("tcp") if each.laddr.port == port and each.status == "LISTEN"}
    found = psutil.Process(pid)
    [place] = {each.laddr.ip for each in found.net_connections("tcp") if each.status == "LISTEN"}
    assert place == "127.0.0.1"
    assert not {"DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "GLAD_HOME"} & set(found.environ())


def test_what_was_published_is_on_the_page_within_seconds(site):
    site.add("a heron in the reeds", title="The heron that stayed", category="Birds")
    site.run()
    soon(lambda: "The heron that stayed" in get(site, "/").text, seconds=10)


def test_pages_are_made_anew_for_whoever_has_the_secret(site):
    told = {"paths": ["/"], "tags": ["posts"]}
    for secret in ({}, {"x-revalidate-secret": SECRET[:-1]}, {"x-revalidate-secret": ""}):
        assert httpx2.post(f"{site.url}/api/revalidate", json=told, headers=secret).status_code == 401
    done = httpx2.post(f"{site.url}/api/revalidate", json=told, headers={"x-revalidate-secret": SECRET})
    assert done.status_code == 200, done.text


def test_one_visitor_who_asks_too_much_keeps_nobody_else_out(serve):
    with serve(GLAD_GATEWAY_RATE="5/day") as site:

        def refused(visitor, number):
            answers = [
                get(site, f"/search?q=heron{time.monotonic_ns()}", X_Forwarded_For=visitor) for _ in range(number)
            ]
            return ["Too many searches" in answer.text for answer in answers]

        many = refused("198.51.100.1", 8)
        assert not many[0]
        assert many[-1], "the gateway does not count this visitor"
        assert refused("198.51.100.2", 1) == [False]
        assert refused("198.51.100.3, 198.51.100.1", 1) == [True]  # the last one is theirs
        assert [get(site, f"/posts/none-{n}", X_Forwarded_For=f"203.0.113.{n}").status_code for n in range(8)] == [
            404
        ] * 8


# ---- `glad up`


@pytest.fixture(scope="module")
def up(everything):
    return describe(Home(everything.home))


def test_glad_up_serves_blog_and_studio_and_says_where(everything, up):
    assert httpx2.get(up["site"]).status_code == 200
    assert httpx2.get(f"{up['site']}/studio", follow_redirects=True).status_code == 200
    told = everything.glad("status")
    assert re.search(r"^site +running +http://127\.0\.0\.1:\d+", told, re.MULTILINE)
    assert everything.exports["GLAD_SITE_URL"] == up["site"]


def test_the_keys_of_its_installation_are_its_own(everything):
    manifest = (everything.home / "site" / ".next" / "prerender-manifest.json").read_text()
    assert not [key for key in known_keys().values() if key in manifest]


@pytest.fixture(scope="module")
def post(everything):
    """One that the sensor has published by itself."""
    (row,) = everything.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at night', 'Night bay') RETURNING id")
    everything.wait_until_published(row["id"], seconds=300)
    (post,) = everything.sql("SELECT id, slug FROM posts WHERE title = 'Night bay'")
    return post


def test_a_row_becomes_a_post_on_the_site(up, post):
    soon(lambda: "Night bay" in httpx2.get(up["site"]).text, seconds=10)
    assert "Night bay" in httpx2.get(f"{up['site']}/posts/{post['slug']}").text


@pytest.mark.usefixtures("post")
def test_the_doctor_finds_that_the_site_takes_the_secret_and_shows_the_pictures(everything):
    found = json.loads(everything.glad("doctor", "--quick", "--json"))
    said = [each for each in found["checks"] if each["check"].startswith(("site", "images"))]
    assert {each["level"] for each in said} == {"ok"}, said
    assert "lets pages show pictures of http://127.0.0.1" in str(said)


def test_what_the_terminal_takes_down_is_gone_from_the_site(everything, up, post):
    everything.glad("posts", "unpublish", str(post["id"]), "--reason", "a test")
    soon(lambda: "Night bay" not in httpx2.get(up["site"]).text, seconds=10)
    assert httpx2.get(f"{up['site']}/posts/{post['slug']}").status_code == 410
    messages = everything.sql("SELECT status FROM outbox WHERE kind = 'revalidate'")
    assert {each["status"] for each in messages} == {"delivered"}


def test_it_is_started_again_where_it_ends_and_ends_with_the_rest(everything, up):
    port = urlsplit(up["site"]).port
    [pid] = {each.pid for each in psutil.net_connections("tcp") if each.laddr.port == port and each.status == "LISTEN"}
    victim = psutil.Process(pid)
    victim.kill()
    soon(lambda: gone(victim) and local_status(port, "/robots.txt") is not None, seconds=60)
