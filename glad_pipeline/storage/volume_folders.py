"""Folders and files below one folder, opened step by step so that no link leads out of it. Knows no keys or stores.

Everything is relative to the open folder at the top (a file descriptor): what happens to its path meanwhile, such as a
volume that is unmounted and leaves an empty mount point, changes nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
LOCK_SECONDS = 20.0  # that one waits for another process: it holds a lock for milliseconds, unless it is stopped


class IsLinkError(OSError):
    """A symbolic link stands where a folder or file of ours should; links are not followed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A folder or file as a listing of its folder tells it."""

    name: str
    is_folder: bool
    bytes: int
    modified: float  # seconds since 1970


@contextmanager
def opened(top: int, parts: Sequence[str], *, make: int | None = None) -> Iterator[int]:
    """The folder `top/parts…`; with `make` (permissions) folders that are missing are made, and are there for good.

    Raises `IsLinkError` for a link on the way, other `OSError`s as the system does.
    """
    folder = os.dup(top)
    try:
        for part in parts:
            below = _step(folder, part, make)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _step(folder: int, part: str, make: int | None) -> int:
    with _links_told(part, folder):
        try:
            return os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            if make is None:
                raise
        with suppress(FileExistsError):  # another one made it
            os.mkdir(part, make, dir_fd=folder)
        below = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        os.fchmod(below, make)  # whatever the umask is
        synced(folder)
        return below


def opened_file(folder: int, name: str) -> IO[bytes]:
    """A regular file of a folder, to read. Raises `IsLinkError`, `FileNotFoundError` also for what is no file."""
    with _links_told(name, folder):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return os.fdopen(handle, "rb")


@contextmanager
def _links_told(name: str, folder: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(name, folder):
            raise IsLinkError(errno.ELOOP, "it is a symbolic link, and links are not followed", name) from error
        raise


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def written(folder: int, name: str, pieces: Iterator[bytes], mode: int) -> None:
    """A new file, on the disk when this returns."""
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(handle)


def synced(folder: int) -> None:
    """What was made, named or removed in it is so after a power cut too."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems see to it by themselves
            raise


def removed(folder: int, name: str) -> bool:
    """Remove a file; whether it was there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def locked(folder: int, name: str) -> Iterator[None]:
    """Hold the lock of that name, across threads and processes; a process that dies has let it go.

    Raises `TimeoutError` after LOCK_SECONDS.
    """
    handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        deadline, pause = time.monotonic() + LOCK_SECONDS, 0.001
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock and does not go on") from None
                time.sleep(pause)
                pause = min(0.05, pause * 2)
        yield
    finally:
        os.close(handle)


def entries(folder: int) -> list[Entry]:
    """Folders and regular files, in the order in which the bytes of their paths come, those below a folder included.

    Links, and names that are not UTF-8, are none of ours.
    """
    found = []
    with os.scandir(folder) as there:
        for each in there:
            with suppress(FileNotFoundError, UnicodeEncodeError):  # it has gone meanwhile
                each.name.encode()
                seen = each.stat(follow_symlinks=False)
                if stat.S_ISDIR(seen.st_mode) or stat.S_ISREG(seen.st_mode):
                    found.append(
                        Entry(
                            name=each.name,
                            is_folder=stat.S_ISDIR(seen.st_mode),
                            bytes=seen.st_size,
                            modified=seen.st_mtime,
                        )
                    )
    return sorted(found, key=lambda each: f"{each.name}/".encode() if each.is_folder else each.name.encode())
