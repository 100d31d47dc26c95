"""Settings: read from the environment, refused clearly, and documented as they are."""

import importlib

import pytest
from botocore import configprovider

from glad_pipeline.cli.app import main
from glad_pipeline.cli.runtime import require_store
from glad_pipeline.errors import UsageError
from glad_pipeline.settings import Settings, load_settings, unknown_variables, variables_of


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
        ("GLAD_RUN_SECONDS", "0"),
        ("GLAD_RUN_SECONDS", "14401"),
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


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("GLAD_BATCHSIZE", "GLAD_BATCH_SIZE"),
        ("glad_batchsize", "GLAD_BATCH_SIZE"),
        ("GLAD_WEBPORT", "GLAD_WEB_PORT"),
        ("GLAD_MODELL", "GLAD_MODEL"),
        ("GLAD_QUITE_ANOTHER_THING", ""),
        ("AWS_S3_BUCKTE", "AWS_S3_BUCKET"),
        ("AWS_S3BUCKET", "AWS_S3_BUCKET"),
        ("AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        ("AWS_CLOUDFRONT_DOMAIN_NAME", "AWS_CLOUDFRONT_DOMAIN"),
        ("AWS_CLOUDFRONT_DISTRIBUTION", "AWS_CLOUDFRONT_DISTRIBUTION_ID"),
    ],
)
def test_a_variable_that_is_no_setting_is_named_with_the_nearest_one(name, nearest):
    assert unknown_variables({name: "3", "GLAD_WIDTH": "512"}) == {name: nearest}


def _of_boto3():
    """Every environment variable that botocore reads."""
    tables = [table for table in vars(configprovider).values() if isinstance(table, dict)]
    named = [entry[1] for table in tables for entry in table.values() if isinstance(entry, tuple) and len(entry) > 1]
    return {name for each in named if each for name in ([each] if isinstance(each, str) else each)}


def test_settings_and_what_others_read_are_no_false_alarm():
    ours = {name for field in Settings.model_fields.values() for name in variables_of(field)}
    assert "AWS_S3_USE_ARN_REGION" in _of_boto3()
    launcher = {
        "GLAD_TORCH_INDEX",
        "GLAD_EMBEDDED",
        "GLAD_FUZZ",
        "GLAD_MODEL_EXAMPLES",
        "_GLAD_COMPLETE",
        "AWS_PROFILE",
    }
    assert unknown_variables(dict.fromkeys(ours | {name.lower() for name in ours} | launcher | _of_boto3(), "x")) == {}
    assert unknown_variables({"GLAD_BATCHSIZE": ""}) == {}  # empty: absent


def test_what_kubernetes_sets_for_a_service_of_that_name_is_no_false_alarm():
    service = {
        "GLAD_WEBSERVER_SERVICE_HOST": "10.0.0.7",
        "GLAD_WEBSERVER_SERVICE_PORT": "3000",
        "GLAD_WEBSERVER_SERVICE_PORT_HTTP": "3000",
        "GLAD_WEBSERVER_PORT": "tcp://10.0.0.7:3000",
        "GLAD_WEBSERVER_PORT_3000_TCP": "tcp://10.0.0.7:3000",
        "GLAD_WEBSERVER_PORT_3000_TCP_ADDR": "10.0.0.7",
    }
    assert unknown_variables(service) == {}
    assert unknown_variables({"GLAD_WBE_PORT": "1"} | service) == {"GLAD_WBE_PORT": "GLAD_WEB_PORT"}


def test_a_command_and_the_code_location_warn_once_and_show_no_value(monkeypatch, capsys, caplog):
    from glad_pipeline import definitions

    monkeypatch.setenv("GLAD_WEB_PASSWORT", "hidden")
    assert main(["settings"]) == 0
    said = capsys.readouterr().err
    assert said.count("GLAD_WEB_PASSWORT is no setting and changes nothing. Is GLAD_WEB_PASSWORD meant?") == 1
    importlib.reload(definitions)
    assert caplog.text.count("Is GLAD_WEB_PASSWORD meant?") == 1
    assert "hidden" not in said + caplog.text


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (
            {"AWS_S3_BUCKTE": "b", "DATABASE_URL": "postgresql://127.0.0.1/blog"},
            "AWS_S3_BUCKTE is no setting, AWS_S3_BUCKET is",
        ),
        ({"DATABASE_URL": "postgresql://db.example/blog"}, "AWS_S3_BUCKET is not"),
        ({"DATABASE_URL": "postgresql://127.0.0.1,db.example/blog"}, "AWS_S3_BUCKET is not"),
        ({"DATABASE_URL": "postgresql://127.0.0.1/blog"}, None),
        ({"DATABASE_URL": "postgresql:///blog?host=/var/run"}, None),
        ({"AWS_S3_BUCKTE": "b"}, None),  # a database of ours: the warning is enough
        ({"AWS_S3_FORCE_PATH_STYLE": "1", "DATABASE_URL": "postgresql://127.0.0.1/blog"}, None),  # another tool's
        ({"DATABASE_URL": "postgresql:///blog", "PGHOST": "db.example"}, "posts in db.example:5432/blog"),
        ({"DATABASE_URL": "postgresql://localhost/blog", "PGHOSTADDR": "192.0.2.1"}, "AWS_S3_BUCKET is not"),
        ({"DATABASE_URL": "postgresql:///blog"}, None),
        ({"DATABASE_URL": "postgresql:///?service=prod"}, "AWS_S3_BUCKET is not"),
        ({"DATABASE_URL": "postgresql:///blog", "PGSERVICE": "prod"}, "AWS_S3_BUCKET is not"),
        ({"DATABASE_URL": "postgresql://127.0.0.1/blog", "PGHOST": "db.example", "PGSERVICE": "prod"}, None),
        ({"DATABASE_URL": "postgresql://db.example/blog", "GLAD_EMBEDDED_STORE": "true"}, None),
    ],
)
def test_posts_of_a_database_of_ones_own_get_no_urls_of_the_embedded_store_unasked(monkeypatch, given, refused):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    if refused is None:
        require_store(load_settings())
        return
    with pytest.raises(UsageError, match=refused) as error:
        require_store(load_settings())
    assert "GLAD_EMBEDDED_STORE=true" in str(error.value)
