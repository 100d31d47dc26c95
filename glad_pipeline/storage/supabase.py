"""The Storage of a Supabase project, as an `ObjectStore` over its REST API.

An upload to a key overwrites what has got there meanwhile, whatever it is told. So an object is uploaded under a name
of its own in the private bucket, read again, and then moved to its key: a move fails where something is there. What is
visible has been verified, and of any number of writers one has moved. All of a public bucket is public: what no
visitor may read lies in a second bucket, `{bucket}-private`, which is made when something is first written.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from itertools import islice
from typing import Any
from uuid import uuid4

from glad_pipeline.http_client import Arriving
from glad_pipeline.storage.keys import PREFIX, is_private
from glad_pipeline.storage.options import SUPABASE, SupabaseOptions
from glad_pipeline.storage.probe import Abilities, Exclusively, Probed
from glad_pipeline.storage.protocol import Listed, Outage, Seen, StoredObject, StoreError
from glad_pipeline.storage.retrying import each_of, patiently
from glad_pipeline.storage.supabase_buckets import Buckets
from glad_pipeline.storage.supabase_client import API, Client, Sent, is_absent, listed_of, path_of, stored_of, upload
from glad_pipeline.storage.supabase_errors import Refusal, misunderstood
from glad_pipeline.storage.supabase_names import METADATA_BYTES, is_taken, require_fitting

AT_ONCE = 1_000  # objects in one page of a listing, and keys in one removal
STAGING = "staging/"  # in the private bucket: uploads on their way to their keys
MOVED = "Successfully moved"  # what is said of a move
_ENDING = re.compile(r"[-.][^/]*$")  # of a key: what precedes it all objects of its picture begin with
STALE = timedelta(hours=1)  # after which nobody is still moving an upload


@dataclass(frozen=True, kw_only=True)
class SupabaseStore(SupabaseOptions):
    """The two buckets of one name in a project, opened with these options.

    Args:
        patience: seconds for which every request is made again while the project answers nobody.
    """

    patience: float = 0.0

    @cached_property
    def outage(self) -> Outage:
        return Outage(self.patience)

    @cached_property
    def _client(self) -> Client:
        return Client(project_url=self._address, key=self.supabase_key, place=self.place)

    @cached_property
    def _buckets(self) -> Buckets:
        return Buckets(self._client, public=self.bucket, private=self.private_bucket)

    @property
    def _address(self) -> str:
        return self.supabase_url.rstrip("/")

    @property
    def place(self) -> str:
        """`Supabase`, and the project's address."""
        return f"{SUPABASE}{self._address}"

    @property
    def private_bucket(self) -> str:
        """The name of the bucket that no visitor may read."""
        return f"{self.bucket}-private"

    def _bucket_of(self, key: str) -> str:
        return self.private_bucket if is_private(key) else self.bucket

    def with_patience(self, seconds: float) -> SupabaseStore:
        """The same buckets, asked with another patience and an `outage` of its own."""
        other = replace(self, patience=seconds)
        vars(other).update({name: vars(self)[name] for name in ("_client", "_buckets") if name in vars(self)})
        return other

    def neighbour(self, bucket: str, place: str) -> SupabaseStore | None:
        """Another bucket of the same project; None: it is elsewhere."""
        return replace(self, bucket=bucket) if place == self.place else None

    def url(self, key: str) -> str:
        """The public URL of a key."""
        if self.public_base_url:
            return f"{self.public_base_url.rstrip('/')}/{key}"
        return f"{self._address}{API}/object/public/{self.bucket}/{key}"

    def metadata_room(self, metadata: Mapping[str, str]) -> int:
        """Bytes that may be added to this metadata; negative: it is too large already. Ours is S3's limit: the header
        that carries it is a third longer, and gateways take 8 KB."""
        return METADATA_BYTES - sum(len(name) + len(value) for name, value in metadata.items())

    @patiently
    def check(self) -> None:
        """Raise `StoreError` with the cure unless the bucket is there and public, and our key may look."""
        self._buckets.check()

    def is_blank(self) -> bool:
        """False: a bucket is always itself."""
        return False

    @patiently
    def probe(self) -> Probed:
        """Look at the buckets, and put, read and remove a small private object."""
        from glad_pipeline.storage.supabase_probe import look

        return look(self)

    def known(self) -> Probed | None:
        """None: the buckets have to be looked at."""
        return None

    @property
    def options_mark(self) -> str:
        """Of project and bucket."""
        return hashlib.sha256(f"supabase {self.place} {self.bucket}".encode()).hexdigest()[:32]

    def adapted(self, able: Abilities, exclusively: Exclusively) -> SupabaseStore:
        """The same: what Supabase lacks is made up for here."""
        return self

    def keeps_versions(self) -> bool | None:
        """False: what is deleted is gone. None: it does not answer."""
        try:
            self._buckets.look_at(self.bucket, "look at the bucket")
        except StoreError:
            return None
        return False

    def _clear_staging(self) -> None:
        """Remove what processes have left there that died between upload and move."""
        stale = [
            each.key
            for each in self._listing(self.private_bucket, STAGING)
            if (each.now or datetime.now(UTC)) - each.modified > STALE
        ]
        self._remove(self.private_bucket, stale)

    @patiently
    def put_once(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
        """Store `body` under `key` unless something is there already.

        Returns whether it was written (False: the key was taken, which a retry expects). Raises `StoreError`.
        """
        require_fitting(key, metadata, where=self._where)
        self._buckets.prepare(self._clear_staging)
        staged = f"{STAGING}{uuid4().hex}"
        row = self._stage(staged, key, body, content_type, metadata)
        if self._move(staged, key, row):
            return True
        with suppress(StoreError):  # what stays there is cleared away an hour later
            self._remove(self.private_bucket, [staged])
        return False

    def _stage(self, staged: str, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str | None:
        """Upload it under a name of its own, and read it again; the id that it keeps when it is moved."""
        doing = f"store {key}"
        sent = upload(self.private_bucket, staged, body, content_type, metadata)
        answer = self._client.ask(doing, self.private_bucket, sent, like={"Key": str})
        read = self._digest(self.private_bucket, staged, doing)
        if read != (len(body), hashlib.sha256(body).hexdigest()):
            with suppress(StoreError):
                self._remove(self.private_bucket, [staged])
            raise StoreError(
                f"could not {doing} in {self._where}: the object was damaged on the way: try again, and look at the "
                "network",
                transient=True,
            )
        row = answer[0].get("Id") if answer else None
        return row if isinstance(row, str) else None

    def _move(self, staged: str, key: str, row: str | None) -> bool:
        """Give an upload its key; False: the key was taken."""
        body = {
            "bucketId": self.private_bucket,
            "sourceKey": staged,
            "destinationBucket": self._bucket_of(key),
            "destinationKey": key,
        }
        refused: list[Refusal] = []

        def expected(refusal: Refusal) -> bool:
            refused.append(refusal)
            return refusal.is_duplicate or (is_absent(refusal) and not refusal.is_no_bucket)

        doing, bucket = f"store {key}", self._bucket_of(key)
        sent = Sent(method="POST", path="/object/move", json=body)
        answer = self._client.ask(doing, bucket, sent, like={"message": str}, expected=expected)
        if answer and (answer[0].get("Id") == row if row else answer[0]["message"] == MOVED):
            return True
        if refused and refused[-1].is_duplicate:
            return False
        # another server may have answered; or an earlier try of this request, whose answer was lost, has moved it
        found = self._info(key)
        if found is None:
            if answer:
                raise misunderstood(doing, bucket, self.place, answer[1])
            if bucket == self.bucket:
                self._buckets.look_at(bucket, doing)  # it may be the bucket that is missing
            raise StoreError(f"could not {doing} in {self._where}: the upload has vanished: try again", transient=True)
        return row is not None and found.get("id") == row

    @patiently
    def copy(self, key: str, target: str) -> bool:
        """Copy an object with its type and metadata inside the project; whether there was one. Raises `StoreError`."""
        if not is_taken(key):
            return False
        require_fitting(target, {}, where=self._where)
        self._buckets.prepare(self._clear_staging)
        body = {
            "bucketId": self._bucket_of(key),
            "sourceKey": key,
            "destinationBucket": self._bucket_of(target),
            "destinationKey": target,
            "copyMetadata": True,
        }
        doing, bucket = f"copy {key}", self._bucket_of(target)
        sent = Sent(method="POST", path="/object/copy", headers={"x-upsert": "true"}, json=body)
        if self._client.ask(doing, bucket, sent, like={"Key": str}, expected=is_absent) is not None:
            return True
        if self._info(key) is None:
            return False
        self._buckets.look_at(bucket, doing)  # it may be the bucket of the copy that is missing
        raise StoreError(f"could not {doing} in {self._where}: Supabase does not find it: try again", transient=True)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys; where nothing is, nothing happens. Raises `StoreError`."""
        areas: dict[str, list[str]] = {self.bucket: [], self.private_bucket: []}
        for key in keys:
            if is_taken(key):
                areas[self._bucket_of(key)].append(key)
        for bucket, some in areas.items():
            self._remove(bucket, some)

    def _remove(self, bucket: str, keys: Iterable[str]) -> None:
        keys = iter(keys)
        while some := list(islice(keys, AT_ONCE)):
            doing = f"delete {some[0]} and {len(some) - 1} more"
            sent = Sent(method="DELETE", path=path_of("object", bucket), json={"prefixes": some})
            answer = self._client.ask(doing, bucket, sent, like=list, expected=is_absent)
            if answer is not None and not answer[0]:  # so it answers, without an error, whoever may not delete
                self._require_gone(bucket, some, doing)

    def _require_gone(self, bucket: str, keys: list[str], doing: str) -> None:
        """Looked for by what the keys of one picture have in common: of most that it might have had there is none."""
        stems = dict.fromkeys(_ENDING.sub("", key) for key in keys)
        listed = each_of(stems, lambda stem: {each.key for each in self._listing(bucket, stem)}, self.outage)
        there = set().union(*listed.values())
        if left := [key for key in keys if key in there]:
            raise StoreError(
                f"could not {doing} in bucket {bucket!r} at {self.place}: Supabase answers without an error, and "
                f"{left[0]} is still there: SUPABASE_KEY may not delete. Take the secret key, or the "
                "service_role key",
                answer="refusal",
            )

    def _info(self, key: str) -> dict[str, Any] | None:
        return self._info_in(self._bucket_of(key), key)

    def _info_in(self, bucket: str, key: str) -> dict[str, Any] | None:
        """What Supabase says of an object; None: there is none."""
        if not is_taken(key):
            return None
        sent = Sent(method="GET", path=path_of("object", "info", bucket, key))
        found = self._client.ask(f"look at {key}", bucket, sent, like={"id": str}, expected=is_absent)
        return None if found is None else dict(found[0])

    @patiently
    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None. Raises `StoreError`."""
        found = self._info(key)
        return None if found is None else stored_of(key, found)

    def heads(self, keys: Iterable[str]) -> dict[str, StoredObject]:
        """`head` for many keys; those that are not there are left out."""
        return self.each(self.head, keys)

    @patiently
    def start(self, key: str, length: int) -> tuple[StoredObject, bytes] | None:
        """`head` together with the first `length` bytes (all, where there are fewer), in two requests."""
        found = self._info(key)
        if found is None:
            return None
        stored = stored_of(key, found)
        if not stored.bytes:
            return stored, b""
        start = self._get(key, partial(_first, length), headers={"Range": f"bytes=0-{length - 1}"})
        return None if start is None else (stored, start)

    def each(self, look: Callable[[str], Seen | None], keys: Iterable[str]) -> dict[str, Seen]:
        """`look(key)` for many keys, some at a time; those it finds nothing for are left out."""
        return each_of(keys, look, self.outage)

    @patiently
    def fetch(self, key: str) -> bytes | None:
        """The whole object, or None. Raises `StoreError`."""
        return self._get(key, lambda answer: answer.read())

    def sha256(self, key: str) -> str | None:
        """The SHA-256 (64 hex digits) of the bytes under `key`, read and computed here; None: nothing is there."""
        found = self.digest(key)
        return found[1] if found else None

    @patiently
    def digest(self, key: str) -> tuple[StoredObject, str] | None:
        """The whole object read through in little memory: `head`, with the bytes that were read, and their SHA-256."""
        read = self._get(key, _length_and_digest)
        found = self._info(key) if read else None
        if read is None or found is None:
            return None
        return replace(stored_of(key, found), bytes=read[0]), read[1]

    def _digest(self, bucket: str, key: str, doing: str) -> tuple[int, str] | None:
        sent = Sent(method="GET", path=path_of("object", "authenticated", bucket, key))
        return self._client.read(doing, bucket, sent, _length_and_digest, expected=is_absent)

    def _get(
        self, key: str, read: Callable[[Arriving], Seen], *, headers: Mapping[str, str] | None = None
    ) -> Seen | None:
        if not is_taken(key):
            return None
        bucket = self._bucket_of(key)
        sent = Sent(method="GET", path=path_of("object", "authenticated", bucket, key), headers=headers)
        return self._client.read(f"read {key}", bucket, sent, read, expected=is_absent)

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Everything under `prefix`, page by page, in the order of the keys' bytes. Raises `StoreError`."""
        if PREFIX.startswith(prefix) and prefix != PREFIX:  # it may begin keys of both areas
            both = (self._listing(bucket, prefix) for bucket in (self.bucket, self.private_bucket))
            yield from heapq.merge(*both, key=lambda listed: listed.key.encode())
        else:
            yield from self._listing(self._bucket_of(prefix), prefix)

    def _listing(self, bucket: str, prefix: str) -> Iterator[Listed]:
        after: str | None = None
        while True:
            page, after = self._page(bucket, prefix, after)
            yield from page
            if after is None:
                return

    @patiently
    def _page(self, bucket: str, prefix: str, after: str | None) -> tuple[list[Listed], str | None]:
        """One page of a listing, and what names the next; None: it was the last."""
        doing = f"list {prefix}"
        body = {"prefix": prefix, "limit": AT_ONCE, "sortBy": {"column": "name", "order": "asc"}}
        sent = Sent(
            method="POST",
            path=path_of("object", "list-v2", bucket),
            json={**body, "cursor": after} if after else body,
        )
        answer = self._client.ask(doing, bucket, sent, like={"objects": list})
        assert answer is not None  # noqa: S101  nothing is expected
        page, headers = answer
        if not page["objects"] and after is None and bucket == self.bucket:
            self._buckets.look_at(bucket, doing)  # a bucket that does not exist is listed as an empty one
        date = headers.get("date")
        now = parsedate_to_datetime(date) if date else None
        try:
            found = [listed_of(each, now) for each in page["objects"]]
            after = str(page["nextCursor"]) if page.get("hasNext") else None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise misunderstood(doing, bucket, self.place, headers) from None
        # a prefix's `_` and `%` may stand for others
        return [each for each in found if each.key.startswith(prefix)], after

    @property
    def _where(self) -> str:
        return f"bucket {self.bucket!r} at {self.place}"


def _first(length: int, answer: Arriving) -> bytes:
    """The first bytes of an answer: a server that ignores the range would send it all."""
    start = b""
    for piece in answer.pieces:
        start += piece
        if len(start) >= length:
            break
    return start[:length]


def _length_and_digest(answer: Arriving) -> tuple[int, str]:
    digest, length = hashlib.sha256(), 0
    for piece in answer.pieces:
        digest.update(piece)
        length += len(piece)
    return length, digest.hexdigest()
