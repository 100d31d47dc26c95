"""A bucket on AWS S3 or any S3-compatible store: write once, look, and say clearly what is wrong.

Writes are conditional (`If-None-Match: *`) and checksummed by the store, so that a retry, a second run or a
second machine can neither overwrite a picture nor store half of one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from glad_pipeline.errors import GladError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CACHE_CONTROL = "public, max-age=31536000, immutable"
CONCURRENCY = 16  # requests in flight at once when many objects are looked at


Seen = TypeVar("Seen")


class StoreError(GladError):
    """The object store could not be reached, refused us, or holds something else than it should."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """What the store says it holds under a key."""

    key: str
    bytes: int
    content_type: str
    metadata: Mapping[str, str]  # ours: sha256, width, height, … (ASCII)


@dataclass(frozen=True, kw_only=True)
class S3Store:
    """One bucket.

    Args:
        bucket: its name.
        region: its region; must be right on AWS, any word for most other stores.
        endpoint_url: of an S3-compatible store; None for AWS.
        access_key_id, secret_access_key, session_token: None for boto3's default chain.
        public_base_url: what precedes the key in a public URL; None: the store's own address.
    """

    bucket: str
    region: str = "us-east-1"
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    public_base_url: str | None = None

    @cached_property
    def client(self) -> S3Client:
        import boto3
        from botocore.config import Config

        session = boto3.session.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            region_name=self.region,
        )
        return session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if self.endpoint_url else "virtual", "payload_signing_enabled": False},
                request_checksum_calculation="when_required",  # ours is sent; boto3's default costs twice the CPU
                response_checksum_validation="when_required",
                retries={"mode": "standard", "max_attempts": 5},
                connect_timeout=5,
                read_timeout=60,
                max_pool_connections=2 * CONCURRENCY,
            ),
        )

    def url(self, key: str) -> str:
        """The public URL of a key."""
        if self.public_base_url:
            return f"{self.public_base_url.rstrip('/')}/{key}"
        if self.endpoint_url:
            return f"{self.endpoint_url.rstrip('/')}/{self.bucket}/{key}"
        return f"https://{self.bucket}.s3.{self.region}.amazonaws.com/{key}"

    def put_once(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
        """Store `body` under `key` unless something is there already.

        Returns whether it was written (False: the key was taken, which a retry expects). The store checks
        the SHA-256 before it accepts the object. Raises `StoreError`.
        """
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with self._clearly(f"store {key}"):
            from botocore.exceptions import ClientError

            try:
                self.client.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=body,
                    ContentType=content_type,
                    CacheControl=CACHE_CONTROL,
                    Metadata=dict(metadata),
                    ChecksumSHA256=checksum,
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):  # taken, or being taken
                    return False
                raise
        return True

    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None. Raises `StoreError`."""
        from botocore.exceptions import ClientError

        with self._clearly(f"look at {key}"):
            try:
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise
        return StoredObject(
            key=key,
            bytes=answer["ContentLength"],
            content_type=answer["ContentType"],
            metadata=answer["Metadata"],
        )

    def heads(self, keys: Iterable[str]) -> dict[str, StoredObject]:
        """`head` for many keys; those that are not there are left out."""
        return self.each(self.head, keys)

    def start(self, key: str, length: int) -> tuple[StoredObject, bytes] | None:
        """`head` together with the first `length` bytes (all, where there are fewer), in one request."""
        from botocore.exceptions import ClientError

        with self._clearly(f"read {key}"):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes=0-{length - 1}")
                start = answer["Body"].read(length)
                answer["Body"].close()  # a store that ignores Range would send it all
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return None
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:  # it is empty
                    found = self.head(key)
                    return None if found is None else (found, b"")
                raise
        total = answer.get("ContentRange", "").rpartition("/")[2]
        stored = StoredObject(
            key=key,
            bytes=int(total) if total.isdigit() else answer["ContentLength"],
            content_type=answer["ContentType"],
            metadata=answer["Metadata"],
        )
        return stored, start

    def each(self, look: Callable[[str], Seen | None], keys: Iterable[str]) -> dict[str, Seen]:
        """`look(key)` for many keys, some at a time; those it finds nothing for are left out."""
        keys = list(keys)
        with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="glad-look") as pool:
            return {key: seen for key, seen in zip(keys, pool.map(look, keys), strict=True) if seen is not None}

    def fetch(self, key: str) -> bytes | None:
        """The whole object, or None. Raises `StoreError`."""
        from botocore.exceptions import ClientError

        with self._clearly(f"read {key}"):
            try:
                return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return None
                raise

    def check(self) -> None:
        """Raise `StoreError` with the cure unless the bucket exists and takes our credentials."""
        with self._clearly("list objects"):
            self.client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)

    def _clearly(self, doing: str) -> _Clearly:
        return _Clearly(self, doing)


CURES = {
    "NoSuchBucket": "the bucket does not exist: create it or correct AWS_S3_BUCKET",
    "InvalidAccessKeyId": "the store does not know this AWS_ACCESS_KEY_ID: correct it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID: correct it",
    "AccessDenied": "these credentials may not do that: they need s3:GetObject, s3:PutObject, s3:ListBucket",
    "403": "these credentials are wrong or may not do that: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "BadDigest": "the object was damaged on the way: try again, and look at the network",
    "XAmzContentSHA256Mismatch": "the object was damaged on the way: try again, and look at the network",
    "PermanentRedirect": "the bucket lives in another region: correct AWS_S3_REGION",
    "301": "the bucket lives in another region: correct AWS_S3_REGION",
    "404": "the bucket does not exist: create it or correct AWS_S3_BUCKET",
}


class _Clearly:
    """Turns what botocore raises inside a `with` block into a `StoreError` that says what to do."""

    def __init__(self, store: S3Store, doing: str) -> None:
        self._store = store
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is None:
            return
        from botocore.exceptions import BotoCoreError, ClientError

        place = f"bucket {self._store.bucket!r} at {self._store.endpoint_url or 'AWS ' + self._store.region}"
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            cure = CURES.get(code, str(error))
            raise StoreError(f"could not {self._doing} in {place}: {cure}") from error
        if isinstance(error, BotoCoreError):
            raise StoreError(
                f"could not {self._doing} in {place}: {error} Check AWS_ENDPOINT_URL_S3 and the network"
            ) from error
