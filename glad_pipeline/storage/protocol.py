"""What every object store promises, whichever it is; all rooms but this one know a store only by this.

`ObjectStore` is what they call, with what travels back and what is raised. No store is known here: one is opened by
`opening.open_store`, and has to pass `glad_pipeline_tests/integration/store_contract.py`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from glad_pipeline.display import in_time
from glad_pipeline.errors import UnavailableError
from glad_pipeline.storage.probe import Abilities, Exclusively, Probed

CACHE_CONTROL = "public, max-age=31536000, immutable"  # of every object, word for word: what has a key never changes
CONCURRENCY = 16  # requests in flight at once when many objects are looked at
LONGEST_PAUSE = 5.0  # seconds between tries of a store that is unreachable
TELL_EVERY = 5.0  # seconds between lines about it

Seen = TypeVar("Seen")

log = logging.getLogger(__name__)


StoreAnswer = Literal["none", "refusal", "no bucket"]


class StoreError(UnavailableError):
    """The object store could not be reached, refused us, or holds something else than it should.

    `transient`: the same request may well succeed later (no connection, no answer, 5xx, too many requests).
    `answer`: what came back: nothing, a refusal, or that there is no such bucket (a web page in its place is none).
    """

    def __init__(self, message: str, *, transient: bool = False, answer: StoreAnswer = "none") -> None:
        super().__init__(message)
        self.transient = transient
        self.answer = answer


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
    now: datetime | None  # the store's own clock when it has given it; None: it did not say


class Outage:
    """How long the store has been unreachable, for all threads that ask it. `patience` 0: nobody waits for it."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.tell: Callable[[str], None] = log.warning
        self._since: float | None = None  # since when it has answered nobody
        self._reported_at = 0.0
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    def wait(self, error: StoreError, failing: float) -> None:
        """Wait a little before the next try; raises instead when the store has been unreachable for too long.

        `failing`: since when (monotonic) this very request has failed. A store may answer all others.
        """
        now = time.monotonic()
        with self._lock:
            self._since = self._since or now
            silent_for = now - min(self._since, failing)
            tell = now - self._reported_at >= TELL_EVERY
            if tell:
                self._reported_at = now
        if self._given_up.is_set() or not self.patience:
            raise error
        if silent_for >= self.patience:
            raise StoreError(
                f"the store has not answered for {in_time(silent_for)}: {error}", transient=True
            ) from error
        if tell:
            self.tell(
                f"the store does not answer, it is asked again for {in_time(self.patience - silent_for)}: {error}"
            )
        pause = min(LONGEST_PAUSE, max(0.1, silent_for / 2), self.patience - silent_for)
        self._given_up.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  not all at the same moment

    def over(self) -> None:
        """The store has answered."""
        if self._since is not None:
            with self._lock:
                self._since = None

    def give_up(self) -> None:
        """From now on nobody waits: the run ends."""
        self._given_up.set()


class ObjectStore(Protocol):
    """One bucket: write once, look, list, copy, delete. Thread-safe, hashable, equal to a store of the same settings.

    It has two areas, and a key's name alone says in which of them it is (`keys.is_private`): the public one, which
    visitors may read, and the private one, which they may not, whatever address they guess. How it keeps the second
    from them is the store's own: by a policy, in a bucket or in a folder that nobody is shown.

    Every method that asks the server raises `StoreError`, whose message names the object, the bucket and the cure, and
    no secret. While the server answers nobody, each request is made again for `patience` seconds, but for `delete`,
    which its callers repeat. An object that is not there is None (or False, or left out), never an error.
    """

    @property
    def bucket(self) -> str:
        """Its name."""

    @property
    def place(self) -> str:
        """Where the bucket is, for people; with `bucket`, what a deployment's identity is known by."""

    @property
    def patience(self) -> float:
        """Seconds for which every request is made again while the store answers nobody."""

    @property
    def outage(self) -> Outage:
        """How long this store has been unreachable; one for all threads that use it."""

    def with_patience(self, seconds: float) -> ObjectStore:
        """The same bucket, asked with another patience and an `outage` of its own."""

    def neighbour(self, bucket: str, place: str) -> ObjectStore | None:
        """Another bucket, reached with the same credentials; None: they cannot reach that place."""

    def check(self) -> None:
        """Raise `StoreError` with the cure unless the bucket exists and takes our credentials."""

    def is_blank(self) -> bool:
        """Whether this is a folder in which nothing was ever stored, as a mount point is while its volume is not
        mounted. False for a bucket: an empty one is itself."""

    def probe(self) -> Probed:
        """Find out what the store does, by trying it on a few small objects under `.glad/`, which are removed again.

        Raises `StoreError`, with the setting to change, where it takes no object at all.
        """

    def known(self) -> Probed | None:
        """What `probe` would find, where it is known without trying, as it has answered something; or None."""

    @property
    def options_mark(self) -> str:
        """A text that is another one for options with which the probe might find something else."""

    def adapted(self, able: Abilities, exclusively: Exclusively) -> ObjectStore:
        """The same bucket, with what the store was found unable to do made up for. `exclusively`: used where it would
        overwrite a key that was asked to be written once."""

    def keeps_versions(self) -> bool | None:
        """Whether what is deleted stays as an older version; None: the store does not say."""

    def url(self, key: str) -> str:
        """The public URL of a key, at which any visitor is given the object with its type and `CACHE_CONTROL`.

        Of a key in the private area: where it would be, and is not given.
        """

    def metadata_room(self, metadata: Mapping[str, str]) -> int:
        """Bytes that may be added to this metadata by the store's limit; negative: it is too large already."""

    def put_once(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
        """Store `body` under `key` unless something is there already. The store holds it whole or not at all.

        Returns whether it was written (False: the key was taken, which a retry expects): of any number of writers at
        once, exactly one gets True. `metadata` is ASCII; over the store's limit, or not ASCII, it is refused.
        """

    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`."""

    def heads(self, keys: Iterable[str]) -> dict[str, StoredObject]:
        """`head` for many keys."""

    def start(self, key: str, length: int) -> tuple[StoredObject, bytes] | None:
        """`head` together with the first `length` bytes (all, where there are fewer), in one request or two."""

    def fetch(self, key: str) -> bytes | None:
        """The whole object."""

    def sha256(self, key: str) -> str | None:
        """The SHA-256 (64 hex digits) of the bytes that the store holds, by its own word where it has kept one."""

    def digest(self, key: str) -> tuple[StoredObject, str] | None:
        """The whole object read through in little memory: `head`, with the bytes that were read, and their SHA-256."""

    def each(self, look: Callable[[str], Seen | None], keys: Iterable[str]) -> dict[str, Seen]:
        """`look(key)` for many keys, `CONCURRENCY` at a time; those it finds nothing for are left out."""

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Everything under `prefix`, however much it is; keys of the shape in `keys.py` in the order of their bytes.

        A store that keeps folders may list keys of other shapes in the folders' order.
        """

    def copy(self, key: str, target: str) -> bool:
        """Copy an object with its type and metadata inside the store; whether there was one."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys, however many; where nothing is, nothing happens."""
