"""A bucket on AWS S3 or any S3-compatible store: write once, look, and say clearly what is wrong.

Writes are conditional (`If-None-Match: *`) and checksummed by the store, so that a retry, a second run or a
second machine can neither overwrite a picture nor store half of one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from glad_pipeline.errors import UnavailableError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_s3 import S3Client

CACHE_CONTROL = "public, max-age=31536000, immutable"
CONCURRENCY = 16  # requests in flight at once when many objects are looked at
LONGEST_PAUSE = 5.0  # seconds between tries of a store that is away
TELL_EVERY = 5.0  # seconds between lines about it
PIECE = 1 << 20  # bytes of an object read at once
DELETED_AT_ONCE = 1_000  # keys in one request, by S3's limit

Seen = TypeVar("Seen")
Given = ParamSpec("Given")
Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


class StoreError(UnavailableError):
    """The object store could not be reached, refused us, or holds something else than it should.

    `transient`: the same request may well succeed later (no connection, no answer, 5xx, too many requests).
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """What the store says it holds under a key."""

    key: str
    bytes: int
    content_type: str
    metadata: Mapping[str, str]  # ours: sha256, width, height, … (ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An object as a listing tells it."""

    key: str
    bytes: int
    modified: datetime
    now: datetime | None  # the store's own clock when it told so; None: it did not say


class Outage:
    """How long the store has been away, for all threads that ask it. `patience` 0: nobody waits for it."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.tell: Callable[[str], None] = log.warning
        self._since: float | None = None  # since when it has answered nobody
        self._told = 0.0
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    def wait(self, error: StoreError, failing: float) -> None:
        """Wait a little before the next try; raises instead when the store has been away for too long.

        `failing`: since when (monotonic) this very request has failed. A store may answer all others.
        """
        now = time.monotonic()
        with self._lock:
            self._since = self._since or now
            away = now - min(self._since, failing)
            tell = now - self._told >= TELL_EVERY
            if tell:
                self._told = now
        if self._given_up.is_set() or not self.patience:
            raise error
        if away >= self.patience:
            raise StoreError(f"the store has not answered for {_minutes(away)}: {error}", transient=True) from error
        if tell:
            self.tell(f"the store does not answer, it is asked again for {_minutes(self.patience - away)}: {error}")
        pause = min(LONGEST_PAUSE, max(0.1, away / 2), self.patience - away)
        self._given_up.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  not all at the same moment

    def over(self) -> None:
        """The store has answered."""
        if self._since is not None:
            with self._lock:
                self._since = None

    def give_up(self) -> None:
        """From now on nobody waits: the run ends."""
        self._given_up.set()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _patiently(
    ask: Callable[Concatenate[S3Store, Given], Answer],
) -> Callable[Concatenate[S3Store, Given], Answer]:
    """A request that is made again while the store is away."""

    @wraps(ask)
    def asked(store: S3Store, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        failing = 0.0  # since when
        while True:
            try:
                answer = ask(store, *args, **kwargs)
            except StoreError as error:
                if not error.transient:
                    raise
                failing = failing or time.monotonic()
                store.outage.wait(error, failing)
            else:
                store.outage.over()
                return answer

    return asked


@dataclass(frozen=True, kw_only=True)
class S3Store:
    """One bucket.

    Args:
        bucket: its name.
        region: its region; must be right on AWS, any word for most other stores.
        endpoint_url: of an S3-compatible store; None for AWS.
        access_key_id, secret_access_key, session_token: None for boto3's default chain.
        public_base_url: what precedes the key in a public URL; None: the store's own address.
        patience: seconds for which every request is made again while the store answers nobody.
    """

    bucket: str
    region: str = "us-east-1"
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    public_base_url: str | None = None
    patience: float = 0.0

    @cached_property
    def outage(self) -> Outage:
        return Outage(self.patience)

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
                # a store that swallows everything holds a thread for 4 × 25 s and pauses; patience is `Outage`'s
                retries={"mode": "standard", "max_attempts": 3},
                connect_timeout=5,
                read_timeout=20,
                max_pool_connections=2 * CONCURRENCY,
            ),
        )

    @property
    def place(self) -> str:
        """Where the bucket is, for people."""
        return self.endpoint_url or f"AWS {self.region}"

    def neighbour(self, bucket: str, place: str) -> S3Store | None:
        """Another bucket, by the same credentials: at the same endpoint, or anywhere on AWS. None: it is elsewhere."""
        if place == self.place:
            return replace(self, bucket=bucket)
        if self.endpoint_url is None and place.startswith("AWS "):
            return replace(self, bucket=bucket, region=place.removeprefix("AWS "))
        return None

    def keeps_versions(self) -> bool | None:
        """Whether what is deleted stays as an older version; None: the store does not say."""
        try:
            with self._clearly("ask for versioning"):
                return "Status" in self.client.get_bucket_versioning(Bucket=self.bucket)
        except StoreError:
            return None

    def url(self, key: str) -> str:
        """The public URL of a key."""
        if self.public_base_url:
            return f"{self.public_base_url.rstrip('/')}/{key}"
        if self.endpoint_url:
            return f"{self.endpoint_url.rstrip('/')}/{self.bucket}/{key}"
        return f"https://{self.bucket}.s3.{self.region}.amazonaws.com/{key}"

    @_patiently
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

    @_patiently
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

    @_patiently
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
            try:
                return {key: seen for key, seen in zip(keys, pool.map(look, keys), strict=True) if seen is not None}
            except BaseException:  # Ctrl-C, say: the others need not wait for a store that is away
                self.outage.give_up()
                raise

    @_patiently
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

    @_patiently
    def sha256(self, key: str) -> str | None:
        """The SHA-256 (64 hex digits) of the bytes that the store holds under `key`; None where it holds nothing.

        As the store has computed it when it took them, where it keeps that, else read and computed here.
        """
        from botocore.exceptions import ClientError

        with self._clearly(f"verify {key}"):
            try:
                head = self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
                told = _hex(head.get("ChecksumSHA256"))
                if told is not None:
                    return told
                digest = hashlib.sha256()
                for piece in self.client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(PIECE):
                    digest.update(piece)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise
        return digest.hexdigest()

    @_patiently
    def digest(self, key: str) -> tuple[StoredObject, str] | None:
        """The whole object read through in little memory: `head`, with the bytes that were read, and their SHA-256.

        None where nothing is stored. Raises `StoreError`.
        """
        from botocore.exceptions import ClientError

        with self._clearly(f"read {key}"):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return None
                raise
            digest, length = hashlib.sha256(), 0
            for chunk in answer["Body"].iter_chunks(PIECE):
                digest.update(chunk)
                length += len(chunk)
        stored = StoredObject(key=key, bytes=length, content_type=answer["ContentType"], metadata=answer["Metadata"])
        return stored, digest.hexdigest()

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Everything under `prefix`, page by page, in the store's order: by S3's rules that of the keys' bytes.

        Raises `StoreError`.
        """
        after: str | None = None
        while True:
            page, after = self._page(prefix, after)
            yield from page
            if after is None:
                return

    @_patiently
    def _page(self, prefix: str, after: str | None) -> tuple[list[Listed], str | None]:
        """One page of a listing, and what names the next; None: it was the last."""
        more = {"ContinuationToken": after} if after else {}
        with self._clearly(f"list {prefix}"):
            page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **more)  # type: ignore[arg-type]
        told = page["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(told) if told else None
        found = [
            Listed(key=item["Key"], bytes=item["Size"], modified=item["LastModified"], now=now)
            for item in page.get("Contents", [])
        ]
        return found, page.get("NextContinuationToken") if page["IsTruncated"] else None

    @_patiently
    def copy(self, key: str, target: str) -> bool:
        """Copy an object with its metadata inside the store; whether there was one. Raises `StoreError`."""
        from botocore.exceptions import ClientError

        with self._clearly(f"copy {key}"):
            try:
                self.client.copy_object(Bucket=self.bucket, Key=target, CopySource={"Bucket": self.bucket, "Key": key})
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return False
                raise
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys; where nothing is, nothing happens. Raises `StoreError`."""
        keys = list(keys)
        for start in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[start : start + DELETED_AT_ONCE]
            with self._clearly(f"delete {some[0]} and {len(some) - 1} more"):
                answer = self.client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            if refused := answer.get("Errors"):
                first = refused[0]
                raise StoreError(
                    f"could not delete {len(refused)} of {len(some)} objects in bucket {self.bucket!r}, the first is "
                    f"{first.get('Key')}: {first.get('Code')} {first.get('Message')}. Deleting needs s3:DeleteObject"
                )

    @_patiently
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
    "AccessDenied": "these credentials may not do that: they need s3:GetObject, s3:PutObject, s3:ListBucket, and "
    "s3:DeleteObject to take pictures down or mend what an audit finds",
    "403": "these credentials are wrong or may not do that: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "BadDigest": "the object was damaged on the way: try again, and look at the network",
    "XAmzContentSHA256Mismatch": "the object was damaged on the way: try again, and look at the network",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
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

        place = f"bucket {self._store.bucket!r} at {self._store.place}"
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            cure = CURES.get(code, str(error))
            raise StoreError(f"could not {self._doing} in {place}: {cure}", transient=_may_pass(error)) from error
        if isinstance(error, BotoCoreError):
            raise StoreError(
                f"could not {self._doing} in {place}: {error} Check AWS_ENDPOINT_URL_S3 and the network",
                transient=_connection_may_return(error),
            ) from error


TRANSIENT = {
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
}


def _may_pass(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # 501: it knows no conditional writes, say, and never will
    return (
        (status >= 500 and status != 501) or status == 429 or error.response.get("Error", {}).get("Code") in TRANSIENT
    )


def _connection_may_return(error: BotoCoreError) -> bool:
    """No for a host that does not exist, a certificate that is wrong, and faults of ours."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError, IncompleteReadError, SSLError

    if isinstance(error, SSLError) or not isinstance(error, (NoConnection, HTTPClientError, IncompleteReadError)):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return cause.errno == socket.EAI_AGAIN
        cause = cause.__cause__ or cause.__context__
    return True


def _hex(checksum: str | None) -> str | None:
    """The digits of a whole object's SHA-256 in base64; None for none, and for a checksum of parts' checksums."""
    try:
        digest = base64.b64decode(checksum or "", validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None
