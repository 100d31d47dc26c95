"""Builds the site and packs it into `glad_pipeline/local/site.tar.xz`, with what is known of it in `site.json` beside.

    python3 scripts/pack.py            npm run pack
    python3 scripts/pack.py --to F     into the folder F instead
    python3 scripts/pack.py --check    is what is packed made of these sources? Needs no Node.js

The same sources make the same bytes, wherever and whenever they are built: entries are sorted and have neither time nor
owner, the build's name is the hash of the sources, the folder of the build is nowhere in it, and the keys that Next
draws are constants here, which `glad up` replaces where it unpacks the site. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

WEB = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(WEB.parent))

from glad_pipeline.local.site_keys import ACTIONS, HEX, files_with_keys, known_keys  # noqa: E402

PACKAGE = WEB.parent / "glad_pipeline" / "local"
MADE = {"node_modules", ".next", ".vercel", "out", "scripts", "coverage"}  # folders that are no sources of the build
ASIDE = {"README.md", "vercel.json", "openapi.json", "next-env.d.ts", ".gitignore", ".npmrc", ".vercelignore"}
UNUSED = (".nft.json", ".map", ".tsbuildinfo")  # ends of names of what only builds and debuggers read
ANYWHERE = "/site"  # in the place of the folder in which it was built
MOST = 6_000_000  # bytes; every clone and every installation has them


def main() -> int:
    """Pack, or check. What goes wrong is a message."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="whether what is packed is of these sources")
    parser.add_argument("--to", type=Path, default=PACKAGE, metavar="F", help="the folder to pack into")
    given = parser.parse_args()
    if given.check:
        return check(given.to)
    name = hash_of_sources()
    build(name)
    with tempfile.TemporaryDirectory(prefix="glad-site-") as folder:
        site = Path(folder).resolve()
        gather(site)
        put_known_keys(site)
        forget_the_folder(site)
        keys = [str(path.relative_to(site)) for path in files_with_keys(site)]
        archive = tar_of(site)
    packed = lzma.compress(archive, preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > MOST:
        raise SystemExit(f"pack: the site is {len(packed):,} bytes packed, and may be {MOST:,}")
    facts = {"sources": name, "sha256": hashlib.sha256(archive).hexdigest(), "keys": keys}
    given.to.mkdir(parents=True, exist_ok=True)
    (given.to / "site.tar.xz").write_bytes(packed)
    (given.to / "site.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{given.to / 'site.tar.xz'}: {len(packed):,} bytes, {len(archive):,} unpacked")
    return 0


def check(folder: Path) -> int:
    """0 if what is packed there is made of these sources."""
    facts = folder / "site.json"
    known = json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else {}
    if known.get("sources") == hash_of_sources() and (folder / "site.tar.xz").exists():
        print("the packed site is made of these sources")
        return 0
    print("the packed site is of other sources: npm run pack", file=sys.stderr)
    return 1


def sources() -> Iterator[Path]:
    """What a build depends on."""
    for folder, folders, files in os.walk(WEB):
        folders[:] = sorted(set(folders) - MADE)
        for file in sorted(files):
            if file not in ASIDE and not file.startswith(".env") and not file.endswith(UNUSED):
                yield Path(folder) / file


def hash_of_sources() -> str:
    """Of names and contents, and of this file, which decides what becomes of them."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted(sources(), key=lambda path: path.relative_to(WEB).as_posix())):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def build(name: str) -> None:
    """`next build`, with the versions of the lock file, and with nothing of this machine's settings."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise SystemExit("pack: Node.js with npm is needed to build the site")
    plain = {
        key: value for key, value in os.environ.items() if not key.startswith(("GLAD_", "NEXT_", "__NEXT", "VERCEL"))
    }
    plain |= {"NEXT_TELEMETRY_DISABLED": "1", "NODE_ENV": "production", "CI": "1"}
    lock = WEB / "node_modules" / ".package-lock.json"
    if not lock.exists() or lock.stat().st_mtime < (WEB / "package-lock.json").stat().st_mtime:
        _run([npm, "ci", "--include=dev", "--no-audit", "--no-fund"], plain)
    made = WEB / ".next"
    shutil.rmtree(made, ignore_errors=True)
    given = {"NEXT_SERVER_ACTIONS_ENCRYPTION_KEY": known_keys()[ACTIONS], "GLAD_BUILD_ID": name[:20]}
    _run([node, "node_modules/next/dist/bin/next", "build"], plain | given)


def gather(site: Path) -> None:
    """What Next has laid out to be served, and beside it what browsers load."""
    made = WEB / ".next"
    shutil.copytree(made / "standalone", site, dirs_exist_ok=True, symlinks=True)
    shutil.copytree(made / "static", site / ".next" / "static")
    if (WEB / "public").is_dir():
        shutil.copytree(WEB / "public", site / "public", dirs_exist_ok=True)
    for path in sorted(site.rglob("*")):
        leaves = path.is_symlink() and (path.readlink().is_absolute() or site not in path.resolve().parents)
        if leaves or path.suffix == ".node":
            raise SystemExit(f"pack: {path.relative_to(site)} is of this machine: a library, or a link out of the site")
        if path.is_file() and (path.name.endswith(UNUSED) or path.name.startswith(".env")):
            path.unlink()
    shutil.rmtree(site / ".next" / "cache", ignore_errors=True)


def put_known_keys(site: Path) -> None:
    """In the place of those that Next has drawn; what it is given for these, it does not take in a container."""
    manifest = json.loads((site / ".next" / "prerender-manifest.json").read_text(encoding="utf-8"))
    drawn = {manifest["preview"][name]: known_keys()[name] for name in HEX}
    for path in sorted(site.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            for old, new in drawn.items():
                content = content.replace(old.encode(), new.encode())
            path.write_bytes(content)


def forget_the_folder(site: Path) -> None:
    """Name no place of this machine. Raises `SystemExit` where one is left."""
    plain = str(WEB)
    forms = {plain, json.dumps(plain)[1:-1], quote(plain)}
    left = [str(Path.home()).encode(), str(WEB.parent).encode()]
    for path in sorted(site.rglob("*")):
        if not path.is_file():
            continue
        content = before = path.read_bytes()
        for form in sorted(forms, key=len, reverse=True):
            content = content.replace(form.encode(), ANYWHERE.encode())
        if content != before:
            path.write_bytes(content)
        if any(place in content for place in left if len(place) > 5):
            raise SystemExit(f"pack: {path.relative_to(site)} names a folder of this machine")


def tar_of(site: Path) -> bytes:
    """Sorted, and without times, owners and what a umask has done."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(site.rglob("*"), key=lambda path: path.relative_to(site).as_posix()):
            entry = tarfile.TarInfo(path.relative_to(site).as_posix())
            if path.is_symlink():  # Turbopack's, to a package that it does not bundle
                entry.type, entry.linkname = tarfile.SYMTYPE, path.readlink().as_posix()
                archive.addfile(entry)
            elif path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                content = path.read_bytes()
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _run(command: list[str], environment: dict[str, str]) -> None:
    print("$", *command, flush=True)
    if code := subprocess.run(command, cwd=WEB, env=environment, check=False).returncode:
        raise SystemExit(f"pack: {' '.join(command[:3])} failed (exit {code})")


if __name__ == "__main__":
    sys.exit(main())
