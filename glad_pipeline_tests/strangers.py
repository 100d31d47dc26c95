"""What another user of this machine, or a web page, can try at a socket: everything but the credentials."""

from __future__ import annotations

import os
import re
import socket
import ssl
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from glad_pipeline.local import certificates

CALL_SECONDS = 10
NOBODY = 65534


def spoken(port: int, sent: bytes, *, tls: ssl.SSLContext | None = None) -> bytes:
    """What a TCP port answers to these bytes; nothing if it breaks off."""
    answer = b""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=CALL_SECONDS)
        with tls.wrap_socket(connection) if tls else connection as connection:
            connection.sendall(sent)
            while piece := connection.recv(65536):
                answer += piece
    except OSError:
        pass
    return answer


def request(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()


def trusting(folder: Path | None = None) -> ssl.SSLContext:
    """A TLS client that believes any server and shows the certificate in that folder, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if folder is not None:
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def self_made(folder: Path) -> Path:
    """Keys that a stranger makes, exactly as ours are made."""
    certificates.lay(folder)
    return folder


def channel_to(port: int, keys: Mapping[str, Path] | None) -> grpc.Channel:
    """`keys`: the folders of the certificates, `ca` to trust and `own` to show; None: unencrypted."""
    if keys is None:
        return grpc.insecure_channel(f"127.0.0.1:{port}")
    own = keys.get("own")
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(keys["ca"] / "ca.pem").read_bytes(),
        private_key=(own / "key.pem").read_bytes() if own else None,
        certificate_chain=(own / "cert.pem").read_bytes() if own else None,
    )
    return grpc.secure_channel(f"127.0.0.1:{port}", credentials)


def called(
    port: int,
    method: str,
    message: bytes = b"",
    *,
    keys: Mapping[str, Path] | None = None,
    token: str | None = None,
) -> bytes | str:
    """What a gRPC server answers: the reply, or the name of the refusal."""
    shown = () if token is None else (("authorization", f"Bearer {token}"),)
    with channel_to(port, keys) as channel:
        try:
            reply: bytes = channel.unary_unary(method)(message, timeout=CALL_SECONDS, metadata=shown)
            return reply
        except grpc.RpcError as error:
            return str(error.code().name)  # type: ignore[attr-defined]


def is_ours_alone(path: Path) -> bool:
    """Whether the folder that it lies in lets nobody else through."""
    folder = path.parent.stat()
    return folder.st_uid == os.geteuid() and stat.S_IMODE(folder.st_mode) == 0o700


def another_user_connects(path: Path) -> bool:
    """Whether the user nobody reaches a Unix socket. Only root can try; others ask `is_ours_alone`."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@dataclass(frozen=True, order=True)
class Listening:
    """A socket at which a process of ours can be spoken to."""

    place: str  # an absolute path, or IP and port
    command: str  # of the process

    @property
    def port(self) -> int:
        return int(self.place.rpartition(":")[2])


def listening(processes: Iterable[psutil.Process]) -> set[Listening]:
    """Every socket of these processes that waits for somebody: TCP, UDP and Unix."""
    found = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            command, folder = " ".join(process.cmdline()), process.cwd()
            for each in process.net_connections("all"):
                if each.family == socket.AF_UNIX:
                    if each.laddr:
                        found.add(Listening(place=str((Path(folder) / each.laddr).resolve()), command=command))
                elif not each.raddr:
                    found.add(Listening(place=f"{each.laddr.ip}:{each.laddr.port}", command=command))
    return found


def documented() -> dict[str, str]:
    """The sockets that docs/security.md names, each with its row of the table."""
    text = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    chapter = re.split(r"^## ", text, flags=re.MULTILINE)
    (chapter,) = [each for each in chapter if each.startswith("Sockets")]
    rows = [line.strip("| ").split(" | ") for line in chapter.splitlines() if line.startswith("| ")]
    return {row[0].strip(): " | ".join(row[1:]) for row in rows if row[0].strip() not in ("socket", "")}
