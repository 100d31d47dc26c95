"""The keys with which Next signs and encrypts: in the packed site constants that everybody knows, anew wherever it is
unpacked. Standard library only: `web/scripts/pack.py` asks, too."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

HEX = {"previewModeId": 16, "previewModeSigningKey": 32, "previewModeEncryptionKey": 32}  # bytes, by Next's name
ACTIONS = "encryptionKey"  # of what server actions close over: base64 of 32 bytes


def known_keys() -> dict[str, str]:
    """Those of the packed site, by Next's names."""
    digests = {name: hashlib.sha256(f"glad, to be replaced: {name}".encode()).digest() for name in (*HEX, ACTIONS)}
    return {name: digests[name][:size].hex() for name, size in HEX.items()} | {
        ACTIONS: base64.b64encode(digests[ACTIONS]).decode()
    }


def files_with_keys(folder: Path) -> list[Path]:
    """The files below the folder that have one of them in it."""
    known = [key.encode() for key in known_keys().values()]
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if any(key in path.read_bytes() for key in known)]


def draw_keys(files: Iterable[Path]) -> None:
    """Put fresh keys in the place of the known ones, in all of these files the same."""
    fresh = {name: secrets.token_hex(size) for name, size in HEX.items()}
    fresh[ACTIONS] = base64.b64encode(secrets.token_bytes(32)).decode()
    for file in files:
        content = file.read_bytes()
        for name, key in known_keys().items():
            content = content.replace(key.encode(), fresh[name].encode())
        file.write_bytes(content)
