"""What an object store is opened with, as the settings name it: a dataclass for each kind of store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from glad_pipeline.errors import UsageError
from glad_pipeline.settings.stores import NAMED_BY

if TYPE_CHECKING:
    from pydantic import SecretStr

    from glad_pipeline.settings import Settings

VOLUME = "volume"  # the place of every folder: of a bucket elsewhere it is an address
SUPABASE = "Supabase "  # precedes the project's address in the place of a bucket there


@dataclass(frozen=True, kw_only=True)
class S3Options:
    """What a bucket on S3 is opened with."""

    bucket: str  # its name
    region: str = "us-east-1"  # must be right on AWS, any word for most other stores
    endpoint_url: str | None = None  # of an S3-compatible store; None: AWS
    access_key_id: str | None = None  # None: boto3's default chain
    secret_access_key: str | None = field(default=None, repr=False)  # goes with it
    session_token: str | None = field(default=None, repr=False)  # for temporary credentials only
    public_base_url: str | None = None  # what precedes the key in a public URL; None: the store's own address
    addressing: str = "auto"  # bucket in the `path` or in the host (`virtual`); auto: virtual on AWS, else path
    checksum: str = "auto"  # how an upload is checked: sha256, md5, read-back; auto: the best that the store does
    sse: str | None = None  # encryption asked of the store: AES256, aws:kms, aws:kms:dsse; None: the bucket's own
    kms_key: str | None = None  # id or ARN of the key, with aws:kms
    requester_pays: bool = False  # whether we pay for requests to somebody else's bucket
    acl: str | None = None  # canned ACL of what is written; None: none is sent
    storage_class: str | None = None  # of what is written; None: the bucket's own
    ca_bundle: str | None = None  # file of CA certificates; None: boto3's own
    proxy_url: str | None = field(default=None, repr=False)  # for requests to the store; None: the environment's


@dataclass(frozen=True, kw_only=True)
class SupabaseOptions:
    """What a bucket of Supabase Storage is opened with."""

    bucket: str  # the public one; the private one is called `<bucket>-private`
    supabase_url: str  # the project's, https://….supabase.co
    supabase_key: str | None = field(default=None, repr=False)  # its secret or service key
    public_base_url: str | None = None  # what precedes the key in a public URL; None: the project's own address


@dataclass(frozen=True, kw_only=True)
class VolumeOptions:
    """What a folder is opened with."""

    bucket: str  # its absolute path
    public_base_url: str  # what precedes the key in a public URL: where a web server shows `public` in it


StoreOptions: TypeAlias = S3Options | SupabaseOptions | VolumeOptions
KINDS: dict[str, type[StoreOptions]] = {"s3": S3Options, "supabase": SupabaseOptions, "volume": VolumeOptions}


def options_of(settings: Settings) -> StoreOptions:
    """Those of the store that the settings name. Raises `UsageError` where they name none."""
    if settings.store_kind is None:
        raise UsageError("no object store is named: set AWS_S3_BUCKET, SUPABASE_URL or GLAD_VOLUME")
    given = {
        "bucket": bucket_of(settings),
        "region": settings.s3_region,
        "endpoint_url": settings.s3_endpoint_url,
        "access_key_id": settings.s3_access_key_id,
        "secret_access_key": _revealed(settings.s3_secret_access_key),
        "session_token": _revealed(settings.s3_session_token),
        "proxy_url": _revealed(settings.s3_proxy_url),
        "supabase_url": settings.supabase_url,
        "supabase_key": _revealed(settings.supabase_key),
        "public_base_url": settings.picture_base_url,
    }
    return options_of_kind(settings.store_kind, given | ways_of(settings))


def bucket_of(settings: Settings) -> str | None:
    """The name of what keeps the pictures: of a bucket, or the path of a folder."""
    named = {"supabase": settings.supabase_bucket, "volume": settings.volume}
    return named.get(settings.store_kind or "s3", settings.s3_bucket)


def options_of_kind(kind: str, given: Mapping[str, Any]) -> StoreOptions:
    """Options by the name of their kind and of their fields. Raises `UsageError` where what has to be named is not."""
    if kind not in KINDS:
        raise UsageError(f"there is no store {kind!r}: there are {', '.join(KINDS)}")
    if not given.get("bucket"):
        raise UsageError(f"no bucket is named: set {NAMED_BY[kind]}, or `bucket` of the component's `store`")
    if kind == VOLUME and not given.get("public_base_url"):
        raise UsageError(
            "GLAD_VOLUME is set and GLAD_PUBLIC_BASE_URL is not: set it to the address at which your web server shows "
            f"the folder {given['bucket']}/public, such as https://img.example.com"
        )
    return KINDS[kind](**{each.name: given[each.name] for each in fields(KINDS[kind]) if each.name in given})


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def ways_of(settings: Settings) -> dict[str, Any]:
    """How requests to S3 are made, by the fields of `S3Options`: no credentials, addresses or secrets."""
    return {
        "addressing": settings.s3_addressing,
        "checksum": settings.s3_checksum,
        "sse": settings.s3_sse,
        "kms_key": settings.s3_kms_key,
        "requester_pays": settings.s3_requester_pays,
        "acl": settings.s3_acl,
        "storage_class": settings.s3_storage_class,
        "ca_bundle": settings.s3_ca_bundle,
    }


def naming_variable(place: str) -> str:
    """The variable that names a store at this place (`ObjectStore.place`)."""
    if place == VOLUME:
        return "GLAD_VOLUME"
    return "SUPABASE_URL" if place.startswith(SUPABASE) else "AWS_S3_BUCKET"


def named_in_words(bucket: str, place: str) -> str:
    """The variables with which a command reaches this bucket at this place, for people to fill in."""
    if place == VOLUME:
        return f"GLAD_VOLUME={bucket} GLAD_PUBLIC_BASE_URL=…"
    if place.startswith(SUPABASE):
        return f"SUPABASE_URL={place.removeprefix(SUPABASE)} SUPABASE_KEY=… GLAD_SUPABASE_BUCKET={bucket}"
    endpoint = "" if place.startswith("AWS ") else f" AWS_ENDPOINT_URL_S3={place}"
    return f"AWS_S3_BUCKET={bucket}{endpoint} AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"
