"""Every route by nobody, with a key of each scope, and by a session without its CSRF token: who gets what docs/gateway.md
says, and what nobody, or another one, may change is not changed.

The routes are those of the application: one that is neither in that document's table nor in OTHERS fails here.
"""

import re
from pathlib import Path

import httpx2
import pytest
from fastapi.routing import iter_route_contexts

from glad_pipeline.callers.keys import SCOPES, allows, make_key
from glad_pipeline.gateway.app import build_app
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.studio_rows import prompt_in, sql

DOCUMENT = Path(__file__).parents[2] / "docs" / "gateway.md"
EVERYBODY = ()
OF_A_SESSION = ("session",)
OTHERS = {  # beside the studio's table: which scopes are enough
    **dict.fromkeys(["GET /healthz", "GET /readyz", "GET /openapi.json", "GET /images/{}"], EVERYBODY),
    **dict.fromkeys([f"GET /api/{each}" for each in ("posts", "categories", "tags", "authors")], EVERYBODY),
    **dict.fromkeys([f"GET /api/{each}/{{}}" for each in ("posts", "categories", "tags", "authors")], EVERYBODY),
    **dict.fromkeys(["GET /api/posts/{}/around", "GET /api/posts/{}/picture"], EVERYBODY),
    **dict.fromkeys(["GET /api/sitemap", "GET /api/sitemap/{}"], EVERYBODY),
    "GET /api/media/health": EVERYBODY,
    "POST /api/studio/session": EVERYBODY,  # with a key in its body
    "GET /api/studio/session": OF_A_SESSION,
    "DELETE /api/studio/session": OF_A_SESSION,
    "GET /api/caller": ("read",),
    "GET /metrics": ("read",),
    "POST /api/media/generate-image": ("submit",),
    "POST /api/media/{}/publish": ("submit",),
    "GET /api/media/tasks/{}": ("submit", "read"),
    "GET /api/media/tasks/{}/events": ("submit", "read"),
}


def plain(path):
    return re.sub(r"{[^}]*}", "{}", path)


def documented():
    """The scopes of the studio's routes as its table has them: `GET x`, `POST y`, `z` | `read`; `submit` or `review`."""
    text = DOCUMENT.read_text().partition("\n## Studio\n")[2]
    found = {}
    for routes, scopes in re.findall(r"^\| (`(?:GET|POST|PATCH|PUT|DELETE) [^|]*) \| ([^|]*) \|", text, re.MULTILINE):
        method, folder = "", ""
        parts = [tuple(re.findall(r"`(\w+)`", part)) for part in scopes.split(";")]  # each names all that are enough
        methods = dict.fromkeys(re.findall(r"`(GET|POST|PATCH|PUT|DELETE) ", routes))
        scopes_of = dict(zip(methods, parts if len(parts) > 1 else parts * len(methods), strict=True))
        for each in re.findall(r"`([^`]*)`", routes):
            words = each.split()
            method, path = (words[0], words[1]) if len(words) > 1 else (method, words[0])
            path = path if "/" in path or len(words) > 1 else f"{folder}/{path}"
            folder = path.partition("/")[0]
            found[f"{method} /api/studio/{plain(path)}"] = scopes_of[method]
    return found


EXPECTED = {**documented(), **OTHERS}


def sample(schema, document):
    """A value that the schema allows, with nothing that may be left out."""
    for name in ("examples", "enum"):
        if name in schema:
            return schema[name][0]
    if "$ref" in schema:
        return sample(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    ways = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if schema.get("type") == "object":
        needed = [*schema.get("required", ()), *(ways[0]["required"] if ways else ())]
        return {each: sample(schema["properties"][each], document) for each in needed}
    if ways:
        return sample(ways[0], document)
    if schema.get("type") == "array":
        return [sample(schema["items"], document)]
    return {"string": "x" * max(1, schema.get("minLength", 1)), "integer": schema.get("minimum", 1)}.get(
        schema.get("type"), schema.get("const", True)
    )


def requests_of(app):
    """`METHOD path` with `{}` for what varies, and what to send: as right as can be, so that it would be done."""
    document = app.openapi()
    for route in iter_route_contexts(app.routes):
        for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
            operation = document["paths"].get(re.sub(r":\w+}", "}", route.path), {}).get(method.lower(), {})
            path = re.sub(r"{[^}]*}", lambda found: {"job_id": "x" * 16}.get(found[0][1:-1], "17"), route.path)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            sent = {"json": sample(body["schema"], document)} if body else {}
            if "application/octet-stream" in operation.get("requestBody", {}).get("content", {}):
                sent = {"content": b"prompt\na hill\n"}
            wait = {"wait": 0} if route.path.endswith("generate-image") else None
            yield f"{method} {plain(route.path)}", {"method": method, "url": path, "params": wait, **sent}


@pytest.fixture
def rows(database):
    """`rows()`: all of every table, but for when a key was last used."""
    names = [row["t"] for row in sql(database, "SELECT tablename AS t FROM pg_tables WHERE schemaname = 'public'")]

    def read():
        return {
            name: sql(
                database,
                f"SELECT coalesce(jsonb_agg(to_jsonb(t) - 'last_used_at' ORDER BY t::text), '[]') AS all FROM {name} t",
            )
            for name in names
        }

    return read


def status_of(client, request):
    """And the words of a problem; what streams is not read."""
    with client.stream(**request) as answer:
        is_problem = answer.headers.get("content-type") == "application/problem+json"
        detail = answer.read() and answer.json()["detail"] if is_problem else ""
        return answer.status_code, detail


def test_each_route_is_for_whom_the_document_says_and_nobody_else_changes_anything(settings, database, rows):
    free = settings.model_copy(update={"gateway_rate": "off", "gateway_key_rate": "off"})
    for state in ("pending", "failed", "awaiting_approval", "ready", "generated") * 4:
        prompt_in(database, state, source="another")
    routes = dict(requests_of(build_app(free)))
    assert routes.keys() == EXPECTED.keys()
    with served(free) as address:
        make_key(database, "site", ["read"])  # which somebody may try to revoke
        keys = {scope: make_key(database, scope, [scope])[1] for scope in SCOPES}
        clients = {scope: {"Authorization": f"Bearer {key}"} for scope, key in keys.items()}
        clients = {
            who: httpx2.Client(base_url=address, headers=headers, timeout=60) for who, headers in clients.items()
        }
        clients["nobody"] = httpx2.Client(base_url=address, timeout=60)
        clients["session"] = httpx2.Client(base_url=address, timeout=60)
        assert clients["session"].post("/api/studio/session", json={"key": keys["admin"]}).status_code == 200
        before, allowed = rows(), []
        for route, request in routes.items():
            for who, client in clients.items():
                expected = _refusal(route, who)
                if expected is None:
                    allowed.append((route, request, who))
                    continue
                status, detail = status_of(client, request)
                assert (status, bool(detail)) == (expected, True), (route, who, detail)
        assert rows() == before
        for route, request, who in allowed:
            status, detail = status_of(clients[who], request)
            is_meant = "needs admin" in detail or route == "POST /api/studio/session"  # by what is asked for
            assert status not in (401, 403, 500) or is_meant, (route, who, detail)
    assert rows() != before


def _refusal(route, who):
    """The status that this caller is answered; None: it may."""
    scopes, changes = EXPECTED[route], not route.startswith("GET ")
    if who == "session":
        return 403 if changes and scopes != EVERYBODY else None
    if scopes == OF_A_SESSION or (who == "nobody" and scopes != EVERYBODY):
        return 401
    if scopes == EVERYBODY or any(allows([who], scope) for scope in scopes):
        return None
    return 403
