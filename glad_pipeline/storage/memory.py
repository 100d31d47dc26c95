"""Buckets in this process's memory, as `ObjectStore`s: for tests of a pipeline, with nothing to install or clean up.

A `Memory` holds the buckets, and serves visitors what is under `generated/` on a port of 127.0.0.1 of its own. A store
finds its memory by address, because Dagster copies resources and hands on only texts and numbers. Nothing outlives the
process, and no other process sees it.
"""

from __future__ import annotations

import hashlib
import http.server
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from urllib.parse import unquote, urlsplit

from glad_pipeline.storage.probe import ALL, Abilities, Exclusively, Probed
from glad_pipeline.storage.protocol import CACHE_CONTROL, Listed, Outage, Seen, StoredObject, StoreError
from glad_pipeline.storage.retrying import each_of, patiently

SCHEME = "memory://"
PUBLIC_PREFIX = "generated/"  # all that visitors are given
METADATA_BYTES = 2_048  # as on S3: what fits here fits there


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """One object."""

    body: bytes
    content_type: str
    metadata: Mapping[str, str]
    modified: datetime

    def under(self, key: str) -> StoredObject:
        return StoredObject(key=key, bytes=len(self.body), content_type=self.content_type, metadata=dict(self.metadata))


class Memory:
    """Buckets by name, and the web server that shows them to visitors. A context manager: closed, all of it is gone.

    While `unreachable` is true it answers nobody, neither stores nor visitors, as a server that does not run.
    """

    # what is set and is none of these is a mistake
    __slots__ = ("_server", "_serving", "address", "base_url", "buckets", "lock", "secret_access_key", "unreachable")

    def __init__(self, *buckets: str) -> None:
        self.buckets: dict[str, dict[str, _Kept]] = {bucket: {} for bucket in buckets}
        self.lock = threading.Lock()  # around every use of them
        self.unreachable = False
        self.address = f"{SCHEME}{secrets.token_hex(6)}"
        self.secret_access_key = secrets.token_hex(16)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._serving = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="glad-memory-store", daemon=True
        )
        self._serving.start()
        _open[self.address] = self

    def store(self, bucket: str, *, patience: float = 0.0) -> MemoryStore:
        """One of the buckets."""
        return MemoryStore(
            bucket=bucket, place=self.address, secret_access_key=self.secret_access_key, patience=patience
        )

    def close(self) -> None:
        if _open.pop(self.address, None) is None:
            return
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()
        self.buckets.clear()

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_open: dict[str, Memory] = {}  # by address


@dataclass(frozen=True, kw_only=True)
class MemoryStore:
    """One bucket of a `Memory` of this process.

    Args:
        bucket: its name.
        place: the memory's address.
        secret_access_key: the memory's.
        public_base_url: what precedes the key in a public URL; None: where the memory serves it.
        patience: seconds for which every request is made again while the memory is unreachable.
    """

    bucket: str
    place: str
    secret_access_key: str | None = field(default=None, repr=False)
    public_base_url: str | None = None
    patience: float = 0.0

    @cached_property
    def outage(self) -> Outage:
        return Outage(self.patience)

    def with_patience(self, seconds: float) -> MemoryStore:
        """The same bucket, asked with another patience and an `outage` of its own."""
        return replace(self, patience=seconds)

    def neighbour(self, bucket: str, place: str) -> MemoryStore | None:
        """Another bucket of the same memory; None: it is elsewhere."""
        return replace(self, bucket=bucket) if place == self.place else None

    @patiently
    def check(self) -> None:
        """Raise `StoreError` with the cure unless the bucket exists and takes our key."""
        with self._asked_to("list objects"):
            pass

    def is_blank(self) -> bool:
        """False: a bucket is always itself."""
        return False

    def probe(self) -> Probed:
        """It does everything."""
        self.check()
        return Probed(able=ALL, found=())

    def known(self) -> Probed:
        """The same, without a look at the bucket."""
        return Probed(able=ALL, found=())

    @property
    def options_mark(self) -> str:
        return "memory"

    def adapted(self, able: Abilities, exclusively: Exclusively) -> MemoryStore:
        """The same: nothing is to be made up for."""
        return self

    def keeps_versions(self) -> bool | None:
        """False: what is deleted is gone. None: it is unreachable."""
        try:
            with self._asked_to("ask for versioning"):
                return False
        except StoreError:
            return None

    def url(self, key: str) -> str:
        """The public URL of a key."""
        if self.public_base_url:
            return f"{self.public_base_url.rstrip('/')}/{key}"
        return f"{self._memory(f'name the URL of {key}').base_url}/{self.bucket}/{key}"

    def metadata_room(self, metadata: Mapping[str, str]) -> int:
        """Bytes that may be added to this metadata by S3's limit; negative: it is too large already."""
        return METADATA_BYTES - sum(len("x-amz-meta-") + len(name) + len(value) for name, value in metadata.items())

    @patiently
    def put_once(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
        """Store `body` under `key` unless something is there already; whether it was written. Raises `StoreError`."""
        doing = f"store {key}"
        if (room := self.metadata_room(metadata)) < 0:
            raise self._refusal(doing, f"its metadata is {-room} bytes over the {METADATA_BYTES:,} that S3 allows")
        if not all(text.isascii() for pair in metadata.items() for text in pair):
            raise self._refusal(doing, "its metadata is not ASCII")
        with self._asked_to(doing) as kept:
            if key in kept:
                return False
            kept[key] = _Kept(
                body=bytes(body), content_type=content_type, metadata=dict(metadata), modified=datetime.now(UTC)
            )
        return True

    @patiently
    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None."""
        found = self._found(f"look at {key}", key)
        return None if found is None else found.under(key)

    def heads(self, keys: Iterable[str]) -> dict[str, StoredObject]:
        """`head` for many keys; those that are not there are left out."""
        return self.each(self.head, keys)

    @patiently
    def start(self, key: str, length: int) -> tuple[StoredObject, bytes] | None:
        """`head` together with the first `length` bytes."""
        found = self._found(f"read {key}", key)
        return None if found is None else (found.under(key), found.body[:length])

    @patiently
    def fetch(self, key: str) -> bytes | None:
        """The whole object, or None."""
        found = self._found(f"read {key}", key)
        return None if found is None else found.body

    @patiently
    def sha256(self, key: str) -> str | None:
        """The SHA-256 (64 hex digits) of the bytes under `key`; None where there are none."""
        found = self._found(f"verify {key}", key)
        return None if found is None else hashlib.sha256(found.body).hexdigest()

    @patiently
    def digest(self, key: str) -> tuple[StoredObject, str] | None:
        """`head` and `sha256` together."""
        found = self._found(f"read {key}", key)
        return None if found is None else (found.under(key), hashlib.sha256(found.body).hexdigest())

    def each(self, look: Callable[[str], Seen | None], keys: Iterable[str]) -> dict[str, Seen]:
        """`look(key)` for many keys, some at a time; those it finds nothing for are left out."""
        return each_of(keys, look, self.outage)

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Everything that is under `prefix` when it is asked for, in the order of the keys' bytes."""
        yield from self._listed(prefix)

    @patiently
    def _listed(self, prefix: str) -> list[Listed]:
        now = datetime.now(UTC)
        with self._asked_to(f"list {prefix}") as kept:
            found = [
                Listed(key=key, bytes=len(each.body), modified=each.modified, now=now)
                for key, each in kept.items()
                if key.startswith(prefix)
            ]
        return sorted(found, key=lambda each: each.key.encode())

    @patiently
    def copy(self, key: str, target: str) -> bool:
        """Copy an object with its type and metadata; whether there was one."""
        with self._asked_to(f"copy {key}") as kept:
            if key not in kept:
                return False
            kept[target] = replace(kept[key], modified=datetime.now(UTC))
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys; where nothing is, nothing happens."""
        keys = list(keys)
        with self._asked_to(f"delete {len(keys)} objects") as kept:
            for key in keys:
                kept.pop(key, None)

    def _found(self, doing: str, key: str) -> _Kept | None:
        with self._asked_to(doing) as kept:
            return kept.get(key)

    @contextmanager
    def _asked_to(self, doing: str) -> Iterator[dict[str, _Kept]]:
        """The bucket's objects by key, and nobody else's to use meanwhile. Raises `StoreError` that says the cure."""
        memory = self._memory(doing)
        if memory.unreachable:
            raise self._refusal(doing, "`unreachable` is set: it answers as if the network were down", transient=True)
        if self.secret_access_key != memory.secret_access_key:
            raise self._refusal(doing, "the secret_access_key is not this memory's: open it by `Memory.store`")
        with memory.lock:
            if self.bucket not in memory.buckets:
                raise self._refusal(doing, "the bucket does not exist: create it by naming it to `Memory`")
            yield memory.buckets[self.bucket]

    def _memory(self, doing: str) -> Memory:
        if found := _open.get(self.place):
            return found
        raise self._refusal(
            doing,
            "this process has no such memory (any more). A memory store is for one process: run the job in it, with "
            "`execute_in_process` or `dg.materialize`",
        )

    def _refusal(self, doing: str, cure: str, *, transient: bool = False) -> StoreError:
        return StoreError(f"could not {doing} in bucket {self.bucket!r} at {self.place}: {cure}", transient=transient)


def _handler_of(memory: Memory) -> type[http.server.BaseHTTPRequestHandler]:
    class Visit(http.server.BaseHTTPRequestHandler):
        """GET and HEAD of /bucket/key for anybody."""

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
            if memory.unreachable:
                return self._send(503)
            if not key.startswith(PUBLIC_PREFIX):
                return self._send(403)
            with memory.lock:
                found = memory.buckets.get(bucket, {}).get(key)
            return self._send(200 if found else 404, found, with_body=with_body)

        def _send(self, status: int, found: _Kept | None = None, *, with_body: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(found.body) if found else 0))
            if found:
                self.send_header("Content-Type", found.content_type)
                self.send_header("Cache-Control", CACHE_CONTROL)
            self.end_headers()
            if found and with_body:
                self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is the test's."""

    return Visit
