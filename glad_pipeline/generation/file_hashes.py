"""SHA-256 of files, remembered in a JSON file by path, size and modification time: 7 GB are read once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from glad_pipeline import disk

log = logging.getLogger(__name__)


class FileHashes:
    """Hashes with an optional memory. A lost, damaged or unwritable memory only costs time."""

    def __init__(self, memory: Path | str | None) -> None:
        self._memory = Path(memory) if memory else None
        self._known: dict[str, str] = {}
        self._changed = False
        if self._memory is not None:
            with suppress(OSError, ValueError):
                known = json.loads(self._memory.read_bytes())
                self._known = {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}

    def sha256(self, file: Path) -> str:
        """64 hex digits; read from the file unless it is remembered as it is now."""
        known = self.remembered(file)
        if known is None:
            known = read_sha256(file)
            self.remember(file, known)
        return known

    def remembered(self, file: Path) -> str | None:
        """What was last remembered of the file, if its size and modification time are still the same."""
        return self._known.get(_key(file))

    def remember(self, file: Path, digest: str) -> None:
        """Takes a hash that was read elsewhere."""
        if self._known.get(_key(file)) != digest:
            self._known[_key(file)] = digest
            self._changed = True

    def save(self) -> None:
        """Writes the memory if there is news: to a file beside it, then renamed, so no reader sees half of it."""
        if self._memory is None or not self._changed:
            return
        name = None
        try:
            self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._memory.parent, prefix=self._memory.name)
            with os.fdopen(handle, "w") as stream:
                json.dump(self._known, stream, indent=1)
            Path(name).replace(self._memory)
            self._changed = False
        except OSError as error:
            if name is not None:
                Path(name).unlink(missing_ok=True)
            why = disk.full(self._memory.parent) if disk.is_full(error) else error.strerror
            log.warning("hashes of the model's files are not remembered, and are read again next time: %s", why)


def read_sha256(file: Path) -> str:
    """64 hex digits over the whole file, read now."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _key(file: Path) -> str:
    stat = file.stat()
    return f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
