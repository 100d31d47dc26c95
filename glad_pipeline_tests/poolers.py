"""PgBouncer in front of the tests' server: on a free port, as an ordinary user, with files of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def pgbouncer(server: str, mode: str, **options: object) -> Iterator[str]:
    """The URL of the same database as `server`, another URL, through a PgBouncer with this `pool_mode`.

    `options`: more lines of its `[pgbouncer]`. The test is skipped where there is no PgBouncer.
    """
    if PGBOUNCER is None:
        pytest.skip("no pgbouncer (Debian: apt-get install pgbouncer)")
    parts = urlsplit(server)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="glad-pgbouncer-") as name:
        folder = Path(name)
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": folder / "users.txt",
            "pool_mode": mode,
            "max_client_conn": 100,
        } | options
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\n"
            + "".join(f"{key} = {value}\n" for key, value in lines.items())
        )
        (folder / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
        command = [PGBOUNCER, "-q", str(folder / "pgbouncer.ini")]
        if os.getuid() == 0:  # which it refuses
            nobody = pwd.getpwnam("nobody")
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            command += ["-u", "nobody"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for(port, process, folder / "log")
            yield parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
    raise AssertionError(f"PgBouncer does not listen: {log.read_text()}")
