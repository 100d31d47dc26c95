"""What is said of a Supabase project's address and key, before anybody is asked."""

import base64
import json

import pytest

from glad_pipeline.errors import UsageError
from glad_pipeline.redaction import redact
from glad_pipeline.settings import load_settings
from glad_pipeline.settings.supabase import problem_of_key, problem_of_project_url
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.supabase_names import is_taken


def jwt(payload):
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({"alg": "HS256"}, payload)
    ) + (".signature")


@pytest.mark.parametrize(
    "url",
    [
        "https://abcdefgh.supabase.co",
        "https://abcdefgh.supabase.co/",
        "https://supabase.example.com:8443",
        "http://127.0.0.1:54321",
        "http://localhost:54321",
    ],
)
def test_the_address_of_a_project_is_taken(url):
    assert problem_of_project_url(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("abcdefgh.supabase.co", "https:// before it"),
        ("", "https:// before it"),
        ("ftp://abcdefgh.supabase.co", "https:// before it"),
        ("http://abcdefgh.supabase.co", "begin with https://"),
        ("http://127.0.0.1.example.com", "begin with https://"),
        ("https://abcdefgh.supabase.co/storage/v1", "behind the host"),
        ("https://abcdefgh.supabase.co?a=b", "behind the host"),
        ("https://abcdefgh.supabase.co/#x", "behind the host"),
        ("https://user:geheim@abcdefgh.supabase.co", "user or password"),
        ("https://abc:port", "has to be the project's address"),
        ("https://[::1", "has to be the project's address"),
        ("https://ab cd.supabase.co", "host is none"),
    ],
)
def test_what_is_no_address_of_a_project_is_told_and_not_repeated(url, problem):
    found = problem_of_project_url(url)
    assert problem in found
    assert "geheim" not in found


@pytest.mark.parametrize(
    "key", ["sb_secret_abc-DEF_123", jwt({"role": "service_role"}), jwt({"role": "service_role", "x": "ü?>"})]
)
def test_a_key_that_may_store_is_taken(key):
    assert problem_of_key(key) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("sb_publishable_abc", "the publishable key, which visitors' browsers have"),
        (jwt({"role": "anon"}), "the anon key, which visitors' browsers have"),
        (jwt({"role": "authenticated"}), "of another role"),
        (jwt({}), "of another role"),
        (jwt(["role"]), "no key of Supabase"),
        ("a.b.c", "no key of Supabase"),
        ("geheim", "no key of Supabase"),
        ("sb_secret_", "no whole key"),
        ("sb_secret_abc…", "no whole key"),
    ],
)
def test_a_key_that_may_not_store_is_refused_with_the_reason_and_not_repeated(key, problem):
    found = problem_of_key(key)
    assert problem in found
    assert "sb_secret_" in found  # which one to take
    assert "geheim" not in found


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        ("generated/ab/cd.png", True),
        ("a b+c@d", True),
        ("", False),
        ("a//b", False),
        ("/a", False),
        ("a/../b", False),
        ("./a", False),
        ("ü", False),
        ("a%20b", False),
        ("a#b", False),
        ("a\nb", False),
        ("x" * 901, False),
    ],
)
def test_keys_are_those_that_supabase_takes_and_no_way_leads_up(key, taken):
    assert is_taken(key) is taken


SETTINGS = {"SUPABASE_URL": "https://abcdefgh.supabase.co", "SUPABASE_KEY": "sb_secret_abcdefgh"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SUPABASE_KEY": "sb_publishable_geheim"}, "SUPABASE_KEY.*publishable key"),
        ({"SUPABASE_KEY": f"{jwt({'role': 'anon'})}geheim"}, "SUPABASE_KEY.*anon key"),
        ({"SUPABASE_URL": "https://abcdefgh.supabase.co/rest/v1"}, "SUPABASE_URL.*behind the host"),
        ({"SUPABASE_URL": "http://abcdefgh.supabase.co"}, "SUPABASE_URL.*begin with https"),
        ({"GLAD_SUPABASE_BUCKET": "a/b"}, "GLAD_SUPABASE_BUCKET.*letters"),
        ({"SUPABASE_KEY": ""}, "SUPABASE_URL is set and SUPABASE_KEY is not"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_variable(monkeypatch, given, told):
    for name, value in (SETTINGS | given).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"(?s){told}") as error:
        load_settings()
    assert "geheim" not in str(error.value)


def test_the_key_is_masked_wherever_it_stands_also_one_that_is_no_setting(monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    store = open_store(load_settings())
    assert SETTINGS["SUPABASE_KEY"] not in repr(store)
    assert redact("it was abcdefgh: sb_secret_another1") == "it was ***: sb_secret_***"
    assert redact("take the key sb_secret_…") == "take the key sb_secret_…"
