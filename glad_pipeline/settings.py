"""Every setting: its environment variable, type, default and meaning, in one place.

Read from the environment alone; `glad` puts the repository's `.env` there first. What decides how pictures are drawn
is listed in engine_options.py, without the variables. Knows no other room.
The table in docs/settings.md is made from this file (`glad settings --markdown`) and a test keeps them equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from glad_pipeline import limits
from glad_pipeline.engine_options import EngineOptions, EngineSettings
from glad_pipeline.errors import UsageError
from glad_pipeline.redaction import hide, hide_environment, hide_url, shown
from glad_pipeline.urls import ENCODED, problem_of_database_url, problem_of_web_address

Text = TypeVar("Text", str, SecretStr)


def _checked(problem_of: Callable[[str], str | None]) -> AfterValidator:
    """Refuses a text with which `problem_of` finds a problem."""

    def check(value: Text) -> Text:
        if problem := problem_of(value.get_secret_value() if isinstance(value, SecretStr) else value):
            raise ValueError(problem)
        return value

    return AfterValidator(check)


def _like(pattern: str, problem: str) -> AfterValidator:
    return _checked(lambda text: None if re.fullmatch(pattern, text) else problem)


def _problem_of_postgresql(url: str) -> str | None:
    problem = problem_of_database_url(url)
    return problem and f"{problem}. It looks like postgresql://user:password@host:5432/database; {ENCODED}"


def _problem_of_hosts(names: str) -> str | None:
    if all(re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", name.strip()) for name in names.split(",")):
        return None
    return "it has to be host names without scheme and port, separated by commas"


def _problem_of_networks(addresses: str) -> str | None:
    try:
        [ip_network(address.strip()) for address in addresses.split(",")]
    except ValueError:
        return "it has to be IP addresses or networks (10.0.0.0/8), separated by commas"
    return None


def _problem_of_zone(name: str) -> str | None:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # no such zone, or no name of one
        return "it has to be the name of a time zone, such as Europe/Berlin, America/New_York or UTC"
    return None


DatabaseUrl = Annotated[SecretStr, _checked(_problem_of_postgresql)]
WebAddress = Annotated[str, _checked(problem_of_web_address)]
VISIBLE = _like(r"[\x21-\x7e]*", "it has to be visible ASCII characters without spaces")
ONE_LINE = _like(
    r"(\S([^\x00-\x1f\x7f]*\S)?)?", "it begins or ends with a space, or has a line break or control character in it"
)
PASSWORD = _like(r"(?s:.{12,})", "it has to have at least 12 characters")
TOKEN = _like(r"off|[\x21-\x7e]{20,}", "it has to be at least 20 visible ASCII characters without spaces, or `off`")


def _variable(name: str) -> str:
    """The environment variable of a setting that names none itself."""
    return "GLAD_COMPILE" if name == "compiling" else f"GLAD_{name.upper()}"


class Settings(EngineSettings, BaseSettings):
    """What a deployment may set. Absent means the default; an empty value counts as absent."""

    # never populate_by_name: it reads the fields' own names from the environment too, and HOME is not GLAD_HOME
    model_config = SettingsConfigDict(
        alias_generator=_variable, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    # database
    database_url: DatabaseUrl | None = Field(
        None, alias="DATABASE_URL", description="PostgreSQL ≥ 14 with the blog's tables. Absent: an embedded server."
    )
    dagster_database_url: DatabaseUrl | None = Field(
        None,
        alias="DAGSTER_DATABASE_URL",
        description="Dagster's own database. Absent: `<database>_dagster` on the same server, created if missing.",
    )

    database_patience_seconds: Annotated[float, limits.DATABASE_PATIENCE_SECONDS] = Field(
        60.0,
        description="How long a run waits for a database that is unreachable before it fails; what was drawn is kept.",
    )

    # object store
    s3_bucket: str | None = Field(
        None, alias="AWS_S3_BUCKET", description="Bucket for the pictures. Absent: an embedded S3 server."
    )
    embedded_store: bool = Field(
        False,
        description="Whether posts of your own DATABASE_URL may show pictures of the embedded S3 server. Their URLs, "
        "`http://127.0.0.1…`, open on this machine only.",
    )
    s3_region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("AWS_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="Region of the bucket (also read from AWS_REGION and AWS_DEFAULT_REGION).",
    )
    s3_endpoint_url: WebAddress | None = Field(
        None, alias="AWS_ENDPOINT_URL_S3", description="Endpoint of an S3-compatible store. Absent: AWS."
    )
    s3_access_key_id: Annotated[str, VISIBLE] | None = Field(
        None, alias="AWS_ACCESS_KEY_ID", description="Absent: boto3's default chain (profile, role)."
    )
    s3_secret_access_key: Annotated[SecretStr, ONE_LINE] | None = Field(
        None, alias="AWS_SECRET_ACCESS_KEY", description="Goes with AWS_ACCESS_KEY_ID."
    )
    s3_session_token: Annotated[SecretStr, VISIBLE] | None = Field(
        None, alias="AWS_SESSION_TOKEN", description="For temporary credentials only."
    )
    cloudfront_domain: str | None = Field(
        None,
        alias="AWS_CLOUDFRONT_DOMAIN",
        pattern=r"^[A-Za-z0-9.-]+(:\d+)?$",
        description="CDN host in front of the bucket; picture URLs become `https://<domain>/<key>`.",
    )
    public_base_url: WebAddress | None = Field(
        None, description="Full base of picture URLs where neither CloudFront nor the store's own address fits."
    )

    store_patience_seconds: Annotated[float, limits.STORE_PATIENCE_SECONDS] = Field(
        600.0,
        description="How long a run waits for a store that is unreachable before it fails. It draws on meanwhile.",
    )
    spool_mb: Annotated[int, limits.SPOOL_MB] = Field(
        2_048,
        description="Most megabytes of drawn pictures that wait for the store in `spool` in GLAD_HOME (3 a picture of "
        "1024 × 1024). When it is full, drawing waits.",
    )

    # who is notified when posts change
    site_url: WebAddress | None = Field(
        None,
        description="The blog's site: `POST <site>/api/revalidate` says which pages changed. Absent: nobody is told.",
    )
    revalidate_secret: Annotated[SecretStr, VISIBLE] | None = Field(
        None, description="Goes with GLAD_SITE_URL, as the header x-revalidate-secret."
    )
    cloudfront_distribution_id: str | None = Field(
        None,
        alias="AWS_CLOUDFRONT_DISTRIBUTION_ID",
        pattern=r"^[A-Z0-9]+$",
        description="CloudFront distribution that is purged of pictures taken down. Absent: none is.",
    )
    outbox_attempts: Annotated[int, limits.ATTEMPTS] = Field(
        12,
        description="Tries, over about two hours, after which a message to site, CDN or bucket is `dead`.",
    )

    # queue
    batch_size: Annotated[int, limits.BATCH_SIZE] = Field(256, description="Most prompts one run claims.")
    lease_seconds: Annotated[int, limits.LEASE_SECONDS] = Field(
        120, description="How long a silent run keeps its prompts."
    )
    max_attempts: Annotated[int, limits.ATTEMPTS] = Field(5, description="Claims after which a prompt is `failed`.")
    draw_scheduled: Literal["ahead", "when-due"] = Field(
        "ahead",
        description="When prompts with a `publish_at` are drawn: `ahead` (at once, so that their posts appear on "
        "time), or `when-due` (not before that time: the post appears once its picture is drawn).",
    )
    timezone: Annotated[str, _checked(_problem_of_zone)] = Field(
        "UTC",
        description="Time zone of times that are given without one, and in which `glad prompts` shows times, such as "
        "`Europe/Berlin`.",
    )

    # Dagster
    sensor: bool = Field(True, description="Whether the sensor starts switched on.")
    sensor_seconds: Annotated[float, limits.SENSOR_SECONDS] = Field(
        20.0,
        description="How long one look of the sensor waits for prompts. An instance that evaluates one sensor after "
        "the other (without `sensors: use_threads` in dagster.yaml) is not kept waiting.",
    )
    pool: str = Field(
        "gpu",
        pattern=r"^[A-Za-z0-9_/.-]+$",
        description="Dagster's pool in which runs wait for the GPU. Whatever else uses the GPU can be put in it.",
    )
    pool_follows_workers: bool = Field(
        False,
        description="Whether the sensor sets the pool's limit to the number of warm workers. `glad up` does, in its "
        "own instance; elsewhere: `dagster instance concurrency set gpu N`.",
    )
    posts_expected_hours: float | None = Field(
        None,
        gt=0,
        le=8_760,
        description="The UI shows `published_posts` as overdue when nothing was published for so long. Absent: never.",
    )
    schedule: bool = Field(True, description="Whether the schedule `publish_prompts_hourly` starts switched on.")
    audit: bool = Field(True, description="Whether the schedule `audit_store_daily` starts switched on.")
    max_runtime_seconds: int = Field(14_400, ge=60, description="A run that takes longer is ended by Dagster.")

    # this machine
    env_file: Path | None = Field(
        None, description="File of settings for `glad`, read after the environment. Absent: `.env` beside README.md."
    )
    home: Path = Field(Path(".glad"), description="Where the embedded servers, secrets and logs live.")
    compile_cache: Path | None = Field(
        None, description="Folder that keeps compiled kernels for the next run. Absent: `compiled` in GLAD_HOME."
    )
    web_port: Annotated[int, limits.PORT] = Field(3000, description="Dagster's web UI; if taken, the next free one.")
    web_hosts: Annotated[str, _checked(_problem_of_hosts)] | None = Field(
        None,
        description="Names, separated by commas, by which people reach the web UI through a proxy, beside `localhost`.",
    )
    web_proxies: Annotated[str, _checked(_problem_of_networks)] | None = Field(
        None,
        description="Addresses or networks, separated by commas, of the proxies whose X-Forwarded-Proto and "
        "X-Forwarded-For are believed. Absent: nobody's.",
    )
    web_password: Annotated[SecretStr, PASSWORD] | None = Field(
        None, description="With it people log in to the web UI; programs go on using the token. At least 12 characters."
    )
    web_token: Annotated[SecretStr, TOKEN] | None = Field(
        None,
        description="What the web UI asks of everybody, at least 20 characters, or `off` on a machine with one user. "
        "Absent: made at the first start, in `web-token` in GLAD_HOME.",
    )

    @property
    def engine(self) -> EngineOptions:
        """What engines and workers are made with; nothing secret is in it."""
        return EngineOptions(
            **{name: getattr(self, name) for name in EngineSettings.model_fields},
            home=str(self.home),
            compile_cache=str(self.compile_cache or self.home / "compiled"),
            hash_cache=str(self.home / "model-hashes.json"),
        )

    @property
    def draws_ahead(self) -> bool:
        """Whether pictures are drawn before their `publish_at`."""
        return self.draw_scheduled == "ahead"

    @property
    def zone(self) -> ZoneInfo:
        """That of times without one."""
        return ZoneInfo(self.timezone)

    @property
    def picture_base_url(self) -> str | None:
        """What precedes the key in a public URL; None: the store's own address."""
        return self.public_base_url or (f"https://{self.cloudfront_domain}" if self.cloudfront_domain else None)


def load_settings() -> Settings:
    """The settings of this process.

    Raises `UsageError` that names each variable that is wrong, its value's problem and what is allowed.
    """
    hide_environment(secret_variables())
    return _whole(Settings)


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Settings by their variables' names, without a look at the environment. Raises `UsageError` as `load_settings`."""
    known = {name: field for field in Settings.model_fields.values() for name in variables_of(field)}
    if unknown := sorted(values.keys() - known.keys()):
        raise UsageError(f"no setting is called {', '.join(unknown)}. See the table in docs/settings.md")
    given = {name: value for name, value in values.items() if value not in (None, "")}
    for name, value in given.items():
        if is_secret(known[name]):
            (hide_url if name.endswith("_URL") else hide)(str(value))
    return _whole(partial(_Given, **given))


class _Given(Settings):
    """Takes what it is given and nothing else."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _whole(make: Callable[[], Settings]) -> Settings:
    """Raises `UsageError` for values that cannot be, alone or together."""
    try:
        settings = make()
    except ValidationError as error:
        problems = "; ".join(map(_described, error.errors(include_url=False)))
        raise UsageError(f"{problems}. See the table in docs/settings.md") from None  # it has the values in it
    if settings.site_url and not settings.revalidate_secret:
        raise UsageError(
            "GLAD_SITE_URL is set and GLAD_REVALIDATE_SECRET is not: set it to the secret that the site's "
            "/api/revalidate expects"
        )
    return settings


def variables_of(field: FieldInfo) -> tuple[str, ...]:
    """The environment variables that a setting is read from, the first its name."""
    alias = field.validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (str(field.alias or alias),)


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting's value is to be shown nowhere."""
    return "SecretStr" in repr(field.annotation)


def secret_variables() -> list[str]:
    """The environment variables that hold our secrets."""
    return [name for field in Settings.model_fields.values() if is_secret(field) for name in variables_of(field)]


def _described(problem: ErrorDetails) -> str:
    """A setting that is wrong: its variable, what is wrong, and its value where that is surely no secret."""
    reason = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # of several settings together, which the reason names
        return reason
    name = str(problem["loc"][0])
    value = None if "URL" in name or name in secret_variables() else shown(problem["input"])
    return f"{name}{f' is {value}' if value else ''}: {reason}"


# Variables that look like settings and are not: the launcher's, our own marks, what tests and boto3 read.
_NO_SETTINGS = {
    *("GLAD_TORCH_INDEX", "GLAD_EMBEDDED", "GLAD_FUZZ", "GLAD_MODEL_EXAMPLES"),
    *("AWS_S3_USE_ARN_REGION", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"),
    *("AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"),
}
_LIKE_SETTINGS = ("GLAD_", "AWS_S3", "AWS_CLOUDFRONT")
# Kubernetes sets these in every container for a service `glad…`
_OF_A_SERVICE = re.compile(r"_SERVICE_(?:HOST|PORT\w*)$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)\w*)?$")


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that have a value, are named like settings and are none: each with the setting it is nearest to, or "".

    pydantic takes a setting's name in any case, and so do we.
    """
    names = [name for field in Settings.model_fields.values() for name in variables_of(field)]
    known = {*names, *_NO_SETTINGS}
    suspects = [
        name
        for name, value in sorted(environment.items())
        if value and name.upper().startswith(_LIKE_SETTINGS) and name.upper() not in known
    ]
    return {
        name: next(iter(get_close_matches(name.upper(), names, n=1)), "")
        for name in suspects
        if not _is_of_a_service(name, environment)
    }


def _is_of_a_service(name: str, environment: Mapping[str, str]) -> bool:
    """Whether Kubernetes has set it for a service of that name: those have a host, too."""
    service = _OF_A_SERVICE.split(name)[0]
    return service != name and f"{service}_SERVICE_HOST" in environment


def warnings_of(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each of the `unknown_variables`, without its value: that may be a secret."""
    return [
        f"{name} is no setting and changes nothing. {f'Is {nearest} meant? ' if nearest else ''}See docs/settings.md"
        for name, nearest in unknown_variables(environment).items()
    ]
