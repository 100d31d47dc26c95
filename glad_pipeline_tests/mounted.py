"""A volume that is really mounted, full, read-only or in parts: `unshare -rm python -m glad_pipeline_tests.mounted DIR`.

In a mount namespace of its own, where anybody may mount a file system in memory. Prints what the store said, as JSON by
the name of the trouble: the message, and whether it may pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from glad_pipeline.storage.keys import DEPLOYMENT
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.volume import VolumeStore

PNG = {"content_type": "image/png", "metadata": {}}


def mount(place: Path, *options: str) -> None:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(place)], check=True)


def begun(root: Path) -> VolumeStore:
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com")
    store.put_once(DEPLOYMENT, b"{}", content_type="application/json", metadata={})
    return store


def said(ask: Callable[[], object]) -> tuple[str, bool]:
    try:
        return f"no error: {ask()!r}", False
    except StoreError as error:
        return str(error), error.transient


def main(folder: Path) -> None:
    found = {}
    mount(folder / "full", "-o", "size=256k")
    full = begun(folder / "full")
    found["full"] = said(lambda: full.put_once("generated/aa/a.png", b"x" * 1_000_000, **PNG))
    found["left of it"] = (str([each.key for each in full.listing("generated/")]), False)
    found["left in tmp"] = (
        str([each.name for each in (folder / "full/tmp").iterdir() if "lock" not in each.name]),
        False,
    )

    mount(folder / "read-only")
    read_only = begun(folder / "read-only")
    subprocess.run(["mount", "-o", "remount,ro", str(folder / "read-only")], check=True)
    found["read-only"] = said(lambda: read_only.put_once("generated/aa/a.png", b"x", **PNG))
    found["read-only, before a run"] = said(read_only.known)
    found["read-only, read"] = (str(read_only.fetch(DEPLOYMENT)), False)

    (folder / "parts").mkdir()
    parts = begun(folder / "parts")
    mount(folder / "parts/public")
    found["in parts"] = said(lambda: parts.put_once("generated/aa/a.png", b"x", **PNG))
    found["in parts, before a run"] = said(parts.known)

    mount(folder / "lost")
    lost = begun(folder / "lost")
    lost.put_once("generated/aa/a.png", b"x", **PNG)
    subprocess.run(["umount", str(folder / "lost")], check=True)
    found["unmounted, write"] = said(lambda: lost.put_once("generated/aa/b.png", b"x", **PNG))
    found["unmounted, read"] = said(lambda: lost.head("generated/aa/a.png"))
    found["unmounted, listing"] = said(lambda: list(lost.listing("generated/")))
    found["left in the mount point"] = (str(list((folder / "lost").iterdir())), False)
    mount(folder / "lost")
    begun_elsewhere = {"volume": "another"}
    (folder / "lost/.glad-volume").write_text(json.dumps(begun_elsewhere))
    found["another one"] = said(lambda: lost.head("generated/aa/a.png"))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
