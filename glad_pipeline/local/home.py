"""The state directory (`GLAD_HOME`): its lock, its one file of secrets, its one file of remembered facts.

Knows files, not what the servers keep in them. Standard library only: the launcher needs it before any install.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import re
import secrets
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from glad_pipeline import disk
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local.progress import Step
from glad_pipeline.redaction import hide

PORTS = range(15_000, 22_000)  # with twins 10,000 above: below the range systems give out to clients
CONTENTS = (
    "postgres",
    "postgres.new",
    "postgres-binaries",
    "s3",
    "volume",
    "tls",
    "ray-tls",
    "run",
    "dagster",
    "site",
    "logs",
)
FILES = (
    ".env",
    "secrets.json",
    "state.json",
    "s3.json",
    "model-hashes.json",
    "up.json",
    "workspace.yaml",
    "gallery.html",
    "up.lock",
    "workers.json",
    "ray-token",
    "web-token",
)
MADE_BY_RUNS = {"spool", "model-hashes.json", "compiled"}  # also by a run that Dagster alone has started
LONGEST_FOLDER = 36  # characters, around Ray's and Dagster's sockets, whose paths may have 103 in all on macOS
MARK = "lock"  # the first file we make: an empty one tells a directory of ours from somebody's own


class Busy(GladError):
    """Another process holds the lock that was asked for."""


class Home:
    """One directory, ours alone (0700), under which everything of the embedded stack lives."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.logs = self.path / "logs"

    def check(self) -> None:
        """Raises `UsageError` for somebody's own directory: there our names would overwrite and delete theirs."""
        try:
            theirs = sorted(path.name for path in self.path.iterdir()) if self.path.exists() else []
            mark = self.path / MARK
            ours = set(theirs) <= MADE_BY_RUNS or (mark.is_file() and mark.stat().st_size == 0)
        except OSError as error:
            raise self._unusable(error) from error
        if self.path in (Path("/"), Path.home()) or not ours:
            holds = f" (it holds {', '.join(theirs[:3])}{' …' if len(theirs) > 3 else ''})" if theirs else ""
            raise UsageError(
                f"GLAD_HOME {self.path} must be a directory of its own{holds}. Set it to a new folder, for example "
                f"{self.path / 'glad'}. Nothing was touched"
            )

    def prepare(self) -> Home:
        """Make the directory. Raises `UsageError` if it cannot be ours."""
        self.check()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.path.stat().st_uid
            if owner != os.geteuid():
                raise UsageError(
                    f"GLAD_HOME {self.path} belongs to user {owner}, you are user {os.geteuid()}. "
                    "Run as that user, or set GLAD_HOME to a directory of your own"
                )
            self.path = self.path.resolve()
            self.logs = self.path / "logs"
            (self.path / MARK).touch(mode=0o600)
            for folder in (self.logs, self.path / "run"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        return self

    def _unusable(self, error: OSError) -> UsageError:
        if disk.is_full(error):
            return UsageError(f"GLAD_HOME {self.path} cannot be used: {disk.full(self.path)}")
        return UsageError(
            f"GLAD_HOME {self.path} cannot be used: {error.strerror}. Set GLAD_HOME to a directory you may write"
        )

    @contextmanager
    def lock(self, name: str = MARK, *, wait: bool = True) -> Iterator[None]:
        """Hold an exclusive lock, across processes. Without `wait` raises `Busy` if another one has it."""
        with (self.path / name).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                if not wait:
                    raise Busy(f"{self.path / name} is held by another process") from error
                with Step("waiting for another glad to finish starting or stopping"):
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def secret(self, name: str) -> str:
        """The secret of that name, drawn at the first call and the same ever after. Call it under the lock."""
        known = self._read("secrets.json")
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            write_atomically(self.path / "secrets.json", json.dumps(known, indent=1))
        hide(str(known[name]))
        return str(known[name])

    def recall(self, name: str) -> Any:
        return self._read("state.json").get(name)

    def remember(self, name: str, value: Any) -> None:
        state = self._read("state.json")
        state[name] = value
        write_atomically(self.path / "state.json", json.dumps(state, indent=1))

    def port(self, name: str, usable: Callable[[int], bool] | None = None) -> int:
        """The port of that name: the one remembered if it is free, else another, remembered from now on."""
        usable = usable or port_is_free
        taken = {v for k, v in self._read("state.json").items() if k.startswith("port ") and k != f"port {name}"}
        known = self.recall(f"port {name}")
        if known and known not in taken and usable(known):
            return int(known)
        for _ in range(1000):
            port = random.choice(PORTS)  # noqa: S311 - a port, not a secret
            if port not in taken and usable(port):
                self.remember(f"port {name}", port)
                return port
        raise GladError(f"no free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1. End some other servers")

    def sockets(self) -> Path:
        """A folder for sockets: ours alone (0700), its path short and plain enough for every program.

        `run` in here, or else one whose name in the temporary folder nobody can guess. Call it under the lock.
        """
        if known := self._known_sockets():
            known.mkdir(mode=0o700, exist_ok=True)
            return known
        base = tempfile.gettempdir()
        made = tempfile.mkdtemp(prefix="glad-", dir=base if _is_short(Path(base) / "glad-12345678") else "/tmp")  # noqa: S108
        self.remember("sockets", made)
        return Path(made)

    def _known_sockets(self) -> Path | None:
        """That folder; None where there is none and it would have to be made."""
        if _is_short(self.path / "run"):
            return self.path / "run"
        known = self.recall("sockets")
        return Path(known) if known and _is_ours_alone(Path(known)) else None

    def leave_sockets(self, *names: str) -> None:
        """Remove these files and folders in it, and that folder unless somebody else has something in it.

        Writes nothing, so that servers can be stopped when the disk is full. Call it under the lock.
        """
        folder = self._known_sockets()
        if folder is None:
            return
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
            with suppress(OSError):
                (folder / name).unlink()
        with suppress(OSError):
            folder.rmdir()

    def clear(self) -> None:
        """Remove all that is ours in it, and nothing else. Beside other things its mark stays: it may be used again."""
        self._clear_spool()
        sockets = self.recall("sockets")
        if sockets and _is_ours_alone(Path(sockets)):
            shutil.rmtree(sockets, ignore_errors=True)
        for name in CONTENTS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)
        left = [name for name in CONTENTS if (self.path / name).exists()]
        if left:
            raise GladError(f"could not remove {', '.join(left)} in {self.path}. Remove it by hand")
        if [path.name for path in self.path.iterdir()] == [MARK]:
            (self.path / MARK).unlink()
            self.path.rmdir()

    def _clear_spool(self) -> None:
        """Pictures that wait for a store of our own go with it; those that wait for the person's stay."""
        folders = self.path / "spool"
        ours = folders / f"{quote(str(self.path / 'volume'), safe='')}@volume"
        for folder in (*folders.glob(f"*@127.0.0.1_{self.recall('port s3')}"), ours):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (*folders.glob("*@*"), folders):
            with suppress(OSError):  # not empty, or not there
                folder.rmdir()

    def _read(self, name: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise GladError(f"{self.path / name} is damaged. Remove everything with: glad reset") from error
        return content


def _is_short(folder: Path) -> bool:
    return len(str(folder)) <= LONGEST_FOLDER and re.fullmatch(r"[\w./-]+", str(folder), re.ASCII) is not None


def _is_ours_alone(folder: Path) -> bool:
    """Whether it is a folder, no link to one, that we own and nobody else may enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def port_is_free(port: int) -> bool:
    """Whether a server of ours could listen there; connections still closing do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int, host: str = "127.0.0.1", *, seconds: float = 1) -> bool:
    """Whether a TCP connection can be made."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one move, readable by its owner only from the first byte. An `OSError` names the file."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        Path(name).unlink(missing_ok=True)
        raise
