"""Every setting that is not of drawing, the database or the store, and all of them together.

Read from the environment alone; `glad` puts the repository's `.env` there first. What decides how pictures are drawn
is listed in engine_options.py, without the variables. Knows no other room.
The table in docs/settings.md is made from these files (`glad settings --markdown`) and a test keeps them equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from glad_pipeline import limits
from glad_pipeline.engine_options import EngineOptions, EngineSettings
from glad_pipeline.errors import UsageError
from glad_pipeline.redaction import hide, hide_environment, hide_url, shown
from glad_pipeline.settings.databases import DatabaseSettings
from glad_pipeline.settings.gateway import GatewaySettings
from glad_pipeline.settings.kinds import (
    PASSWORD,
    TOKEN,
    VISIBLE,
    WebAddress,
    checked,
    problem_of_hosts,
    problem_of_networks,
    problem_of_zone,
)
from glad_pipeline.settings.pictures import PictureSettings
from glad_pipeline.settings.site import SiteSettings
from glad_pipeline.settings.stores import StoreSettings

NEEDED = ("GLAD_HOME", "DATABASE_URL", "DAGSTER_DATABASE_URL")  # whatever else is wrong


def _variable(name: str) -> str:
    """The environment variable of a setting that names none itself."""
    return "GLAD_COMPILE" if name == "compiling" else f"GLAD_{name.upper()}"


class Settings(
    SiteSettings, GatewaySettings, EngineSettings, StoreSettings, PictureSettings, DatabaseSettings, BaseSettings
):
    """What a deployment may set. Absent means the default; an empty value counts as absent."""

    # never populate_by_name: it reads the fields' own names from the environment too, and HOME is not GLAD_HOME
    model_config = SettingsConfigDict(
        alias_generator=_variable,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # as its bases, of which it alone is used
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
    run_seconds: Annotated[int, limits.RUN_SECONDS] = Field(
        600,
        description="How long one run begins further batches, from its first one on. What it has claimed by then and "
        "not begun waits for the next run.",
    )
    lease_seconds: Annotated[int, limits.LEASE_SECONDS] = Field(
        120, description="How long a silent run keeps its prompts."
    )
    longest_wait_seconds: Annotated[int, limits.LONGEST_WAIT_SECONDS] = Field(
        3_600,
        description="After so long a waiting prompt is drawn whatever its priority; one of eight pictures is for those "
        "that wait so long. A prompt with a `publish_at` waits from then on.",
    )
    max_attempts: Annotated[int, limits.ATTEMPTS] = Field(5, description="Claims after which a prompt is `failed`.")
    draw_scheduled: Literal["ahead", "when-due"] = Field(
        "ahead",
        description="When prompts with a `publish_at` are drawn: `ahead` (at once, so that their posts appear on "
        "time), or `when-due` (not before that time: the post appears once its picture is drawn).",
    )
    events_days: Annotated[int, limits.EVENTS_DAYS] = Field(
        90, description="Days for which the history of a prompt that has ended is kept (`glad prompts show`)."
    )
    timezone: Annotated[str, checked(problem_of_zone)] = Field(
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
        description="Whether the sensor sets the pool's limit to the number of warm workers and one more, which "
        "prepares. `glad up` does, in its own instance; elsewhere: `dagster instance concurrency set gpu N`.",
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
    web_url: WebAddress | None = Field(
        None,
        description="Address at which people open the web UI: the studio links to its runs. `glad up` knows its own.",
    )
    web_hosts: Annotated[str, checked(problem_of_hosts)] | None = Field(
        None,
        description="Names, separated by commas, by which people reach the web UI through a proxy, beside `localhost`.",
    )
    web_proxies: Annotated[str, checked(problem_of_networks)] | None = Field(
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


def settings_as_far_as_right(environment: Mapping[str, str]) -> tuple[Settings, str | None]:
    """The settings of this process, and what is wrong with them; None: nothing.

    For what has to work all the same, such as an end: what is wrong counts as absent, of the store all of it, since the
    rest may lead to another one. Where several do not go together that is all but GLAD_HOME and the databases.
    """
    try:
        return load_settings(), None
    except UsageError as error:
        problem = str(error)
    known = {name: field for field in Settings.model_fields.values() for name in variables_of(field)}
    given = {name.upper(): value for name, value in environment.items() if value and name.upper() in known}
    needed = {name: given[name] for name in NEEDED if name in given}
    for values in (given, needed, {name: value for name, value in needed.items() if name == "GLAD_HOME"}):
        wrong = _wrong(values)
        right = {name: value for name, value in values.items() if name not in wrong}
        with suppress(UsageError):
            return settings_of(right), problem
    raise UsageError(problem)


def _wrong(values: Mapping[str, str]) -> set[str]:
    """The variables whose values cannot be."""
    try:
        _Given(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
        of_store = {name for field in StoreSettings.model_fields for name in variables_of(Settings.model_fields[field])}
        return wrong | of_store if wrong & of_store else wrong
    return set()


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


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which another process has these settings: those that were set."""
    found = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if plain is not None:
            variable = variables_of(type(settings).model_fields[name])[0]
            found[variable] = str(plain).lower() if isinstance(plain, bool) else str(plain)
    return found


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
