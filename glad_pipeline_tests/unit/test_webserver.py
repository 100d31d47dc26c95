"""How the settings become the guard before Dagster's web UI, and the token that they do not name."""

import pytest

from glad_pipeline.defs import webserver
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.guard import Access, Guard
from glad_pipeline.local import web
from glad_pipeline.settings import load_settings

TOKEN = "a-token-of-this-deployment"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("GLAD_HOME", str(tmp_path / "home"))


@pytest.fixture
def served(monkeypatch):
    """What uvicorn would have been given: the application and the options."""
    given = []
    monkeypatch.setattr(webserver, "_serve", lambda app, **options: given.append((app, options)))
    return given


def test_the_token_is_made_once_for_its_owner_alone_and_anew_when_it_is_removed():
    token = web.access(load_settings()).token
    file = load_settings().home / "web-token"
    assert file.read_text() == token
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(token) >= 32
    assert web.access(load_settings()).token == token
    file.unlink()
    assert web.access(load_settings()).token not in (token, None)
    file.write_text("\n")
    with pytest.raises(GladError, match="holds no token"):
        web.access(load_settings())


def test_the_address_for_people_has_the_token_unless_they_have_a_password_or_need_nothing(monkeypatch):
    url = "http://127.0.0.1:3000"
    monkeypatch.setenv("GLAD_WEB_TOKEN", "a+token&of/this?deployment")
    assert web.address(url, load_settings()) == f"{url}/guard/login?token=a%2Btoken%26of%2Fthis%3Fdeployment"
    assert not (load_settings().home / "web-token").exists()
    monkeypatch.setenv("GLAD_WEB_PASSWORD", "correct horse battery")
    assert web.address(url, load_settings()) == url
    monkeypatch.delenv("GLAD_WEB_PASSWORD")
    monkeypatch.setenv("GLAD_WEB_TOKEN", "off")
    assert web.address(url, load_settings()) == url


@pytest.mark.parametrize(
    ("name", "value"), [("GLAD_WEB_HOSTS", "glad.example"), ("GLAD_WEB_PASSWORD", "correct horse battery")]
)
def test_no_token_is_refused_where_others_are_expected(monkeypatch, name, value):
    monkeypatch.setenv("GLAD_WEB_TOKEN", "off")
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name):
        web.access(load_settings())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "glad.example", ""])
def test_no_token_is_refused_where_others_could_reach_it(monkeypatch, served, host):
    monkeypatch.setenv("GLAD_WEB_TOKEN", "off")
    with pytest.raises(UsageError, match="GLAD_WEB_TOKEN is off"):
        webserver.serve_guarded(object(), host=host, port=3000)
    webserver.serve_guarded(object(), host="127.0.0.1", port=3000)
    assert len(served) == 1


def test_what_is_served_is_guarded_believes_no_proxy_that_is_not_named_and_logs_no_address(monkeypatch, served):
    monkeypatch.setenv("GLAD_WEB_TOKEN", TOKEN)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own
    application = object()
    webserver.serve_guarded(application, host="127.0.0.1", port=3000, log_level="info")
    monkeypatch.setenv("GLAD_WEB_HOSTS", "Glad.Example., 2001:DB8::1")
    monkeypatch.setenv("GLAD_WEB_PROXIES", "10.0.0.1, 10.1.0.0/16")
    webserver.serve_guarded(application, host="0.0.0.0", port=3000, log_level="info")
    (alone, first), (behind, second) = served
    assert isinstance(alone, Guard)
    assert alone._app is application
    assert alone._access == Access(token=TOKEN)
    assert first == {"host": "127.0.0.1", "port": 3000, "log_level": "info", "proxy_headers": False,
                     "forwarded_allow_ips": [], "access_log": False, "server_header": False}  # fmt: skip
    assert behind._hosts - alone._hosts == {"glad.example", "2001:db8::1"}
    assert (second["proxy_headers"], second["forwarded_allow_ips"]) == (True, ["10.0.0.1", "10.1.0.0/16"])


def test_dagster_s_command_serves_through_the_guard(monkeypatch, served):
    """Its own function, as far as it hands its application on."""
    from dagster_webserver import cli

    monkeypatch.setattr(cli, "main", lambda: cli.uvicorn.run("Dagster's application", host="127.0.0.1", port=3000))
    monkeypatch.setattr(cli.uvicorn, "run", cli.uvicorn.run)  # put back afterwards
    webserver.main()
    assert isinstance(served[0][0], Guard)
    monkeypatch.setenv("GLAD_WEB_TOKEN", "short")
    with pytest.raises(SystemExit, match="GLAD_WEB_TOKEN"):
        webserver.main()
