"""Every setting: its environment variable, type, default and meaning, in one place.

Read from the environment alone; `glad` puts the repository's `.env` there first. Knows no other room.
The table in docs/settings.md is made from this file (`glad settings --markdown`) and a test keeps them equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from glad_pipeline import limits
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import PRESETS, SCHEDULERS
from glad_pipeline.redaction import hide_environment, shown
from glad_pipeline.urls import ENCODED, fault_of_database_url, fault_of_web_address

Text = TypeVar("Text", str, SecretStr)


def _one_of(names: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"it has to be one of {', '.join(names)}")
        return value

    return AfterValidator(check)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _web_address(url: str) -> str:
    if fault := fault_of_web_address(url):
        raise ValueError(fault)
    return url


def _patterns(text: str) -> str:
    for pattern in filter(None, map(str.strip, text.split(","))):
        if not re.match(r"/|[\w*?\[]", pattern) or "/../" in f"{pattern}/":
            raise ValueError(f"{pattern!r} has to begin with / (a path) or be a hub id's pattern, without `..` in it")
    return text


def _database_url(url: SecretStr) -> SecretStr:
    if fault := fault_of_database_url(url.get_secret_value()):
        raise ValueError(f"{fault}. It looks like postgresql://user:password@host:5432/database; {ENCODED}")
    return url


def _fit_for_a_header(value: Text) -> Text:
    if not re.fullmatch(r"[\x21-\x7e]*", value.get_secret_value() if isinstance(value, SecretStr) else value):
        raise ValueError("it has to be visible ASCII characters without spaces")
    return value


def _one_line(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"(\S([^\x00-\x1f\x7f]*\S)?)?", secret.get_secret_value()):
        raise ValueError("it begins or ends with a space, or has a line break or control character in it")
    return secret


def _host_names(names: str) -> str:
    for name in names.split(","):
        if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", name.strip()):
            raise ValueError("it has to be host names without scheme and port, separated by commas")
    return names


def _addresses(addresses: str) -> str:
    for address in addresses.split(","):
        try:
            ip_network(address.strip())
        except ValueError as error:
            raise ValueError("it has to be IP addresses or networks (10.0.0.0/8), separated by commas") from error
    return addresses


def _long_enough(least: int) -> Callable[[SecretStr], SecretStr]:
    def check(secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < least:
            raise ValueError(f"it has to have at least {least} characters")
        return secret

    return check


def _token(token: SecretStr) -> SecretStr:
    return token if token.get_secret_value() == "off" else _long_enough(20)(_fit_for_a_header(token))


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
HeaderSecret = Annotated[SecretStr, AfterValidator(_fit_for_a_header)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Settings(BaseSettings):
    """What a deployment may set. Absent means the default; an empty value counts as absent."""

    # never populate_by_name: it reads the fields' own names from the environment too, and HOME is not GLAD_HOME
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

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
        alias="GLAD_DATABASE_PATIENCE_SECONDS",
        description="How long a run waits for a database that is away before it fails; what was drawn is kept.",
    )

    # object store
    s3_bucket: str | None = Field(
        None, alias="AWS_S3_BUCKET", description="Bucket for the pictures. Absent: an embedded S3 server."
    )
    s3_region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("AWS_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="Region of the bucket (also read from AWS_REGION and AWS_DEFAULT_REGION).",
    )
    s3_endpoint_url: WebAddress | None = Field(
        None,
        alias="AWS_ENDPOINT_URL_S3",
        description="Endpoint of an S3-compatible store. Absent: AWS.",
    )
    s3_access_key_id: Annotated[str, AfterValidator(_fit_for_a_header)] | None = Field(
        None, alias="AWS_ACCESS_KEY_ID", description="Absent: boto3's default chain (profile, role)."
    )
    s3_secret_access_key: Annotated[SecretStr, AfterValidator(_one_line)] | None = Field(
        None, alias="AWS_SECRET_ACCESS_KEY", description="Goes with AWS_ACCESS_KEY_ID."
    )
    s3_session_token: HeaderSecret | None = Field(
        None, alias="AWS_SESSION_TOKEN", description="For temporary credentials only."
    )
    cloudfront_domain: str | None = Field(
        None,
        alias="AWS_CLOUDFRONT_DOMAIN",
        pattern=r"^[A-Za-z0-9.-]+(:\d+)?$",
        description="CDN host in front of the bucket; picture URLs become `https://<domain>/<key>`.",
    )
    public_base_url: WebAddress | None = Field(
        None,
        alias="GLAD_PUBLIC_BASE_URL",
        description="Full base of picture URLs where neither CloudFront nor the store's own address fits.",
    )

    store_patience_seconds: Annotated[float, limits.STORE_PATIENCE_SECONDS] = Field(
        600.0,
        alias="GLAD_STORE_PATIENCE_SECONDS",
        description="How long a run waits for a store that is away before it fails. It draws on meanwhile.",
    )
    spool_mb: Annotated[int, limits.SPOOL_MB] = Field(
        2_048,
        alias="GLAD_SPOOL_MB",
        description="Most megabytes of drawn pictures that wait for the store in `spool` in GLAD_HOME (3 a picture of "
        "1024 × 1024). When it is full, drawing waits.",
    )

    # who is told when posts change
    site_url: WebAddress | None = Field(
        None,
        alias="GLAD_SITE_URL",
        description="The blog's site: `POST <site>/api/revalidate` says which pages changed. Absent: nobody is told.",
    )
    revalidate_secret: HeaderSecret | None = Field(
        None, alias="GLAD_REVALIDATE_SECRET", description="Goes with GLAD_SITE_URL, as the header x-revalidate-secret."
    )
    cloudfront_distribution_id: str | None = Field(
        None,
        alias="AWS_CLOUDFRONT_DISTRIBUTION_ID",
        pattern=r"^[A-Z0-9]+$",
        description="CloudFront distribution that is purged of pictures taken down. Absent: none is.",
    )
    outbox_attempts: Annotated[int, limits.ATTEMPTS] = Field(
        12,
        alias="GLAD_OUTBOX_ATTEMPTS",
        description="Tries, over about two hours, after which a message to site, CDN or bucket is `dead`.",
    )

    # generation
    model: str = Field(
        "demo",
        alias="GLAD_MODEL",
        description="`demo`, a directory with an SDXL checkpoint in diffusers layout, or a hub id such as "
        "`stabilityai/stable-diffusion-xl-base-1.0`.",
    )
    model_revision: str | None = Field(
        None,
        alias="GLAD_MODEL_REVISION",
        pattern=r"^[0-9a-f]{40}$",
        description="Commit (40 hex digits) of a hub model. SDXL base 1.0 has a pinned default.",
    )
    vae: str | None = Field(
        None,
        alias="GLAD_VAE",
        description="Another VAE: a directory, `owner/name@commit`, or `none` for the model's own. Absent: for SDXL "
        "base the fp16-fix VAE, pinned; else the model's own.",
    )
    refiner: str | None = Field(
        None,
        alias="GLAD_REFINER",
        description="What draws the last steps in the preset `refined`: a directory or `owner/name@commit`. Absent: "
        "for SDXL base its own, pinned.",
    )
    lora: str | None = Field(
        None,
        alias="GLAD_LORA",
        description="LoRA, separated by commas: a `.safetensors` file or `owner/name/file.safetensors@commit`, each "
        "with `*WEIGHT` behind it if that is not 1.",
    )
    few_step_lora: str | None = Field(
        None,
        alias="GLAD_FEW_STEP_LORA",
        description="LoRA of the few-step presets, or `none` if the model is a few-step one already. Absent: for a hub "
        "model the preset's own, pinned.",
    )
    allowed_models: Annotated[str, AfterValidator(_patterns)] | None = Field(
        None,
        alias="GLAD_ALLOWED_MODELS",
        description="Models and LoRA that rows may name beside the settings' own: patterns, separated by commas, of "
        "hub ids (`owner/*`, `owner/name@commit`), `demo` or paths (`/srv/models/*`).",
    )
    most_pixels: Annotated[int, limits.MOST_PIXELS] = Field(
        4_194_304,
        alias="GLAD_MOST_PIXELS",
        description="Most pixels, width × height, that a row may ask for.",
    )
    most_steps: Annotated[int, limits.STEPS] = Field(
        100, alias="GLAD_MOST_STEPS", description="Most denoising steps that a row may ask for."
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        "auto",
        alias="GLAD_DEVICE",
        description="`auto` takes the GPU; without one only the demo model runs on the CPU.",
    )
    width: Annotated[int, limits.SIDE] | None = Field(
        None, alias="GLAD_WIDTH", description="Pixels. Absent: the model's own size."
    )
    height: Annotated[int, limits.SIDE] | None = Field(
        None, alias="GLAD_HEIGHT", description="Pixels. Absent: the model's own size."
    )
    steps: Annotated[int, limits.STEPS] | None = Field(
        None, alias="GLAD_STEPS", description="Denoising steps. Absent: 30 (demo model: 20)."
    )
    guidance_scale: Annotated[float, limits.GUIDANCE] | None = Field(
        None, alias="GLAD_GUIDANCE_SCALE", description="Absent: 7.0 (demo model: 3.0)."
    )
    scheduler: Annotated[str, _one_of(SCHEDULERS)] | None = Field(
        None, alias="GLAD_SCHEDULER", description=f"{_listed(SCHEDULERS)}. Absent: the preset's, else `euler`."
    )
    preset: Annotated[str, _one_of(PRESETS)] = Field(
        "base", alias="GLAD_PRESET", description=f"How prompts are drawn that name no preset: {_listed(PRESETS)}."
    )
    gpu_batch: Annotated[int, limits.GPU_BATCH] | None = Field(
        None,
        alias="GLAD_GPU_BATCH",
        description="Pictures drawn at once, a fixed size. Absent: by GPU memory and picture size; 4 on a CPU.",
    )
    gpu_small_batch: Annotated[int, limits.GPU_BATCH] | None = Field(
        None,
        alias="GLAD_GPU_SMALL_BATCH",
        description="A second, smaller batch for what is left over, so that a lone picture is done sooner. Its last "
        "bits may differ from the large batch's. Absent: what is left over is filled up.",
    )
    compiling: Literal["auto", "none", "regional", "full"] = Field(
        "auto",
        alias="GLAD_COMPILE",
        description="`torch.compile`: block by block (`regional`), whole networks (`full`) or `none`. `auto`: regional "
        "on CUDA, else none.",
    )
    compile_cache: Path | None = Field(
        None,
        alias="GLAD_COMPILE_CACHE",
        description="Folder that keeps compiled kernels for the next run. Absent: `compiled` in GLAD_HOME.",
    )

    # warm workers
    backend: Literal["auto", "process", "ray"] = Field(
        "auto",
        alias="GLAD_BACKEND",
        description="What draws: the run's own `process`, or `ray`: workers that stay warm between runs. `auto`: "
        "workers where `glad workers up` has started some or GLAD_RAY_ADDRESS names a cluster.",
    )
    ray_address: str | None = Field(
        None,
        alias="GLAD_RAY_ADDRESS",
        pattern=r"^(ray://)?[^\s/@]+:\d+$",
        description="A Ray cluster's `host:port`, or `ray://host:10001` from a machine that is no node of it. Absent: "
        "the workers of this machine.",
    )
    workers: Annotated[int, limits.WORKERS] | None = Field(
        None,
        alias="GLAD_WORKERS",
        description="Most workers. Absent: as many as fit on the GPUs found; without GPUs one a machine, on all cores.",
    )
    worker_gpus: Annotated[float, limits.WORKER_GPUS] | None = Field(
        None,
        alias="GLAD_WORKER_GPUS",
        description="GPU share of a worker, up to 1. Absent: 1 where there are GPUs, else 0.",
    )
    worker_cpus: float = Field(
        1.0, alias="GLAD_WORKER_CPUS", gt=0, le=1_024, description="CPU share of a worker, for Ray's planning."
    )
    worker_models: Annotated[int, limits.WORKER_MODELS] = Field(
        1, alias="GLAD_WORKER_MODELS", description="Models that a worker keeps loaded."
    )
    worker_idle_seconds: float = Field(
        3_600.0,
        alias="GLAD_WORKER_IDLE_SECONDS",
        ge=0,
        description="After so long without work a worker ends and frees its GPU; the next run starts it again. "
        "0: never.",
    )
    worker_start_seconds: Annotated[float, limits.WORKER_START_SECONDS] = Field(
        600.0,
        alias="GLAD_WORKER_START_SECONDS",
        description="How long a run waits for a first worker, for instance while a cluster adds machines.",
    )
    ray_host: str = Field(
        "127.0.0.1",
        alias="GLAD_RAY_HOST",
        description="Where the Ray of `glad workers up` listens. Its ports let whoever reaches them run any program.",
    )
    ray_exposed: bool = Field(
        False, alias="GLAD_RAY_EXPOSED", description="That GLAD_RAY_HOST may be an address that others can reach."
    )

    # queue
    batch_size: Annotated[int, limits.BATCH_SIZE] = Field(
        256, alias="GLAD_BATCH_SIZE", description="Most prompts one run claims."
    )
    lease_seconds: Annotated[int, limits.LEASE_SECONDS] = Field(
        120, alias="GLAD_LEASE_SECONDS", description="How long a silent run keeps its prompts."
    )
    max_attempts: Annotated[int, limits.ATTEMPTS] = Field(
        5, alias="GLAD_MAX_ATTEMPTS", description="Claims after which a prompt is `failed`."
    )

    # Dagster
    sensor: bool = Field(True, alias="GLAD_SENSOR", description="Whether the sensors start switched on.")
    schedule: bool = Field(
        True, alias="GLAD_SCHEDULE", description="Whether the schedule `publish_prompts_hourly` starts switched on."
    )
    audit: bool = Field(
        True, alias="GLAD_AUDIT", description="Whether the schedule `audit_store_daily` starts switched on."
    )
    max_runtime_seconds: int = Field(
        14_400, alias="GLAD_MAX_RUNTIME_SECONDS", ge=60, description="A run that takes longer is ended by Dagster."
    )

    # this machine
    env_file: Path | None = Field(
        None,
        alias="GLAD_ENV_FILE",
        description="File of settings for `glad`, read after the environment. Absent: `.env` beside README.md.",
    )
    home: Path = Field(
        Path(".glad"), alias="GLAD_HOME", description="Where the embedded servers, secrets and logs live."
    )
    web_port: Annotated[int, limits.PORT] = Field(
        3000, alias="GLAD_WEB_PORT", description="Dagster's web UI; if taken, the next free one."
    )
    web_hosts: Annotated[str, AfterValidator(_host_names)] | None = Field(
        None,
        alias="GLAD_WEB_HOSTS",
        description="Names, separated by commas, by which people reach the web UI through a proxy, beside `localhost`.",
    )
    web_proxies: Annotated[str, AfterValidator(_addresses)] | None = Field(
        None,
        alias="GLAD_WEB_PROXIES",
        description="Addresses or networks, separated by commas, of the proxies whose X-Forwarded-Proto and "
        "X-Forwarded-For are believed. Absent: nobody's.",
    )
    web_password: Annotated[SecretStr, AfterValidator(_long_enough(12))] | None = Field(
        None,
        alias="GLAD_WEB_PASSWORD",
        description="With it people log in to the web UI; programs go on using the token. At least 12 characters.",
    )
    web_token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        None,
        alias="GLAD_WEB_TOKEN",
        description="What the web UI asks of everybody, at least 20 characters, or `off` on a machine with one user. "
        "Absent: made at the first start, in `web-token` in GLAD_HOME.",
    )

    @property
    def model_patterns(self) -> list[str]:
        """What rows may name beside what the settings name."""
        return [pattern for pattern in map(str.strip, (self.allowed_models or "").split(",")) if pattern]

    @property
    def picture_base_url(self) -> str | None:
        """What precedes the key in a public URL; None: the store's own address."""
        return self.public_base_url or (f"https://{self.cloudfront_domain}" if self.cloudfront_domain else None)


def load_settings() -> Settings:
    """The settings of this process.

    Raises `UsageError` that names each variable at fault, its value's problem and what is allowed.
    """
    hide_environment(secret_variables())
    try:
        settings = Settings()
    except ValidationError as error:
        faults = "; ".join(map(_told, error.errors(include_url=False)))
        raise UsageError(f"{faults}. See the table in docs/settings.md") from None  # it has the values in it
    if settings.site_url and not settings.revalidate_secret:
        raise UsageError(
            "GLAD_SITE_URL is set and GLAD_REVALIDATE_SECRET is not: set it to the secret that the site's "
            "/api/revalidate expects"
        )
    if (settings.gpu_small_batch or 1) > (settings.gpu_batch or limits.GPU_BATCH.high):
        raise UsageError(
            f"GLAD_GPU_SMALL_BATCH is {settings.gpu_small_batch}: at most GLAD_GPU_BATCH, which is {settings.gpu_batch}"
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


def _told(fault: ErrorDetails) -> str:
    """A setting at fault: its variable, what is wrong, and its value where that is surely no secret."""
    name = str(fault["loc"][0]) if fault["loc"] else "?"
    value = None if "URL" in name or name in secret_variables() else shown(fault["input"])
    return f"{name}{f' is {value}' if value else ''}: {fault['msg'].removeprefix('Value error, ')}"
