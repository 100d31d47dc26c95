"""The settings of the object store and of the pictures' public URLs."""

from __future__ import annotations

from os.path import normpath
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, SecretStr, model_validator

from glad_pipeline import limits
from glad_pipeline.settings.kinds import ONE_LINE, VISIBLE, SecretWebAddress, WebAddress, like
from glad_pipeline.settings.supabase import BUCKET, problem_of_key, problem_of_project_url

PublicCheck: TypeAlias = Literal["stop", "warn", "off"]
StoreKind: TypeAlias = Literal["s3", "supabase", "volume"]
NAMED_BY: dict[str, str] = {"s3": "AWS_S3_BUCKET", "supabase": "SUPABASE_URL", "volume": "GLAD_VOLUME"}


class StoreSettings(BaseModel, defer_build=True):
    """Part of `Settings`."""

    store: StoreKind | None = Field(
        None,
        description="Where pictures are kept: `s3` (AWS_S3_BUCKET), `supabase` (SUPABASE_URL) or `volume` "
        "(GLAD_VOLUME, a folder). Absent: the one of them that is set; none: an embedded S3 server.",
    )
    volume: (
        Annotated[str, like(r"/[^\x00-\x1f]*", "it has to be an absolute path of a folder"), AfterValidator(normpath)]
        | None
    ) = Field(
        None,
        description="Folder for the pictures: a volume that lasts. Visitors get what is in `public` in it from your "
        "web server, whose address is GLAD_PUBLIC_BASE_URL.",
    )
    supabase_url: str | None = Field(
        None, alias="SUPABASE_URL", description="Address of a Supabase project whose Storage keeps the pictures."
    )
    supabase_key: SecretStr | None = Field(
        None, alias="SUPABASE_KEY", description="Its secret key (`sb_secret_…`), or the older service_role key."
    )
    supabase_bucket: Annotated[
        str, like(BUCKET, "it has to be at most 54 letters, digits, . _ and -, and begin with a letter or digit")
    ] = Field(
        "images", description="Its public bucket for the pictures. What no visitor may see is in `<name>-private`."
    )
    s3_bucket: str | None = Field(
        None, alias="AWS_S3_BUCKET", description="Bucket for the pictures. Absent: an embedded S3 server."
    )
    embedded_store: bool = Field(
        False,
        description="Whether posts of your own DATABASE_URL may show pictures of a server that `./glad` starts. Their "
        "URLs, `http://127.0.0.1…`, open on this machine only.",
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
    s3_addressing: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="Where the bucket's name stands in the store's address: in the `path`, or in the host (`virtual`). "
        "`auto`: in the host on AWS, else in the path.",
    )
    s3_checksum: Literal["auto", "sha256", "md5", "read-back"] = Field(
        "auto",
        description="How it is made sure that an upload arrived whole: by a checksum that the store checks (`sha256`, "
        "`md5`), or by reading it again (`read-back`). `auto`: the first of these that the store really does.",
    )
    s3_sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        None, description="Encryption that every upload asks for. Absent: the bucket's own."
    )
    s3_kms_key: Annotated[str, VISIBLE] | None = Field(
        None, description="Id or ARN of the key of `GLAD_S3_SSE=aws:kms`. Absent: the account's own key."
    )
    s3_requester_pays: bool = Field(False, description="Whether requests say that we pay for them.")
    s3_acl: Literal["private", "public-read", "bucket-owner-read", "bucket-owner-full-control"] | None = Field(
        None,
        description="Canned ACL of uploads. `public-read` is given to pictures only. Absent: none, as most buckets "
        "want it.",
    )
    s3_storage_class: Annotated[str, like(r"[A-Z0-9_]+", "it has to be capitals, digits and _, as STANDARD_IA is")] | (
        None
    ) = Field(None, description="Storage class of uploads, such as `STANDARD_IA`. Absent: the bucket's own.")
    s3_ca_bundle: str | None = Field(
        None,
        alias="AWS_CA_BUNDLE",
        description="File of the CA certificates by which the store's https is believed. Absent: boto3's own.",
    )
    s3_proxy_url: SecretWebAddress | None = Field(
        None,
        description="HTTP proxy to the store, `http://user:password@host:port`. Absent: HTTPS_PROXY, HTTP_PROXY and "
        "NO_PROXY are followed.",
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
    public_check: PublicCheck = Field(
        "stop",
        description="What a run does where visitors are not given its first picture at its public URL: `stop` (it "
        "publishes nothing, keeps the pictures and fails), `warn` (it publishes and warns), or `off` (it does not "
        "look: for a network that this machine does not reach).",
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

    @property
    def store_kind(self) -> StoreKind | None:
        """Which store keeps the pictures; None: the embedded S3 server."""
        return self.store or next(iter(self._named_stores), None)

    @property
    def names_store(self) -> bool:
        """Whether a store is named at which visitors find the pictures; else `./glad` starts what is missing of it."""
        if self.store_kind == "volume":
            return bool(self.public_base_url or self.cloudfront_domain)
        return self.store_kind is not None

    @property
    def _named_stores(self) -> list[StoreKind]:
        given: dict[StoreKind, str | None] = {
            "s3": self.s3_bucket,
            "supabase": self.supabase_url,
            "volume": self.volume,
        }
        return [kind for kind, value in given.items() if value]

    @model_validator(mode="after")
    def _is_one_store(self) -> Self:
        named = self._named_stores
        if self.store is None and len(named) > 1:
            variables = " and ".join(NAMED_BY[kind] for kind in named)
            raise ValueError(
                f"{variables} are set, and each names a store: set GLAD_STORE to the one that keeps the pictures "
                f"({' or '.join(named)}), or unset the others"
            )
        if self.store and self.store not in named and (self.store != "volume" or self.names_store):
            own = ", to `volume` in GLAD_HOME for the folder of a demo" if self.store == "volume" else ""
            raise ValueError(
                f"GLAD_STORE is {self.store} and {NAMED_BY[self.store]} is not set: set it{own}, or unset GLAD_STORE"
            )
        if self.store_kind == "supabase":
            self._require_project()
        return self

    def _require_project(self) -> None:
        """Of the store alone: a blog may have a project's variables for its site, with another key."""
        if problem := problem_of_project_url(self.supabase_url or ""):
            raise ValueError(f"SUPABASE_URL cannot be used: {problem}")
        if self.supabase_key is None:
            raise ValueError("SUPABASE_URL is set and SUPABASE_KEY is not: set it to the project's secret key")
        if problem := problem_of_key(self.supabase_key.get_secret_value()):
            raise ValueError(f"SUPABASE_KEY cannot be used: {problem}")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.s3_kms_key and not (self.s3_sse or "").startswith("aws:kms"):
            raise ValueError("GLAD_S3_KMS_KEY is set and GLAD_S3_SSE is not aws:kms: set it too")
        return self
