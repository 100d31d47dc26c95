"""The site as a process: whom it answers, what it knows, how it is told, and whom the gateway counts for it."""

import time
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

from glad_pipeline.local.home import Home
from glad_pipeline.local.site_keys import known_keys
from glad_pipeline_tests.acceptance.conftest import soon
from glad_pipeline_tests.web.site import SECRET, free_port, running


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
        assert refused("203.0.113.9, 198.51.100.2", 8)[-1], "the last address is theirs: others they may have made up"
        assert refused("198.51.100.3", 1) == [False]
        assert [get(site, f"/posts/none-{n}").status_code for n in range(8)] == [404] * 8
        # Names that somebody makes up are searches, too. Nothing is kept of them, so they count; what exists is for all.
        made_up = [get(site, f"/tags/made-up-{n}", X_Forwarded_For="198.51.100.4") for n in range(5)]
        assert (made_up[0].status_code, made_up[-1].status_code) == (404, 503)
        assert made_up[-1].headers["retry-after"] == "30"
        assert get(site, "/tags/made-up", X_Forwarded_For="198.51.100.5").status_code == 404
        assert get(site, "/tags", X_Forwarded_For="198.51.100.4").status_code == 200
        # Where no proxy writes X-Forwarded-For anybody may: what is no address is no way to ask without a limit.
        assert refused("x", 8)[-1]


@pytest.fixture(scope="module")
def bare(site, archive, tmp_path_factory):
    """As `node server.js` runs behind a proxy: it names its own host alone, and has no address of its own."""
    home, port = Home(tmp_path_factory.mktemp("bare")).prepare(), free_port()
    mine = {"GLAD_SITE_HOSTS": "blog.example.com", "GLAD_SITE_URL": ""}
    with running(archive, site.environment, port, f" {site.gateway}/ ", home, **mine):
        yield f"http://127.0.0.1:{port}"


def test_behind_a_proxy_it_has_its_pages_of_every_status(bare):
    told = {"Host": "blog.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1"}
    for path, status in (
        ("/", 200),
        ("/posts/none", 404),
        ("/tags/none", 404),
        ("/nothing", 404),
        ("/gone", 410),
        ("/away", 404),
    ):
        answer = httpx2.get(bare + path, headers=told)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
    assert (
        '<link rel="canonical" href="https://blog.example.com/categories"/>'
        in httpx2.get(f"{bare}/categories", headers=told).text
    )


def test_it_names_no_host_that_a_visitor_makes_up(bare):
    told = {"Host": "blog.example.com", "X-Forwarded-Host": "evil.example", "x-glad-host": "evil.example"}
    for path in ("/feed.xml", "/sitemap.xml", "/categories", "/robots.txt"):
        assert "evil.example" not in httpx2.get(bare + path, headers=told).text, path
    inner = {"Host": "evil.example", "x-glad-inner": "1", "x-glad-host": "evil.example"}
    assert httpx2.get(f"{bare}/", headers=inner).status_code == 421


def test_what_browsers_load_has_nothing_of_the_server(site):
    texts = [
        path.read_text(errors="replace") for path in (site.log.parents[1] / "site" / ".next" / "static").rglob("*.js")
    ]
    assert len(texts) > 5
    for secret in (
        "GLAD_REVALIDATE_SECRET",
        "GLAD_API_URL",
        "x-glad-site",
        "x-revalidate-secret",
        *known_keys().values(),
    ):
        assert not [text for text in texts if secret in text], secret
