"""The folder of pictures where nobody has said at which address it is shown: a file server of ours shows it.

The folder is GLAD_VOLUME, or `volume` in GLAD_HOME where GLAD_STORE alone asks for one. Knows nothing of pictures.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from glad_pipeline.embedded import report
from glad_pipeline.errors import GladError
from glad_pipeline.http_client import local_status
from glad_pipeline.local.home import Home, port_is_free
from glad_pipeline.local.processes import end, holder_of, is_still, spawn, wait_until
from glad_pipeline.local.progress import Step

READY, OK = "/.glad/ready", 200  # as `file_server` answers it


class VolumeServer:
    """The file server of a `Home`. `start` and `stop` are to be called under the home's lock."""

    def __init__(self, home: Home, folder: str | None) -> None:
        self._home = home
        self.own = folder is None
        self.folder = Path(folder) if folder else home.path / "volume"
        self.log = home.logs / "volume.log"

    @property
    def port(self) -> int | None:
        known = self._home.recall("port pictures")
        return int(known) if known else None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a client needs, by the names `settings` knows."""
        return {"GLAD_VOLUME": str(self.folder), "GLAD_PUBLIC_BASE_URL": self.address}

    def running(self) -> psutil.Process | None:
        """The process that shows this folder, if it lives."""
        known = self._home.recall("file server") or {}
        if known.get("folder") != str(self.folder) or not is_still(known["pid"], known["created"]):
            return None
        return psutil.Process(known["pid"])

    def start(self, *, die_with_us: bool = False) -> None:
        """See to it that the server runs and answers; one that runs already is taken over."""
        if self.own:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        with Step("starting the file server"):
            if self.running() is not None and self._answers():
                return
            self.stop()
            port = self._port()
            child = spawn(
                [sys.executable, "-m", "glad_pipeline.local.file_server", str(self.folder), str(port)],
                log=self.log,
                cwd=Path(__file__).parents[2],
                env=_environment(),
                die_with_us=signal.SIGTERM if die_with_us else None,
            )
            try:
                self._wait_for(child, port)
                created = psutil.Process(child.pid).create_time()
            except BaseException:
                child.kill()
                raise
            self._home.remember("file server", {"pid": child.pid, "created": created, "folder": str(self.folder)})

    def stop(self) -> bool:
        """End it, whichever folder it shows. False if there was nothing to end."""
        known = self._home.recall("file server") or {}
        if not known or not is_still(known["pid"], known["created"]):
            return False
        end(psutil.Process(known["pid"]), (signal.SIGTERM, 5), (signal.SIGKILL, 5))
        return True

    def _answers(self) -> bool:
        return local_status(self.port, READY) == OK

    def _wait_for(self, child: subprocess.Popen[bytes], port: int) -> None:
        def ready() -> bool:
            return child.poll() is not None or local_status(port, READY) == OK

        if not wait_until(ready, 60) or child.poll() is not None:
            raise GladError(f"the file server did not come up: {report(self.log)}")

    def _port(self) -> int:
        """Published URLs contain it, hence it never changes by itself."""
        known = self.port
        if known and not wait_until(lambda: port_is_free(known), seconds=5):
            raise GladError(
                f"port {known} of the file server is taken by {holder_of(known)}. The URLs of the published pictures "
                "contain it: end that program, or set GLAD_PUBLIC_BASE_URL to the address of a web server of your own"
            )
        return self._home.port("pictures")


def _environment() -> dict[str, str]:
    """Nothing of ours: it needs no setting and no secret."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
