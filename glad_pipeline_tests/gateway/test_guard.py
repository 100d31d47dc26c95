"""What other pages, other names and wrong requests get, on a real socket."""

import re

import httpx2
import pytest

from glad_pipeline.errors import UsageError
from glad_pipeline.gateway.serving import require_reachable
from glad_pipeline.guard.hosts import origin_of
from glad_pipeline_tests.gateway.conftest import raw, served

A_LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
)


@pytest.fixture
def settings(settings):
    return settings.model_copy(
        update={
            "gateway_hosts": "api.example, fd00::7",
            "gateway_origins": "https://blog.example, http://localhost:3001",
            "site_url": "https://site.example/en/",
        }
    )


def key_of(client):
    return client.headers["Authorization"].removeprefix("Bearer ")


def test_it_answers_to_its_own_names_and_is_nobody_under_another(gateway):
    for host in ("localhost", "127.0.0.1:9", "[::1]:80", "API.example.", "[fd00::7]:8000"):
        assert raw(gateway, f"GET /openapi.json HTTP/1.1\r\nHost: {host}\r\n").startswith("HTTP/1.1 200"), host
    for host in ("evil.example", "api.example.evil.example", "", "127.0.0.1.evil.example", "a b", "localhost:x"):
        refused = raw(gateway, f"GET /openapi.json HTTP/1.1\r\nHost: {host}\r\n")
        assert refused.startswith(("HTTP/1.1 403", "HTTP/1.1 400")), host
        assert '"openapi"' not in refused
    for probe in ("healthz", "readyz"):  # whatever name a probe knows; they tell nothing
        assert raw(gateway, f"GET /{probe} HTTP/1.1\r\nHost: 10.1.2.3\r\n").startswith("HTTP/1.1 200")
    for name in ("Host: localhost", "Authorization: Bearer x", "Origin: https://blog.example"):
        twice = raw(gateway, f"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n{name}\r\n{name}\r\n")
        assert twice.startswith(("HTTP/1.1 403", "HTTP/1.1 400")), name


def test_a_page_of_another_origin_changes_nothing(client_with):
    key = key_of(client_with("read"))
    for headers in (*FOREIGN, A_LINK):
        refused = client_with().post("/api/studio/session", json={"key": key}, headers=headers)
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json"), headers
        assert "set-cookie" not in refused.headers
    assert client_with().post("/api/studio/session", json={"key": key}).status_code == 200


def test_a_session_does_not_go_along_with_another_page(client_with):
    client = client_with()
    client.post("/api/studio/session", json={"key": key_of(client_with("admin"))})
    for headers in (*FOREIGN, {"Origin": "https://blog.example"}):
        assert client.get("/api/studio/session", headers=headers).status_code == 401, headers
    for headers in ({}, A_LINK, {"Sec-Fetch-Site": "same-origin"}):
        assert client.get("/api/studio/session", headers=headers).status_code == 200, headers


def test_a_listed_page_and_the_site_may_read_what_they_have_a_key_for_and_no_other_page(client_with):
    client = client_with("read")
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin in ("https://blog.example", "http://localhost:3001", "https://site.example"):
        allowed = client.options("/api/caller", headers={"Origin": origin, **asked})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, origin)
        assert "access-control-allow-credentials" not in allowed.headers
        answer = client.get("/api/caller", headers={"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
        assert "ETag" in answer.headers["access-control-expose-headers"]
    refused = client.options("/api/caller", headers={"Origin": "https://evil.example", **asked})
    answer = client.get("/api/caller", headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403
    assert not {"access-control-allow-origin"} & (set(refused.headers) | set(answer.headers))
    assert "Origin" in client.get("/healthz").headers["vary"]  # a cache keeps one answer for each
    own = str(client.base_url).rstrip("/")
    assert client.get("/api/caller", headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_every_answer_has_safe_headers_and_an_id_and_a_line_in_the_log(client_with, capfd):
    client = client_with("read")
    for number, path in enumerate(("/healthz", "/nowhere?secret=1", "/api/caller")):
        headers = client.get(path, headers={"X-Request-Id": f"a-1.b_{number}"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["x-request-id"] == f"a-1.b_{number}"
        assert "server" not in headers
    made = client.get("/healthz", headers={"X-Request-Id": "no good; id=x"}).headers["x-request-id"]
    assert len(made) == 16
    told = ""
    while f"id={made}" not in told:  # a line is written after its answer
        told += capfd.readouterr().err
    lines = [line.partition(" gateway.request ")[2] for line in told.splitlines() if "id=a-1.b_" in line]
    assert [re.sub(r" ms=[0-9.]+", "", line) for line in lines] == [
        "method=GET route=/healthz status=200 caller=- id=a-1.b_0",
        "method=GET route=none status=404 caller=- id=a-1.b_1",
        "method=GET route=/api/caller status=200 caller=key-0 id=a-1.b_2",
    ]
    assert "secret" not in told


def test_origins_are_written_as_browsers_write_them():
    for text in ("https://a.example", "http://a.example:8000", "http://[::1]:3000"):
        assert str(origin_of(text)) == text
    assert str(origin_of("https://A.example:443")) == "https://a.example"


def test_only_a_listed_proxy_says_what_a_request_came_by_and_https_has_a_cookie_of_its_own(client_with, settings):
    key = {"key": key_of(client_with("read"))}

    def answered(proxies):
        with served(settings.model_copy(update={"gateway_proxies": proxies})) as address:
            origin = {"Origin": address.replace("http", "https"), "X-Forwarded-Proto": "https"}
            return httpx2.post(f"{address}/api/studio/session", json=key, headers=origin)

    assert answered(None).status_code == 403
    cookie = answered("127.0.0.0/8").headers["set-cookie"]
    assert cookie.startswith("__Host-glad-studio-")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_it_listens_for_others_only_with_a_name_for_them(settings):
    require_reachable(settings, "0.0.0.0")
    nameless = settings.model_copy(update={"gateway_hosts": None})
    require_reachable(nameless, "127.0.0.1")
    with pytest.raises(UsageError, match="GLAD_GATEWAY_HOSTS"):
        require_reachable(nameless, "0.0.0.0")


def test_who_asks_by_a_method_that_a_path_does_not_have_is_told_those_that_it_has(client_with):
    client = client_with("admin")
    for method, path, has in (
        ("OPTIONS", "/api/posts", "GET, HEAD"),
        ("POST", "/api/tags", "GET, HEAD"),
        ("PATCH", "/api/studio/prompts/retry", "POST"),
        ("PUT", "/api/studio/prompts/17", "GET, PATCH"),
        ("PUT", "/api/studio/session", "GET, POST, DELETE"),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, has), path
    assert client.get("/api/studio/prompts/retry").status_code == 405
    assert client.get("/api/studio/prompts/x").status_code == 404
    assert client.get(f"/api/studio/prompts/{'9' * 5_000}").status_code == 422
    for text, status in (("0.5", 422), ("1700000000", 422), ("2026-03-01", 200), ("2026-03-01T09:00:00Z", 200)):
        assert client.get("/api/studio/prompts", params={"until": text}).status_code == status, text
