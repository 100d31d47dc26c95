"""What a folder for pictures really does, tried with an empty file that is removed again: what every write needs."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from glad_pipeline import disk
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.display import in_bytes
from glad_pipeline.storage.probe import ALL, Probed
from glad_pipeline.storage.volume_errors import NOT_ABLE, explained, refusal
from glad_pipeline.storage.volume_files import HIDDEN, OURS, PRIVATE, PUBLIC, SHOWN, SIDECARS, TMP, read_mark
from glad_pipeline.storage.volume_folders import FOLDER, locked, opened, removed, synced, written

DOING = "try a file"
LITTLE = 1_000_000_000  # bytes


def look(root: str, public_base_url: str) -> Probed:
    """Try the folder, which exists. Raises `StoreError` with the cure where it cannot take pictures."""
    with explained(DOING, root):
        top = os.open(root, FOLDER)
        try:
            keeps_permissions = _try(top, root)
            found = [*_permissions(top, root, public_base_url, keeps_permissions), _room(root)]
        finally:
            os.close(top)
    return Probed(able=ALL, found=tuple(found))


def _try(top: int, root: str) -> bool:
    """Write, lock, link, find the name taken, remove; whether permissions are kept."""
    unique = f"{OURS}{uuid.uuid4().hex}"
    if read_mark(top) is None:  # nothing of ours may be left in what may be an empty mount point
        os.mkdir(unique, HIDDEN[0], dir_fd=top)
        try:
            with opened(top, [unique]) as folder:
                return _try_in(folder, [folder], unique, root)
        finally:
            os.rmdir(unique, dir_fd=top)
    with (
        opened(top, [TMP], make=HIDDEN[0]) as tmp,
        opened(top, [PUBLIC], make=SHOWN[0]) as public,
        opened(top, [PRIVATE], make=HIDDEN[0]) as private,
        opened(top, [SIDECARS], make=HIDDEN[0]) as sidecars,
    ):
        return _try_in(tmp, [public, private, sidecars], unique, root)


def _try_in(tmp: int, targets: list[int], unique: str, root: str) -> bool:
    target = f"{unique}-there"
    try:
        written(tmp, unique, iter([b"x"]), HIDDEN[1])
        with locked(tmp, f"{unique}-lock"):
            for folder in targets:
                _link(unique, target, tmp, folder, root)
                synced(folder)
        return not stat.S_IMODE(os.stat(unique, dir_fd=tmp).st_mode) & 0o077
    finally:
        for folder, name in ((tmp, unique), (tmp, f"{unique}-lock"), *((each, target) for each in targets)):
            with suppress(OSError):
                removed(folder, name)


def _link(name: str, target: str, tmp: int, folder: int, root: str) -> None:
    try:
        os.link(name, target, src_dir_fd=tmp, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EMLINK):
            raise refusal(DOING, root, NOT_ABLE) from error
        raise
    try:
        os.link(name, target, src_dir_fd=tmp, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return
    raise refusal(DOING, root, "a name that is taken is given again: use a file system that refuses that, such as ext4")


def _permissions(top: int, root: str, public_base_url: str, keeps_permissions: bool) -> Iterator[Diagnosis]:
    local = urlsplit(public_base_url).hostname in ("127.0.0.1", "localhost", "::1")
    if not keeps_permissions:
        yield Diagnosis(
            check="store: permissions",
            level=Level.WARNING,
            text=f"the file system of {root} keeps no permissions: other users of this machine may read {PRIVATE}",
            cure="mount it for this user alone (umask=077), or use another one",
        )
    elif not local and not os.fstat(top).st_mode & stat.S_IXOTH:
        yield Diagnosis(
            check="store: permissions",
            level=Level.WARNING,
            text=f"a web server that runs as another user cannot enter {root}, and would show no picture",
            cure=f"chmod o+x {root}, unless it runs as user {os.geteuid()}",
        )
    else:
        text = f"files can be written, named once and kept from others in {root}"
        yield Diagnosis(check="store: permissions", level=Level.OK, text=text)


def _room(root: str) -> Diagnosis:
    free = disk.free(root)
    if free >= LITTLE:
        return Diagnosis(check="store: room", level=Level.OK, text=f"{in_bytes(free)} are free in {root}")
    return Diagnosis(
        check="store: room",
        level=Level.WARNING,
        text=f"only {in_bytes(free)} are free in {root}",
        cure="make room, or enlarge the volume",
    )
