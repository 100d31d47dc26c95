"""A folder on a volume of this machine, as an `ObjectStore`: `public` in it is what a web server shows to visitors.

    .glad-volume   the mark: this is the volume, and not the mount point where it is not mounted
    public/        what visitors may read, under its key; any user may read it
    private/       what they may not: ours alone, as all that follows
    sidecars/      what goes with the bytes of a key: type and metadata, as JSON
    tmp/           what is being written; locks

A file appears whole under its key by a hard link, which fails where the key is taken, and its sidecar is there before.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import IO, Any

from glad_pipeline.display import quoted
from glad_pipeline.storage.keys import DEPLOYMENT, PREFIX, is_private
from glad_pipeline.storage.options import VOLUME, VolumeOptions
from glad_pipeline.storage.probe import Abilities, Exclusively, Probed
from glad_pipeline.storage.protocol import Listed, Outage, Seen, StoredObject, StoreError
from glad_pipeline.storage.retrying import each_of, patiently
from glad_pipeline.storage.volume_errors import explained, lost, refusal
from glad_pipeline.storage.volume_files import (
    HIDDEN,
    LONGEST_NAME,
    MARK,
    NOT_THERE,
    OURS,
    PRIVATE,
    PUBLIC,
    SHOWN,
    SIDECARS,
    TMP,
    Sidecar,
    begin_volume,
    delete_file,
    file_of,
    find,
    is_there,
    lock_of,
    parts_of,
    read_mark,
    read_sidecar,
    stored,
)
from glad_pipeline.storage.volume_folders import (
    FOLDER,
    Entry,
    entries,
    locked,
    opened,
    opened_file,
    removed,
    synced,
    written,
)

METADATA_BYTES = 2_048  # as on S3: what fits here fits there
PIECE = 1 << 20  # bytes of a file read at once

_marks: dict[str, str] = {}  # by folder: the mark that this process has seen in it
_marks_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class VolumeStore(VolumeOptions):
    """One folder.

    Args:
        patience: seconds for which everything is tried again while the volume is full, away or silent.
    """

    patience: float = 0.0

    @cached_property
    def outage(self) -> Outage:
        return Outage(self.patience)

    @property
    def place(self) -> str:
        return VOLUME

    @property
    def options_mark(self) -> str:
        return VOLUME

    def with_patience(self, seconds: float) -> VolumeStore:
        """The same folder, asked with another patience and an `outage` of its own."""
        return replace(self, patience=seconds)

    def neighbour(self, bucket: str, place: str) -> VolumeStore | None:
        """Another folder of this machine; None: it is elsewhere."""
        return replace(self, bucket=bucket) if place == VOLUME else None

    def adapted(self, able: Abilities, exclusively: Exclusively) -> VolumeStore:
        """The same: nothing is to be made up for."""
        return self

    def keeps_versions(self) -> bool | None:
        """False: what is deleted is gone. None: the volume is not there."""
        try:
            self.check()
        except StoreError:
            return None
        return False

    @patiently
    def check(self) -> None:
        """Raise `StoreError` with the cure unless the folder is there and ours; a blank one may become ours."""
        with self._at("list objects"):
            pass

    def is_blank(self) -> bool:
        """Whether nothing was ever stored in it: the volume may not be mounted."""
        with self._at("look into it") as top:
            return top is None

    def probe(self) -> Probed:
        """Try what every write needs. Raises `StoreError` where the folder cannot take pictures."""
        from glad_pipeline.storage.volume_probe import look

        self.check()
        return look(self.bucket, self.public_base_url)

    def known(self) -> Probed:
        """The same: it takes a millisecond."""
        return self.probe()

    def url(self, key: str) -> str:
        """The public URL of a key."""
        return f"{self.public_base_url.rstrip('/')}/{key}"

    def metadata_room(self, metadata: Mapping[str, str]) -> int:
        """Bytes that may be added to this metadata by S3's limit; negative: it is too large already."""
        return METADATA_BYTES - sum(len("x-amz-meta-") + len(name) + len(value) for name, value in metadata.items())

    # --- writing ---

    @patiently
    def put_once(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
        """Store `body` under `key` unless something is there already; whether it was written. Raises `StoreError`."""
        doing = f"store {key}"
        parts = parts_of(key)
        if parts is None:
            cure = f"{quoted(key, 80)} is no path of a file: each part has to be a name of 1 to {LONGEST_NAME} bytes"
            raise refusal(doing, self.bucket, cure)
        if (room := self.metadata_room(metadata)) < 0:
            cure = f"its metadata is {-room} bytes over the {METADATA_BYTES:,} that S3 allows. Shorten it"
            raise refusal(doing, self.bucket, cure)
        if not all(text.isascii() for pair in metadata.items() for text in pair):
            raise refusal(doing, self.bucket, "its metadata is not ASCII")
        said = {
            "key": key,
            "type": content_type,
            "metadata": dict(metadata),
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        with self._at(doing, begin=key == DEPLOYMENT) as top:
            if top is None:
                cure = "nothing was ever stored in it: is the volume mounted? A run of the pipeline begins it"
                raise refusal(doing, self.bucket, cure)
            if self._is_taken(top, key, doing):
                return False
            return self._write(top, key, iter([body]), said, again=False)

    def _is_taken(self, top: int, key: str, doing: str) -> bool:
        """Whether there is a file. Raises `StoreError` where that is another key's, by a file system's lax rules."""
        name, folder = file_of(key)
        try:
            with opened(top, folder) as there, opened_file(there, name):
                said = read_sidecar(top, key)
        except OSError as error:
            if error.errno in NOT_THERE:
                return False
            raise
        if said and said.get("key") != key:
            cure = (
                f"the file system takes its name for that of {quoted(str(said.get('key')), 80)}: keep the pictures on "
                "one that tells upper case from lower"
            )
            raise refusal(doing, self.bucket, cure)
        return True

    def _write(self, top: int, key: str, pieces: Iterator[bytes], said: Mapping[str, Any], *, again: bool) -> bool:
        """Both files; with `again` over what is there. False: it was taken meanwhile."""
        unique = uuid.uuid4().hex
        name, parts = file_of(key)
        modes = HIDDEN if is_private(key) else SHOWN
        with opened(top, [TMP], make=HIDDEN[0]) as tmp:
            try:
                written(tmp, unique, pieces, modes[1])
                written(tmp, f"{unique}.json", iter([json.dumps(said, indent=1).encode()]), HIDDEN[1])
                with (
                    locked(tmp, lock_of(key)),
                    opened(top, [SIDECARS, *parts[1:]], make=HIDDEN[0]) as beside,
                    opened(top, parts, make=modes[0]) as folder,
                ):
                    if not again and is_there(folder, name):
                        return False
                    os.replace(f"{unique}.json", f"{name}.json", src_dir_fd=tmp, dst_dir_fd=beside)
                    synced(beside)
                    if again:
                        os.replace(unique, name, src_dir_fd=tmp, dst_dir_fd=folder)
                    else:
                        os.link(unique, name, src_dir_fd=tmp, dst_dir_fd=folder, follow_symlinks=False)
                    synced(folder)
                    return True
            finally:
                removed(tmp, unique)
                removed(tmp, f"{unique}.json")

    @patiently
    def copy(self, key: str, target: str) -> bool:
        """Copy a file with its type and metadata; whether there was one. Raises `StoreError`."""
        doing = f"copy {key}"
        if parts_of(target) is None:
            raise refusal(doing, self.bucket, f"{quoted(target, 80)} is no path of a file")
        with self._at(doing) as top, self._found(top, key) as found:
            if top is None or found is None:
                return False
            file, said = found
            length = os.fstat(file.fileno()).st_size
            about = {"key": target, "type": said.content_type, "metadata": dict(said.metadata), "bytes": length}
            return self._write(top, target, iter(lambda: file.read(PIECE), b""), about, again=True)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys; where nothing is, nothing happens. Raises `StoreError`."""
        keys = list(keys)
        doing = f"delete {keys[0] if keys else 'nothing'} and {max(len(keys) - 1, 0)} more"
        with self._at(doing) as top:
            for key in keys if top is not None else []:
                if top is not None and parts_of(key) is not None:
                    delete_file(top, key)

    # --- reading ---

    @patiently
    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None."""
        with self._at(f"look at {key}") as top, self._found(top, key) as found:
            return stored(key, *found) if found else None

    def heads(self, keys: Iterable[str]) -> dict[str, StoredObject]:
        """`head` for many keys; those that are not there are left out."""
        return self.each(self.head, keys)

    @patiently
    def start(self, key: str, length: int) -> tuple[StoredObject, bytes] | None:
        """`head` together with the first `length` bytes."""
        with self._at(f"read {key}") as top, self._found(top, key) as found:
            return (stored(key, *found), found[0].read(length)) if found else None

    @patiently
    def fetch(self, key: str) -> bytes | None:
        """The whole file, or None."""
        with self._at(f"read {key}") as top, self._found(top, key) as found:
            return found[0].read() if found else None

    def sha256(self, key: str) -> str | None:
        """The SHA-256 (64 hex digits) of the bytes under `key`, read now: no server has vouched for them."""
        found = self.digest(key)
        return found[1] if found else None

    @patiently
    def digest(self, key: str) -> tuple[StoredObject, str] | None:
        """`head` and `sha256` together."""
        with self._at(f"read {key}") as top, self._found(top, key) as found:
            if not found:
                return None
            file, said = found
            return stored(key, file, said), hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]

    def each(self, look: Callable[[str], Seen | None], keys: Iterable[str]) -> dict[str, Seen]:
        """`look(key)` for many keys, some at a time; those it finds nothing for are left out."""
        return each_of(keys, look, self.outage)

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Everything under `prefix` in the order of the keys' bytes, one folder at a time in memory."""
        public, private = PREFIX.startswith(prefix) or prefix.startswith(PREFIX), not prefix.startswith(PREFIX)
        areas = [self._walk(area, "", prefix) for area, asked in ((PUBLIC, public), (PRIVATE, private)) if asked]
        yield from heapq.merge(*areas, key=lambda each: each.key.encode())

    def _walk(self, area: str, folder: str, prefix: str) -> Iterator[Listed]:
        """What is under `folder` (a key's beginning, "" or with its last /) of an area and under the prefix."""
        now = datetime.now(UTC)
        for each in self._scanned(area, folder, prefix):
            path = f"{folder}{each.name}"
            if each.is_folder:
                if f"{path}/".startswith(prefix) or prefix.startswith(f"{path}/"):
                    yield from self._walk(area, f"{path}/", prefix)
            elif path.startswith(prefix) and is_private(path) == (area == PRIVATE):
                modified = datetime.fromtimestamp(each.modified, UTC)
                yield Listed(key=path, bytes=each.bytes, modified=modified, now=now)

    @patiently
    def _scanned(self, area: str, folder: str, prefix: str) -> list[Entry]:
        with self._at(f"list {prefix}") as top:
            try:
                with ExitStack() as folders:
                    parts = [area, *folder.split("/")[:-1]]
                    return entries(folders.enter_context(opened(top, parts))) if top is not None else []
            except FileNotFoundError:
                return []

    # --- the folder ---

    @contextmanager
    def _at(self, doing: str, *, begin: bool = False) -> Iterator[int | None]:
        """The folder itself, open; None: nothing was ever stored in it, and with `begin` it is begun.

        Raises `StoreError` where it is not there, not ours, or not the one that it was.
        """
        with explained(doing, self.bucket):
            try:
                top = os.open(self.bucket, FOLDER)
            except FileNotFoundError:
                if self.bucket in _marks:
                    raise lost(doing, self.bucket) from None
                cure = "it does not exist: create it or correct GLAD_VOLUME"
                raise refusal(doing, self.bucket, cure, answer="no bucket") from None
            except NotADirectoryError:
                cure = "it is no folder: correct GLAD_VOLUME"
                raise refusal(doing, self.bucket, cure, answer="no bucket") from None
            try:
                yield top if self._is_ours(top, doing, begin) else None
            finally:
                os.close(top)

    def _is_ours(self, top: int, doing: str, begin: bool) -> bool:
        found = read_mark(top)
        if found is None and self.bucket in _marks:
            raise lost(doing, self.bucket)
        if found is None:
            if theirs := [name for name in os.listdir(top) if not name.startswith(OURS) and name != "lost+found"]:
                cure = (
                    f"it holds {quoted(min(theirs), 80)} and has no mark {MARK}: it is not a folder of this pipeline. "
                    "Correct GLAD_VOLUME, or give it an empty folder"
                )
                raise refusal(doing, self.bucket, cure)
            if not begin:
                return False
            found = begin_volume(top)
        with _marks_lock:
            known = _marks.setdefault(self.bucket, found)
        if known != found:
            cure = f"another volume is mounted there than before (its mark {MARK} is another): mount the right one"
            raise refusal(doing, self.bucket, cure)
        return True

    @contextmanager
    def _found(self, top: int | None, key: str) -> Iterator[tuple[IO[bytes], Sidecar] | None]:
        """The file of a key, open, with what goes with it."""
        with ExitStack() as opens:
            yield find(opens, top, key) if top is not None and parts_of(key) is not None else None
