"""The settings of the object store and of the pictures' public URLs."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AliasChoices, BaseModel, Field, SecretStr

from glad_pipeline import limits
from glad_pipeline.settings.kinds import ONE_LINE, VISIBLE, WebAddress

PublicCheck: TypeAlias = Literal["stop", "warn", "off"]


class StoreSettings(BaseModel):
    """Part of `Settings`."""

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
