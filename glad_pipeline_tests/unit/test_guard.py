"""The guard by itself: which requests reach the application, header by header."""

import asyncio
import base64
import time
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from hypothesis import strategies as st

from glad_pipeline.guard import LOGIN, Access, Guard, access
from glad_pipeline.guard.hosts import host_name
from glad_pipeline.guard.patience import LONGEST_WAIT, MOST_WAITING, Patience

TOKEN, PASSWORD = "a-token-of-a-deployment", "correct horse battery"
BEARER = ("Authorization", f"Bearer {TOKEN}")
JSON = ("Content-Type", "application/json")
OWN = ("Origin", "http://localhost:3000")


class Answer:
    """What the guard did: the status, the headers and the body it sent, and what the application saw (None: nothing)."""

    def __init__(self, sent, seen):
        self.seen = seen
        self.status = next((m["status"] for m in sent if m["type"] == "http.response.start"), None)
        pairs = [(k.decode().lower(), v.decode()) for m in sent for k, v in m.get("headers", ())]
        self.headers, self.all_headers = dict(pairs), pairs
        self.body = b"".join(m.get("body", b"") for m in sent).decode()
        self.closed = any(m["type"] == "websocket.close" for m in sent)

    @property
    def session(self):
        return self.headers["set-cookie"].partition(";")[0]


def ask(*headers, method="GET", path="/runs", query="", host="localhost:3000", body=b"", **options):
    """Ask a guard; `headers` as pairs, in the order given, the Host beside them unless it is None."""
    kind, scheme = options.pop("kind", "http"), options.pop("scheme", "http")
    server, client = options.pop("server", ("127.0.0.1", 3000)), options.pop("client", ("127.0.0.1", 50_000))
    seen, sent, told = [], [], [{"type": "http.request", "body": body, "more_body": False}]

    async def application(scope, receive, send):
        seen.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"x")]})
            await send({"type": "http.response.body", "body": b"secret runs"})

    async def receive():
        return told.pop()

    async def send(message):
        sent.append(message)

    guard = options.pop("guard", None) or Guard(
        application, access=options.pop("access", Access(token=TOKEN)), **options
    )
    guard._app = application
    pairs = [*([] if host is None else [("Host", host)]), *headers]
    scope = {
        "type": kind,
        "scheme": scheme,
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "server": server,
        "client": client,
    }
    if kind == "websocket":
        del scope["method"]
    asyncio.run(guard(scope, receive, send))
    return Answer(sent, seen[0] if seen else None)


def log_in(given, *headers, after="/runs", **options):
    form = urlencode({"password": given, "after": after}).encode()
    return ask(OWN, *headers, method="POST", path=LOGIN, body=form, **options)


def cookie(**options):
    """A session, as the header that a browser sends."""
    return ("Cookie", f"other=1; {log_in(TOKEN, **options).session}")


HOSTS = [
    ("localhost", True),
    ("localhost:3000", True),
    ("LOCALHOST:3000", True),
    ("localhost.:3000", True),
    ("127.0.0.1:8080", True),  # another port: a tunnel
    ("[::1]:3000", True),
    ("[::1]", True),
    ("[0:0:0:0:0:0:0:1]:3000", True),
    ("Glad.Example.com.", True),
    ("glad.example.com:443", True),
    ("evil.example", False),
    ("localhost.evil.example", False),
    ("evil.example:3000", False),
    ("127.0.0.1.evil.example", False),
    ("localhost:3000@evil.example", False),
    ("evil.example, localhost", False),
    ("localhost evil.example", False),
    ("localhost/evil", False),
    ("localhost\t", False),
    ("::1", False),
    ("[::1%25eth0]", False),
    ("0.0.0.0:3000", False),
    ("127.1", False),
    ("2130706433", False),
    ("localhost:port", False),
    ("..", False),
    (".", False),
    ("", False),
    (None, False),
]


@pytest.mark.parametrize(("host", "ours"), HOSTS, ids=[repr(host) for host, _ in HOSTS])
def test_only_the_hosts_of_this_deployment_are_answered(host, ours):
    answer = ask(BEARER, host=host, hosts=["glad.example.com"])
    assert (answer.status, answer.seen is not None) == ((200, True) if ours else (403, False))
    if not ours:
        assert "GLAD_WEB_HOSTS" in answer.body


ORIGINS = [
    ("http://localhost:3000", True),
    ("HTTP://LOCALHOST:3000".lower(), True),
    ("http://LOCALHOST.:3000", True),
    ("null", False),
    ("", False),
    ("http://evil.example", False),
    ("http://localhost", False),
    ("http://localhost:8000", False),  # a page of another program of this machine
    ("http://127.0.0.1:3000", False),
    ("https://localhost:3000", False),
    ("http://localhost:3000.evil.example", False),
    ("http://localhost:3000/", False),
    ("http://localhost:3000 http://evil.example", False),
    ("file://", False),
    ("chrome-extension://abcdefgh", False),
]


@pytest.mark.parametrize(("origin", "ours"), ORIGINS, ids=[repr(origin) for origin, _ in ORIGINS])
@pytest.mark.parametrize("shown", [BEARER, cookie()], ids=["token", "session"])
def test_a_request_of_another_page_is_refused_whatever_it_shows(origin, ours, shown):
    posted = ask(shown, JSON, ("Origin", origin), method="POST", path="/graphql")
    fetched = ask(shown, ("Origin", origin))
    opened = ask(shown, ("Origin", origin), kind="websocket", scheme="ws", path="/graphql")
    assert [answer.seen is not None for answer in (posted, fetched, opened)] == [ours] * 3
    assert opened.closed is not ours
    assert (posted.status, fetched.status) == ((200, 200) if ours else (403, 403))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense", ""])
@pytest.mark.parametrize(
    ("mode", "target"),
    [
        ("no-cors", "image"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("navigate", "embed"),
        ("websocket", "websocket"),
        (None, None),
    ],
)
def test_what_another_site_loads_or_frames_is_refused_also_without_an_origin(site, mode, target):
    told = [("Sec-Fetch-Site", site)]
    told += [("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", target)] if mode else []
    for shown in (BEARER, cookie()):
        assert ask(shown, *told).status == 403
        assert ask(shown, *told, JSON, OWN, method="POST", path="/graphql").status == 403
        assert ask(shown, *told, OWN, kind="websocket", scheme="ws").seen is None


def test_a_link_on_another_site_may_be_followed_and_posts_nothing():
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert ask(cookie(), *link).status == 200
    assert ask(cookie(), *link, JSON, method="POST").status == 403
    # the browser keeps the session back; from the page that it gets instead the same address is asked for once more
    onward = ask(*link, ("Accept", "text/html"), path="/runs/1", query="tab=<logs>")
    assert (onward.status, onward.seen) == (200, None)
    assert 'content="0;url=/runs/1?tab=%3Clogs%3E"' in onward.body


def test_a_program_without_a_browsers_headers_needs_the_token_and_nothing_else():
    assert ask(BEARER, JSON, method="POST", path="/graphql").status == 200
    assert ask(BEARER, path="/server_info").status == 200
    assert ask(BEARER, kind="websocket", scheme="ws").seen is not None
    assert ask(("Authorization", f"bearer  {TOKEN} ")).status == 200
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    assert ask(("Authorization", f"Basic {basic}"), JSON, method="POST").status == 200
    # browsers keep such a login and send it from any page
    assert ask(("Authorization", f"Basic {basic}"), ("Sec-Fetch-Site", "same-origin")).status == 401


WRONG = ["", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", "Bearer \xff\xfe", TOKEN,
         f"Basic {TOKEN}", "Basic ====", f"Digest {TOKEN}", f"Bearer {PASSWORD}", "Bearer None", "Bearer off"]  # fmt: skip


@pytest.mark.parametrize("shown", WRONG)
def test_a_wrong_token_is_told_how_to_show_the_right_one(shown):
    answer = ask(("Authorization", shown), access=Access(token=TOKEN, password=PASSWORD))
    assert (answer.status, answer.seen) == (401, None)
    assert "Bearer TOKEN" in answer.body
    assert answer.headers["www-authenticate"] == "Bearer"  # not Basic: a browser would ask, and remember
    assert ask(("Authorization", shown), kind="websocket", scheme="ws").closed


def test_whoever_shows_nothing_sees_nothing():
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY"):
        answer = ask(JSON, method=method, path="/graphql")
        assert (answer.status, answer.seen) == (401, None)
    assert ask(kind="websocket", scheme="ws").closed
    person = ask(("Accept", "text/html,*/*"))
    assert person.status == 401
    assert "<form" in person.body
    assert "secret" not in person.body


def test_a_session_changes_nothing_unless_a_header_says_which_page_asks():
    assert ask(cookie()).status == 200
    assert ask(cookie(), JSON, method="POST").status == 403
    assert ask(cookie(), kind="websocket", scheme="ws").seen is None
    assert ask(cookie(), JSON, OWN, method="POST").status == 200
    assert ask(cookie(), JSON, ("Sec-Fetch-Site", "same-origin"), method="POST").status == 200
    assert ask(cookie(), OWN, kind="websocket", scheme="ws").seen is not None


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql",
     "text/plain; application/json", "application/jsonx", "application/json, text/plain"],
)  # fmt: skip
def test_what_changes_something_is_json_and_nothing_that_a_form_can_send(kind):
    headers = [("Content-Type", kind)] if kind else []
    answer = ask(cookie(), OWN, *headers, method="POST", path="/graphql", query="query=mutation{x}")
    assert (answer.status, answer.seen) == (415, None)
    assert ask(BEARER, ("Content-Type", "Application/JSON; charset=utf-8"), method="POST").status == 200


@pytest.mark.parametrize(
    "path", ["/graphql", "/GraphQL", "/graphql/", "/graphql\n", "/dagster/graphql", "//graphql", "/a?/graphql"]
)
def test_graphql_in_an_address_is_never_run(path):
    for method in ("GET", "HEAD"):
        refused = ask(BEARER, method=method, path=path, query="query=mutation{launch}")
        assert (refused.status, refused.seen) == (405, None)
        page = ask(BEARER, ("Accept", "text/html"), method=method, path=path, query="query=mutation{launch}")
        assert page.seen["query_string"] == b""
    assert ask(BEARER, path="/runs", query="q=1").seen["query_string"] == b"q=1"


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site", "Authorization", "Content-Type"])
def test_a_header_that_is_there_twice_is_refused(name):
    told = {
        "Host": "localhost:3000",
        "Origin": OWN[1],
        "Sec-Fetch-Site": "none",
        "Authorization": BEARER[1],
        "Content-Type": JSON[1],
    }
    assert ask(*told.items(), host=None, method="POST").status == 200
    assert ask(*told.items(), (name, told[name]), host=None, method="POST").status == 403


def test_nobody_may_frame_or_embed_what_is_answered_whatever_it_is():
    for answer in (ask(BEARER), ask(), ask(("Accept", "text/html")), ask(host="evil.example"), log_in("wrong")):
        policies = [value for name, value in answer.all_headers if name == "content-security-policy"]
        assert "frame-ancestors 'none'" in policies
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("content-security-policy", "x") in ask(BEARER).all_headers  # the application's own stays


def test_the_printed_address_becomes_a_session_and_says_the_token_to_nobody_else():
    answer = ask(path=LOGIN, query=f"token={TOKEN}")
    assert answer.status == 200
    assert 'content="0;url=/"' in answer.body
    assert TOKEN not in answer.body
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    told = answer.headers["set-cookie"].lower()
    assert all(word in told for word in ("httponly", "samesite=strict", "path=/", "max-age="))
    assert "secure" not in told
    assert TOKEN not in told
    assert ask(("Cookie", answer.session)).status == 200
    wrong = ask(path=LOGIN, query="token=wrong")
    assert (wrong.status, "set-cookie" in wrong.headers) == (401, False)


def test_behind_tls_the_cookie_is_for_tls_alone():
    secure = {"scheme": "https", "host": "glad.example.com", "hosts": ["glad.example.com"]}
    answer = ask(path=LOGIN, query=f"token={TOKEN}", **secure)
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert "secure" in answer.headers["set-cookie"].lower()
    session = ("Cookie", answer.session)
    own = ("Origin", "https://glad.example.com")
    assert ask(session, own, JSON, method="POST", **secure).status == 200
    assert ask(session, own, kind="websocket", **{**secure, "scheme": "wss"}).seen is not None
    plain = ask(session, own, JSON, method="POST", **{**secure, "scheme": "http"})  # no proxy that is believed said TLS
    assert plain.status == 403
    assert "GLAD_WEB_PROXIES" in plain.body


def test_a_session_that_is_forged_old_or_of_another_token_opens_nothing(monkeypatch):
    name, _, value = ask(path=LOGIN, query=f"token={TOKEN}").session.partition("=")
    until, nonce, seal = value.split(".")
    later = str(int(until) + 1)
    for forged in (
        "",
        "..",
        value[:-1],
        f"{later}.{nonce}.{seal}",
        f"{until}.{nonce}x.{seal}",
        f"{seal}",
        f"²²²²²²²²²².{nonce}.{seal}",
    ):
        assert ask(("Cookie", f"{name}={forged}".encode().decode("latin-1"))).status == 401
    assert ask(("Cookie", f"x={value}")).status == 401
    assert (
        ask(("Cookie", f"{name}=junk; {name}={value}; é\x80".encode().decode("latin-1"))).status == 200
    )  # others' cookies
    assert ask(("Cookie", f"{name}={value}"), access=Access(token="another token of 20 letters")).status == 401
    assert ask(("Cookie", f"{name}={value}"), access=Access(token=TOKEN, password=PASSWORD)).status == 401
    in_time = time.time() + access.SESSION_SECONDS
    monkeypatch.setattr(access.time, "time", lambda: in_time - 5)
    assert ask(("Cookie", f"{name}={value}")).status == 200
    monkeypatch.setattr(access.time, "time", lambda: in_time + 5)
    assert ask(("Cookie", f"{name}={value}")).status == 401


def test_a_password_or_the_token_typed_logs_in_and_leads_where_the_person_wanted():
    both = Access(token=TOKEN, password=PASSWORD)
    for given in (PASSWORD, TOKEN):
        answer = log_in(given, access=both, after="/runs?q=a b")
        assert (answer.status, answer.headers["location"]) == (303, "/runs?q=a%20b")
        assert ask(("Cookie", answer.session), access=both).status == 200
    assert ask(("Authorization", f"Bearer {PASSWORD}"), access=both).status == 401  # guessed at full speed
    for given in ("", "wrong", PASSWORD + " ", PASSWORD.upper(), "\udcff"):
        refused = log_in(given.encode("utf-8", "surrogateescape"), access=both)
        assert (refused.status, "set-cookie" in refused.headers) == (401, False)
        assert "not the password" in refused.body
    assert log_in(PASSWORD).status == 401  # where no password is set
    assert log_in("").status == 401


@pytest.mark.parametrize(
    "after",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\r\nSet-Cookie: x=1", "/\t/evil"],
)
def test_a_login_leads_to_no_other_site(after):
    assert log_in(TOKEN, after=after).headers["location"] == "/"


def test_a_prefix_stands_before_the_login_too():
    under = {"prefix": "/dagster"}
    assert 'action="/dagster/guard/login"' in ask(("Accept", "text/html"), path="/dagster/runs", **under).body
    assert 'content="0;url=/dagster/"' in ask(path=f"/dagster{LOGIN}", query=f"token={TOKEN}", **under).body
    assert ask(path=LOGIN, query=f"token={TOKEN}", **under).status == 401


NAMES = ["Host", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Accept", "Content-Type", "Cookie",
         "Authorization", "X-Forwarded-Host", "X-Forwarded-Proto", "Upgrade", "Referer"]  # fmt: skip
WORDS = ["localhost", "127.0.0.1:3000", "http://localhost:3000", "null", "same-origin", "none", "navigate", "document",
         "text/html", "application/json", "Bearer ", "Basic Og==", Access(token=TOKEN).cookie + "=1.2.3", "https"]  # fmt: skip
LATIN = st.text(st.characters(max_codepoint=255), max_size=30)


@hypothesis.settings(deadline=None, max_examples=300)
@hypothesis.given(
    headers=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(WORDS) | LATIN), max_size=8),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]) | st.text(max_size=5),
    path=st.sampled_from(["/", LOGIN, "/graphql"]) | st.text(max_size=20).map("/".__add__),
    query=st.sampled_from(["", "token=", "query=mutation", "token=%ff&token=x"])
    | st.text(st.characters(max_codepoint=127)),
    body=st.sampled_from([b"", b"password=", b"after=//x&password=x"]) | st.binary(max_size=50),
    kind=st.sampled_from(["http", "websocket"]),
)
def test_nothing_without_the_token_ever_gets_past_and_nothing_makes_the_guard_fail(
    headers, method, path, query, body, kind
):
    answer = ask(
        *headers,
        method=method,
        path=path,
        query=query,
        body=body,
        kind=kind,
        access=Access(token=TOKEN, password=PASSWORD),
    )
    assert answer.seen is None
    assert "secret" not in answer.body
    assert "set-cookie" not in answer.headers
    assert answer.closed or answer.status in (200, 401, 403, 405, 413, 429)


def test_a_login_page_says_what_it_was_sent_only_as_text():
    answer = ask(("Accept", "text/html"), path='/"><script>alert(1)</script>', query='"><img src=x>')
    assert "<script" not in answer.body
    assert "<img" not in answer.body
    policy = answer.headers["content-security-policy"] + str(answer.all_headers)
    assert "default-src 'none'" in policy


def test_another_page_cannot_log_anybody_in_and_a_login_is_short():
    form = urlencode({"password": TOKEN}).encode()
    for origin in ("null", "http://evil.example"):
        assert ask(("Origin", origin), method="POST", path=LOGIN, body=form).status == 403
    assert ask(OWN, method="POST", path=LOGIN, body=b"password=" + b"x" * 9_000).status == 413
    assert ask(method="PUT", path=LOGIN).status == 405


def test_without_a_token_this_machine_is_asked_for_nothing_and_other_pages_are_refused_as_ever():
    nobody = {"access": Access(token=None)}
    assert ask(**nobody).status == 200
    assert ask(JSON, method="POST", **nobody).status == 200
    assert ask(OWN, kind="websocket", scheme="ws", **nobody).seen is not None
    assert ask(path=LOGIN, **nobody).status == 303
    assert ask(("Origin", "http://evil.example"), JSON, method="POST", **nobody).status == 403
    assert ask(host="evil.example", **nobody).status == 403
    assert ask(("Sec-Fetch-Site", "same-site"), **nobody).status == 403
    assert ask(method="POST", **nobody).status == 415
    for server in (("10.0.0.5", 3000), ("0.0.0.0", 3000), ("/tmp/socket", None), None):
        assert ask(server=server, **nobody).status == 403


class Clock:
    """A time that passes when somebody sleeps."""

    def __init__(self):
        self.now = 1_000.0
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def guesses(patience, *rights, address="10.0.0.1"):
    async def one_after_another():
        return [await patience.guess(address, lambda right=right: right) for right in rights]

    return asyncio.run(one_after_another())


def test_wrong_passwords_make_each_next_one_wait_longer_and_the_right_one_is_still_taken():
    clock = Clock()
    patience = Patience(clock.sleep, lambda: clock.now)
    assert guesses(patience, *[False] * 20, True) == [False] * 20 + [True]
    assert clock.slept[0] == 0
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] == LONGEST_WAIT
    guesses(patience, True)
    assert clock.slept[-1] == 0  # forgiven


def test_one_client_does_not_slow_another_and_a_network_of_addresses_is_one_client():
    clock = Clock()
    patience = Patience(clock.sleep, lambda: 1_000.0)  # all in one instant
    guesses(patience, *[False] * 6)
    guesses(patience, True, address="10.0.0.2")
    assert clock.slept[-1] == 0
    for number in range(6):
        guesses(patience, False, address=f"2001:db8::{number:x}")
    assert clock.slept[-1] > 1
    for number in range(3_000):
        guesses(patience, False, address=f"10.1.{number // 250}.{number % 250}")
    assert len(patience._clients) <= 1_001
    assert clock.slept[-1] == LONGEST_WAIT


def test_guesses_of_one_client_at_once_are_looked_at_in_turn_and_not_more_than_a_few_wait():
    looked, most = [], []

    async def at_once():
        gate = asyncio.Event()

        async def sleep(seconds):
            await gate.wait()

        patience = Patience(sleep)

        def is_right():
            looked.append(1)
            return False

        tries = [asyncio.create_task(patience.guess("10.0.0.1", is_right)) for _ in range(50)]
        await asyncio.sleep(0)
        most.append(len(looked))
        gate.set()
        return await asyncio.gather(*tries)

    answers = asyncio.run(at_once())
    assert (answers.count(False), answers.count(None)) == (MOST_WAITING, 50 - MOST_WAITING)
    assert most == [0]


def test_the_token_and_a_session_are_never_made_to_wait_by_somebody_who_guesses():
    class Never(Patience):
        async def guess(self, address, is_right):
            raise AssertionError("waited")

    both = {"access": Access(token=TOKEN, password=PASSWORD), "patience": Never()}
    assert log_in(TOKEN, **both).status == 303
    assert ask(BEARER, **both).status == 200
    assert ask(path=LOGIN, query=f"token={TOKEN}", **both).status == 200


def test_too_many_guesses_are_told_so_with_the_way_in_that_is_left():
    class Full(Patience):
        async def guess(self, address, is_right):
            return None

    answer = log_in("wrong", access=Access(token=TOKEN, password=PASSWORD), patience=Full())
    assert answer.status == 429
    assert "token" in answer.body


def test_secrets_are_not_in_what_the_guard_says_of_itself():
    assert TOKEN not in repr(Access(token=TOKEN, password=PASSWORD))
    assert PASSWORD not in repr(Access(token=TOKEN, password=PASSWORD))


def test_a_host_is_read_as_a_browser_means_it():
    assert host_name("[0:0::1]:1") == host_name("[::1]") == "::1"
    assert host_name("A.B.:80") == "a.b"
