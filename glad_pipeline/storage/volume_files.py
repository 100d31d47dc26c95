"""The files of a volume: where a key's file and its sidecar are, what the sidecar says, the mark. Knows no store."""

from __future__ import annotations

import errno
import json
import mimetypes
import os
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import IO, Any
from zlib import crc32

from glad_pipeline.storage.keys import is_private
from glad_pipeline.storage.protocol import StoredObject
from glad_pipeline.storage.volume_folders import locked, opened, opened_file, removed, synced, written

MARK = ".glad-volume"  # the file that tells a volume of ours from the mount point where it is not mounted
PUBLIC, PRIVATE, SIDECARS, TMP = "public", "private", "sidecars", "tmp"
SHOWN, HIDDEN = (0o755, 0o644), (0o700, 0o600)  # permissions of folders and files: a web server is another user
OURS = ".glad-"  # precedes the names of ours in the folder itself
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)  # of a file or a folder on the way to it
LONGEST_NAME = 250  # bytes of a part of a key: with `.json` it is a file's name
LOCKS = 64  # files; the keys are spread over them
KINDS = {".png": "image/png", ".webp": "image/webp", ".avif": "image/avif", ".jpg": "image/jpeg"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """What goes with a file."""

    content_type: str
    metadata: Mapping[str, str]


def find(opens: ExitStack, top: int, key: str) -> tuple[IO[bytes], Sidecar] | None:
    name, parts = file_of(key)
    while True:
        try:
            folder = opens.enter_context(opened(top, parts))
            file = opens.enter_context(opened_file(folder, name))
            said = read_sidecar(top, key)
            there = os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
        except OSError as error:
            if error.errno in NOT_THERE:
                return None
            raise
        if there != os.fstat(file.fileno()).st_ino:  # another one took its place meanwhile, with a sidecar of its own
            continue
        if said is None:  # somebody else put it there
            return file, Sidecar(content_type=_kind_of(name), metadata={})
        if said.get("key") != key:  # of a key that differs only in case, on a file system that does not care
            return None
        return file, Sidecar(content_type=str(said.get("type")), metadata=dict(said.get("metadata") or {}))


def delete_file(top: int, key: str) -> None:
    name, parts = file_of(key)
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        opened(top, parts) as folder,
        opened(top, [TMP], make=HIDDEN[0]) as tmp,
        locked(tmp, lock_of(key)),
    ):
        if removed(folder, name):
            synced(folder)
        with suppress(FileNotFoundError), opened(top, [SIDECARS, *parts[1:]]) as beside:
            removed(beside, f"{name}.json")


def parts_of(key: str) -> list[str] | None:
    """The parts of a key that can be the path of a file; None: it cannot."""
    try:
        parts = key.split("/")
        right = all(
            part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= LONGEST_NAME for part in parts
        )
    except UnicodeEncodeError:
        return None
    return parts if right else None


def file_of(key: str) -> tuple[str, list[str]]:
    """The name of a key's file, and the folders to it, the first its area."""
    *folders, name = key.split("/")
    return name, [PRIVATE if is_private(key) else PUBLIC, *folders]


def lock_of(key: str) -> str:
    return f"lock-{crc32(key.casefold().encode()) % LOCKS:02}"


def is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def read_sidecar(top: int, key: str) -> dict[str, Any] | None:
    """What a sidecar says; None: there is none, or none that can be read."""
    name, parts = file_of(key)
    try:
        with opened(top, [SIDECARS, *parts[1:]]) as folder, opened_file(folder, f"{name}.json") as file:
            said = json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _kind_of(name: str) -> str:
    return KINDS.get(PurePath(name).suffix.lower()) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def stored(key: str, file: IO[bytes], said: Sidecar) -> StoredObject:
    length = os.fstat(file.fileno()).st_size
    return StoredObject(key=key, bytes=length, content_type=said.content_type, metadata=said.metadata)


def read_mark(top: int) -> str | None:
    try:
        with opened_file(top, MARK) as file:
            return file.read(1_000).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def begin_volume(top: int) -> str:
    """The mark of a new volume; of two who begin at once, both get the same."""
    unique = f"{OURS}{uuid.uuid4().hex}"
    said = {"volume": str(uuid.uuid4()), "made": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        written(top, unique, iter([json.dumps(said).encode()]), SHOWN[1])
        with suppress(FileExistsError):
            os.link(unique, MARK, src_dir_fd=top, dst_dir_fd=top, follow_symlinks=False)
    finally:
        removed(top, unique)
    synced(top)
    with opened(top, [PUBLIC], make=SHOWN[0]):
        pass
    found = read_mark(top)
    assert found is not None  # noqa: S101
    return found
