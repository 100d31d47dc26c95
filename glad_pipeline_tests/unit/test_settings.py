"""Settings: read from the environment, refused clearly, and documented as they are."""

import pytest

from glad_pipeline.errors import UsageError
from glad_pipeline.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no .env here


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GLAD_WIDTH", "1001"),
        ("GLAD_STEPS", "-3"),
        ("GLAD_DEVICE", "tpu"),
        ("GLAD_BATCH_SIZE", "many"),
        ("GLAD_MODEL_REVISION", "main"),
        ("AWS_CLOUDFRONT_DOMAIN", "https://cdn.example.com"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=name) as caught:
        load_settings()
    assert value in str(caught.value)


def test_an_empty_value_counts_as_absent(monkeypatch):
    monkeypatch.setenv("GLAD_WIDTH", "")
    assert load_settings().width is None


def test_the_cdn_is_the_base_of_picture_urls(monkeypatch):
    monkeypatch.setenv("AWS_CLOUDFRONT_DOMAIN", "cdn.example.com")
    assert load_settings().picture_base_url == "https://cdn.example.com"
    monkeypatch.setenv("GLAD_PUBLIC_BASE_URL", "https://pictures.example.com/x")
    assert load_settings().picture_base_url == "https://pictures.example.com/x"


def test_secrets_are_not_shown(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in repr(load_settings())


@pytest.mark.parametrize("name", ["HOME", "MODEL", "WIDTH", "DEVICE", "SCHEDULE"])
def test_variables_that_are_not_ours_mean_nothing(monkeypatch, name):
    monkeypatch.delenv("GLAD_HOME", raising=False)
    monkeypatch.setenv(name, "128")
    settings = load_settings()
    assert str(settings.home) == ".glad"
    assert (settings.model, settings.width, settings.device, settings.schedule) == ("demo", None, "auto", True)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"GLAD_SITE_URL": "https://me:hidden@blog.example"}, "without user, password"),
        ({"GLAD_SITE_URL": "https://blog.example"}, "GLAD_REVALIDATE_SECRET is not"),
        ({"GLAD_SITE_URL": "https://blog.example", "GLAD_REVALIDATE_SECRET": "hidden\r\nX: y"}, "visible ASCII"),
        ({"GLAD_WEB_PASSWORD": "hidden"}, "GLAD_WEB_PASSWORD"),
        ({"GLAD_WEB_TOKEN": "hidden"}, "at least 20"),
        ({"GLAD_WEB_TOKEN": "hidden and with spaces in it"}, "visible ASCII"),
        ({"GLAD_WEB_HOSTS": "https://glad.example.com"}, "without scheme"),
        ({"GLAD_WEB_HOSTS": "glad.example.com:443"}, "without scheme and port"),
        ({"GLAD_WEB_HOSTS": "*"}, "GLAD_WEB_HOSTS"),
        ({"GLAD_WEB_PROXIES": "*"}, "IP addresses"),
        ({"GLAD_WEB_PROXIES": "10.0.0.1,proxy"}, "IP addresses"),
        ({"AWS_CLOUDFRONT_DISTRIBUTION_ID": "../E1"}, "AWS_CLOUDFRONT_DISTRIBUTION_ID"),
        (
            {"GLAD_TIMEZONE": "Europe/Atlantis"},
            "GLAD_TIMEZONE is 'Europe/Atlantis': it has to be the name of a time zone",
        ),
        ({"GLAD_TIMEZONE": "../../etc/passwd"}, "such as Europe/Berlin"),
        ({"GLAD_TIMEZONE": "UTC+2"}, "such as Europe/Berlin"),
        ({"GLAD_TIMEZONE": "Europe"}, "such as Europe/Berlin"),
        ({"GLAD_DRAW_SCHEDULED": "never"}, "GLAD_DRAW_SCHEDULED is 'never': Input should be 'ahead' or 'when-due'"),
    ],
)
def test_what_is_reached_by_others_must_be_plain_and_no_secret_is_shown(monkeypatch, variables, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as told:
        load_settings()
    assert words in str(told.value)
    assert "hidden" not in str(told.value)
