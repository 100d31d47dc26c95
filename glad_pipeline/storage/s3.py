"""A bucket on AWS S3 or any S3-compatible store, as an `ObjectStore`.

Writes are conditional (`If-None-Match: *`) and checksummed by the store, so that a retry, a second run or a
second machine can neither overwrite a picture nor store half of one. What a store cannot do is made up for
(`Abilities`): a key is looked at and written under a lock, and what was sent is read again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, fields, replace
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.options import S3Options
from glad_pipeline.storage.probe import ALL, Abilities, Exclusively, Probed
from glad_pipeline.storage.protocol import CACHE_CONTROL, Listed, Outage, Seen, StoredObject, StoreError
from glad_pipeline.storage.retrying import each_of, patiently
from glad_pipeline.storage.s3_client import Opened, checked_by, is_tried, public_base_of
from glad_pipeline.storage.s3_direct import TAKEN
from glad_pipeline.storage.s3_errors import explained

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PIECE = 1 << 20  # bytes of an object read at once
DELETED_AT_ONCE = 1_000  # keys in one request, by S3's limit
ABSENT = ("NoSuchKey", "404")  # a HEAD has no body to say more
EMPTY = 416
NOT_MANY = (
    "NotImplemented",
    "MissingContentMD5",
    "InvalidRequest",
    "MalformedXML",
    501,
)  # of DeleteObjects: one by one
METADATA_BYTES = 2_048  # keys and values of an object, by S3's limit; what a key adds to its header's name is counted


_NOT_PROBED = {"access_key_id", "secret_access_key", "session_token", "public_base_url", "ca_bundle", "proxy_url"}
_PROBED = {each.name for each in fields(S3Options)} - _NOT_PROBED


@dataclass(frozen=True, kw_only=True)
class S3Store(S3Options):
    """One bucket, opened with these options.

    Args:
        patience: seconds for which every request is made again while the store answers nobody.
        able: what it does, as far as not every store does.
        exclusively: how a key is written without another writer, where the store itself does not see to that.
    """

    patience: float = 0.0
    able: Abilities = ALL
    exclusively: Exclusively | None = field(default=None, compare=False, repr=False)
    # with those that were made of this one: a client takes as long as fifty requests, and connects anew
    _shared: dict[S3Options, Opened] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def outage(self) -> Outage:
        return Outage(self.patience)

    @cached_property
    def client(self) -> S3Client:
        return self._opened.client

    @cached_property
    def _opened(self) -> Opened:
        options = S3Options(**{each.name: getattr(self, each.name) for each in fields(S3Options)})
        if options not in self._shared:
            self._shared[options] = Opened(options)
        return self._shared[options]

    @property
    def place(self) -> str:
        """Where the bucket is, for people."""
        return self.endpoint_url or f"AWS {self.region}"

    def with_patience(self, seconds: float) -> S3Store:
        """The same bucket, asked with another patience and an `outage` of its own."""
        return replace(self, patience=seconds)

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
            with self._explained("ask for versioning"):
                return "Status" in self.client.get_bucket_versioning(Bucket=self.bucket)
        except StoreError:
            return None

    def url(self, key: str) -> str:
        """The public URL of a key."""
        if self.public_base_url:
            return f"{self.public_base_url.rstrip('/')}/{key}"
        return f"{self._public_base}/{key}"

    @cached_property
    def _public_base(self) -> str:
        return public_base_of(self)

    def metadata_room(self, metadata: Mapping[str, str]) -> int:
        """Bytes that may be added to this metadata by S3's limit; negative: it is too large already."""
        return METADATA_BYTES - sum(len("x-amz-meta-") + len(name) + len(value) for name, value in metadata.items())

    @patiently
    def put_once(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
        """Store `body` under `key` unless something is there already.

        Returns whether it was written (False: the key was taken, which a retry expects). The store checks
        the SHA-256 before it accepts the object. Raises `StoreError`.
        """
        if (room := self.metadata_room(metadata)) < 0:
            raise StoreError(
                f"could not store {key} in {self.where}: its metadata is {-room} bytes over the {METADATA_BYTES:,} "
                "that S3 allows. Shorten it"
            )
        if self.able.conditional:
            return self._put(key, body, content_type, metadata, IfNoneMatch="*")
        if self.exclusively is None:
            raise StoreError(
                f"could not store {key} in {self.where}: the store would overwrite what is there, and nothing keeps "
                "others from writing meanwhile. Have a run store it"
            )
        return self.exclusively(key, lambda: self._free(key) and self._put(key, body, content_type, metadata))

    def _free(self, key: str) -> bool:
        with self._explained(f"look at {key}", expected=ABSENT):
            self.client.head_object(Bucket=self.bucket, Key=key, **self.asked)
            return False
        return True

    def _put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], **condition: Any) -> bool:
        """Write it; False: the condition was not met."""
        said = {
            "ContentType": content_type,
            "CacheControl": CACHE_CONTROL,
            **checked_by(self.check_of_uploads, body),
            **self.asked_to_write(key),
            **condition,
        }
        with self._explained(f"store {key}", expected=TAKEN if condition else ()):
            written = self._opened.direct.put(key, body, metadata, said)
            if written is None:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=dict(metadata), **said)
                written = True
            if written and self.check_of_uploads == "read-back":
                self._require_whole(key, body)
            return written
        return False

    def _require_whole(self, key: str, body: bytes) -> None:
        """Read what was just written; damaged, it is removed again, so that it does not have the key for good."""
        answer = self.client.get_object(Bucket=self.bucket, Key=key, **self.asked)
        if answer["Body"].read() == body:
            return
        with suppress(StoreError):
            self.delete([key])
        raise StoreError(
            f"could not store {key} in {self.where}: the object was damaged on the way: try again, and look at the "
            "network",
            transient=True,
        )

    @property
    def check_of_uploads(self) -> str:
        """How it is made sure that they arrived whole: `sha256`, `md5` or `read-back`."""
        return self.able.checksum if self.checksum == "auto" else self.checksum

    @property
    def asked(self) -> dict[str, Any]:
        """What every request says beside what it asks for."""
        return {"RequestPayer": "requester"} if self.requester_pays else {}

    def asked_to_write(self, key: str) -> dict[str, Any]:
        """The same for one that writes this key. What is no picture is nobody's to read."""
        acl = None if self.acl == "public-read" and not key.startswith(PREFIX) else self.acl
        said = {
            "ServerSideEncryption": self.sse,
            "SSEKMSKeyId": self.kms_key,
            "ACL": acl,
            "StorageClass": self.storage_class,
        }
        return self.asked | {name: value for name, value in said.items() if value}

    @patiently
    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None. Raises `StoreError`."""
        with self._explained(f"look at {key}", expected=ABSENT):
            answer: Mapping[str, Any] | None = self._opened.direct.head(key, self.asked)
            if answer is None:
                answer = self.client.head_object(Bucket=self.bucket, Key=key, **self.asked)
            return _stored(key, answer, answer["ContentLength"]) if answer else None
        return None

    def heads(self, keys: Iterable[str]) -> dict[str, StoredObject]:
        """`head` for many keys; those that are not there are left out."""
        return self.each(self.head, keys)

    @patiently
    def start(self, key: str, length: int) -> tuple[StoredObject, bytes] | None:
        """`head` together with the first `length` bytes (all, where there are fewer), in one request."""
        with self._explained(f"read {key}", expected=(*ABSENT, EMPTY)):
            answer = self.client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes=0-{length - 1}", **self.asked)
            start = answer["Body"].read(length)
            answer["Body"].close()  # a store that ignores Range would send it all
            total = answer.get("ContentRange", "").rpartition("/")[2]
            return _stored(key, answer, int(total) if total.isdigit() else answer["ContentLength"]), start
        found = self.head(key)  # it is empty, if it is there at all
        return (found, b"") if found and not found.bytes else None

    def each(self, look: Callable[[str], Seen | None], keys: Iterable[str]) -> dict[str, Seen]:
        """`look(key)` for many keys, some at a time; those it finds nothing for are left out."""
        return each_of(keys, look, self.outage)

    @patiently
    def fetch(self, key: str) -> bytes | None:
        """The whole object, or None. Raises `StoreError`."""
        with self._explained(f"read {key}", expected=ABSENT):
            return self.client.get_object(Bucket=self.bucket, Key=key, **self.asked)["Body"].read()
        return None

    @patiently
    def sha256(self, key: str) -> str | None:
        """The SHA-256 (64 hex digits) of the bytes that the store holds under `key`; None where it holds nothing.

        As the store has computed it when it took them, where it keeps that, else read and computed here.
        """
        with self._explained(f"verify {key}", expected=ABSENT):
            head = self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED", **self.asked)
            if checksum := _hex(head.get("ChecksumSHA256")):
                return checksum
            found = self.digest(key)
            return found[1] if found else None
        return None

    @patiently
    def digest(self, key: str) -> tuple[StoredObject, str] | None:
        """The whole object read through in little memory: `head`, with the bytes that were read, and their SHA-256.

        None where nothing is stored. Raises `StoreError`.
        """
        with self._explained(f"read {key}", expected=ABSENT):
            answer = self.client.get_object(Bucket=self.bucket, Key=key, **self.asked)
            digest, length = hashlib.sha256(), 0
            for chunk in answer["Body"].iter_chunks(PIECE):
                digest.update(chunk)
                length += len(chunk)
            return _stored(key, answer, length), digest.hexdigest()
        return None

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

    @patiently
    def _page(self, prefix: str, after: str | None) -> tuple[list[Listed], str | None]:
        """One page of a listing, and what names the next; None: it was the last."""
        more = self.asked | ({"ContinuationToken": after} if after else {})
        with self._explained(f"list {prefix}"):
            page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **more)
        date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date) if date else None
        found = [
            Listed(key=item["Key"], bytes=item["Size"], modified=item["LastModified"], now=now)
            for item in page.get("Contents", [])
        ]
        return found, page.get("NextContinuationToken") if page["IsTruncated"] else None

    @patiently
    def copy(self, key: str, target: str) -> bool:
        """Copy an object with its metadata inside the store; whether there was one. Raises `StoreError`."""
        with self._explained(f"copy {key}", expected=ABSENT):
            self.client.copy_object(
                Bucket=self.bucket,
                Key=target,
                CopySource={"Bucket": self.bucket, "Key": key},
                **self.asked_to_write(target),
            )
            return True
        return False

    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys; where nothing is, nothing happens. Raises `StoreError`."""
        keys = list(keys)
        for start in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[start : start + DELETED_AT_ONCE]
            with self._explained(f"delete {some[0]} and {len(some) - 1} more", expected=NOT_MANY):
                self._delete_many(some)
                continue
            self.each(self._delete_one, some)

    def _delete_many(self, keys: Sequence[str]) -> None:
        answer = self.client.delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}, **self.asked
        )
        if refused := answer.get("Errors"):
            first = refused[0]
            raise StoreError(
                f"could not delete {len(refused)} of {len(keys)} objects in {self.where}, the first is "
                f"{first.get('Key')}: {first.get('Code')} {first.get('Message')}. Deleting needs s3:DeleteObject"
            )

    def _delete_one(self, key: str) -> None:
        with self._explained(f"delete {key}", expected=ABSENT):
            self.client.delete_object(Bucket=self.bucket, Key=key, **self.asked)

    @patiently
    def check(self) -> None:
        """Raise `StoreError` with the cure unless the bucket exists and takes our credentials."""
        with self._explained("list objects"):
            self.client.list_objects_v2(Bucket=self.bucket, MaxKeys=1, **self.asked)

    def is_blank(self) -> bool:
        """False: a bucket is always itself."""
        return False

    @patiently
    def probe(self) -> Probed:
        """Look at what the store does, with a few small objects under `.glad/` that are removed again."""
        from glad_pipeline.storage.s3_probe import Looking

        return Looking(replace(self, able=ALL, exclusively=None)).look()

    def known(self) -> Probed | None:
        """What the last answer tells already; None: it has to be tried."""
        return Probed(able=ALL, found=()) if is_tried(self, self._opened.heard) else None

    @property
    def options_mark(self) -> str:
        """Of all on which the probe's answer depends. The credentials are not in it: temporary ones change hourly."""
        said = {each.name: getattr(self, each.name) for each in fields(S3Options) if each.name in _PROBED}
        return hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()[:32]

    def adapted(self, able: Abilities, exclusively: Exclusively) -> S3Store:
        """The same bucket, with what the store cannot do made up for."""
        return self if able == self.able else replace(self, able=able, exclusively=exclusively)

    @property
    def where(self) -> str:
        return f"bucket {self.bucket!r} at {self.place}"

    def _explained(self, doing: str, expected: Container[str | int] = ()) -> AbstractContextManager[None]:
        return explained(doing, self.where, expected)


def _stored(key: str, answer: Mapping[str, Any], length: int) -> StoredObject:
    return StoredObject(key=key, bytes=length, content_type=answer["ContentType"], metadata=answer["Metadata"])


def _hex(checksum: str | None) -> str | None:
    """The digits of a whole object's SHA-256 in base64; None for none, and for a checksum of parts' checksums."""
    try:
        digest = base64.b64decode(checksum or "", validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None
