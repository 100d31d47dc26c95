"""`glad status`: whether the database and the store in use answer, told in time whatever they do."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest

from glad_pipeline import cli
from glad_pipeline.local.home import Home
from glad_pipeline.operations import answers

STORE = {"AWS_S3_BUCKET": "pictures", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.fixture
def status(monkeypatch, tmp_path, capsys):
    """What `glad status --json` says, and without `--json`, with these variables."""

    def told(**variables):
        monkeypatch.setenv("GLAD_HOME", str(tmp_path / "home"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        assert cli.main(["status", "--json"]) == 0
        as_json = json.loads(capsys.readouterr().out)
        assert cli.main(["status"]) == 0
        return as_json, capsys.readouterr().out

    return told


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>log in</html>")

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    """The address of a login page."""
    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_servers_that_answer(status, migrated_url, s3):
    as_json, told = status(DATABASE_URL=migrated_url, **s3)
    queue = as_json["database"]["queue"]
    assert as_json["database"] == {"state": "answers", "reason": "", "queue": queue, "paused": ""}
    assert set(as_json["database"]["queue"].values()) == {0}
    assert as_json["store"]["state"] == "answers"
    assert [part["part"] for part in as_json["parts"]] == ["PostgreSQL", "object store", "Dagster (glad up)", "workers"]
    assert "database: answers\nstore: answers\nqueue: empty\n" in told


def test_a_database_without_our_tables_and_a_store_without_the_bucket(status, database_url, s3):
    as_json, told = status(DATABASE_URL=database_url, **{**s3, "AWS_S3_BUCKET": "no-such-bucket"})
    assert (as_json["database"]["state"], as_json["database"]["queue"]) == ("answers", None)
    assert as_json["store"]["state"] == "not a bucket"
    assert "database: answers: no tables yet; make them with: glad migrate" in told
    assert "store: not a bucket: " in told
    assert "create it or correct AWS_S3_BUCKET" in told


def test_keys_that_the_store_refuses(status, s3):
    as_json, _ = status(**{**s3, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert as_json["database"] is None
    assert as_json["store"]["state"] == "refuses"
    assert "AWS_SECRET_ACCESS_KEY" in as_json["store"]["reason"]


def test_a_page_in_place_of_a_store_and_nothing_in_place_of_a_database(status, page):
    as_json, told = status(DATABASE_URL="postgresql://u:hidden@127.0.0.1:9/blog", AWS_ENDPOINT_URL_S3=page, **STORE)
    assert as_json["store"]["state"] == "not a bucket"
    assert as_json["database"]["state"] == "does not answer"
    assert "cannot connect to PostgreSQL at 127.0.0.1:9/blog" in told
    assert "hidden" not in told


def test_servers_that_say_nothing_are_not_waited_for(status, monkeypatch):
    monkeypatch.setattr(answers, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://u:p@127.0.0.1:{port}/blog"
        _, told = status(DATABASE_URL=url, AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{port}", **STORE)
    assert "database: does not answer: no answer in 0.3 s\nstore: does not answer: no answer in 0.3 s" in told


def test_embedded_servers_that_do_not_run_are_not_asked(status):
    as_json, told = status()
    assert (as_json["database"], as_json["store"]) == (None, None)
    assert "stopped" in told


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("AWS_PROFILE", "typo", "typo"), ("AWS_CA_BUNDLE", "/no/such/file", "AWS_CA_BUNDLE is '?/no/such/file")],
)
def test_credentials_that_cannot_be_had_are_the_stores_line(status, name, value, says):
    as_json, said = status(**{**STORE, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", name: value})
    assert as_json["store"]["state"] == "does not answer"
    assert re.search(f"^store: does not answer: .*{says}", said, re.MULTILINE)


WRONG = {
    "a value": ({"GLAD_WIDTH": "1001"}, "GLAD_WIDTH is '1001'"),
    "an address": ({"AWS_ENDPOINT_URL_S3": "nowhere", **STORE}, "AWS_ENDPOINT_URL_S3: "),
    "two stores": ({"GLAD_VOLUME": "/nowhere", **STORE}, "AWS_S3_BUCKET and GLAD_VOLUME are set"),
    "a site without its secret": ({"GLAD_SITE_URL": "https://blog.example"}, "GLAD_REVALIDATE_SECRET is not"),
    "all at once": ({"GLAD_WIDTH": "1001", "GLAD_VOLUME": "/nowhere", **STORE}, "GLAD_WIDTH is '1001'"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_status_and_down_work_while_a_setting_is_wrong_and_say_so(monkeypatch, tmp_path, capsys, migrated_url, fault):
    variables, says = WRONG[fault]
    for name, value in {**variables, "GLAD_HOME": str(tmp_path / "home"), "DATABASE_URL": migrated_url}.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["status", "--json"]) == 0
    told = capsys.readouterr()
    assert says in told.err
    assert "This goes on without what is wrong" in told.err
    status = json.loads(told.out)
    assert says in status["wrong_settings"]
    assert (status["database"]["state"], status["data"]) == ("answers", str(tmp_path / "home"))
    assert cli.main(["down"]) == 0
    told = capsys.readouterr()
    assert says in told.err
    assert "nothing was running" in told.out
    assert cli.main(["prompts", "list"]) == 2  # what depends on settings does not guess


def test_what_a_killed_up_has_left_is_seen_until_it_has_ended(status, tmp_path, capsys):
    home = Home(tmp_path / "home").prepare()
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    created = psutil.Process(left.pid).create_time()
    (home.path / "up.json").write_text(
        json.dumps({"pid": left.pid, "created": created - 1, "url": "", "children": [[left.pid, created]]})
    )
    as_json, told = status()
    (row,) = [part for part in as_json["parts"] if part["part"] == "Dagster (glad up)"]
    assert (row["state"].split(",")[0], row["pid"]) == ("was killed", str(left.pid))
    assert "./glad down ends it at once" in told
    assert cli.main(["down"]) == 0
    assert left.wait(timeout=10) == -signal.SIGTERM
    assert "was killed" not in status()[1]
