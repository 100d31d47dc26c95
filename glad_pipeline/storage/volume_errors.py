"""What a file system raises, as `StoreError`s: what was tried, the cure, and whether the same may succeed later."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from glad_pipeline import disk
from glad_pipeline.storage.protocol import StoreAnswer, StoreError
from glad_pipeline.storage.volume_files import MARK
from glad_pipeline.storage.volume_folders import IsLinkError

_ONE_FILE_SYSTEM = (
    "tmp, public, private and sidecars in it have to be on one file system: mount one volume at the folder itself"
)
_SILENT = "the disk or the network file system does not answer: look at the mount and at `dmesg`"
NOT_ABLE = "this file system has no hard links or no locks: use another, such as ext4 or XFS (exFAT has none)"
_MAY_PASS = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH)
CURES = {
    errno.EROFS: "it is mounted read-only: mount it so that it can be written",
    errno.EXDEV: _ONE_FILE_SYSTEM,
    errno.ENOTDIR: "a file is where a folder has to be: move it away",
    errno.EISDIR: "a folder is where a file has to be: move it away",
    errno.ENAMETOOLONG: "the key is too long for a file's name",
    **dict.fromkeys((errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK), NOT_ABLE),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "too many files are open: raise the limit (ulimit -n)"),
    **dict.fromkeys(_MAY_PASS, _SILENT),
}


@contextmanager
def explained(doing: str, root: str) -> Iterator[None]:
    """An `OSError` of a file system as a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise _of(error, doing, root) from error


def refusal(
    doing: str, root: str, cure: str, *, transient: bool = False, answer: StoreAnswer = "refusal"
) -> StoreError:
    """An error of ours about the folder."""
    return StoreError(f"could not {doing} in the folder {root}: {cure}", transient=transient, answer=answer)


def _of(error: OSError, doing: str, root: str) -> StoreError:
    if disk.is_full(error):
        return refusal(doing, root, disk.full(root, "or move the pictures to a larger volume"), transient=True)
    if isinstance(error, IsLinkError):
        name = os.fsdecode(error.filename)
        return refusal(doing, root, f"{name} in it is a symbolic link, and links are not followed: put a folder there")
    if isinstance(error, TimeoutError) and error.strerror and "lock" in error.strerror:
        cure = f"{error.strerror}: see whether a run on this volume is stopped"
        return refusal(doing, root, cure, transient=True, answer="none")
    if isinstance(error, PermissionError):
        cure = "have it own the folder (chown), with the right to write (chmod u+rwx)"
        return refusal(doing, root, f"user {os.geteuid()} may not do that: {cure}")
    transient = error.errno in (*_MAY_PASS, errno.EMFILE, errno.ENFILE)
    cure = CURES.get(error.errno or 0, str(error))
    return refusal(doing, root, cure, transient=transient, answer="none" if transient else "refusal")


def lost(doing: str, root: str) -> StoreError:
    """The volume was there, and where it was mounted is something else now."""
    cure = f"its mark {MARK} is gone, and was there before: mount the volume again"
    return refusal(doing, root, cure, transient=True, answer="none")
