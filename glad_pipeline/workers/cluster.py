"""Ray itself: the cluster of this machine, started and ended; any cluster, found and connected to.

Whoever reaches Ray's ports may run any program on its machines. So ours listens on 127.0.0.1 alone, unless two
settings say otherwise, and asks for a certificate and a token: files of GLAD_HOME that its owner alone may read.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from glad_pipeline.deadline import within
from glad_pipeline.display import one_line, tail
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UnavailableError, UsageError
from glad_pipeline.local import certificates
from glad_pipeline.local.home import Home, listens, write_atomically
from glad_pipeline.local.processes import end_members, is_still, session_members, spawn
from glad_pipeline.local.progress import Step
from glad_pipeline.local.stack import project_root
from glad_pipeline.redaction import hide, redact

T = TypeVar("T")
LOOPBACK = "127.0.0.1"  # the only one that Ray takes for one
NAMESPACE = "glad"
UP_SECONDS = 60.0
CONNECT_SECONDS = 30.0
# Of `ray://`: the head first starts a process for each client, which imports Ray and joins the cluster. Measured: 6 s
# on an idle machine, 39 s on two cores with a load of 12.
CLIENT_SECONDS = 120.0
NODE_SECONDS = 0.3
FILE = "workers.json"
TLS = "ray-tls"
UP = "./glad workers up"


class Cluster:
    """The Ray cluster that the options name: theirs, or the one of this machine."""

    def __init__(self, options: EngineOptions) -> None:
        self._home = Home(Path(options.home))
        self._host = options.ray_host.replace("localhost", LOOPBACK)
        self._exposed = options.ray_exposed
        self._given = options.ray_address
        self._wanted = options.workers

    # the one of this machine

    @property
    def is_ours(self) -> bool:
        """Whether it is this machine's own, started by `glad workers up`."""
        return self._given is None

    @property
    def is_wanted(self) -> bool:
        """Whether runs that may choose draw here: a cluster is named, or this machine's runs."""
        return self._given is not None or self.describe() is not None

    def describe(self) -> dict[str, Any] | None:
        """Ours, if it runs: `pid`, `address`, `workers`."""
        try:
            known: dict[str, Any] = json.loads((self._home.path / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return known if is_still(known["pid"], known["created"]) else None

    @property
    def workers(self) -> int | None:
        """How many workers there are to be, as `glad workers up` has found, or the settings say; None: nobody knows."""
        if self._given is not None:
            return self._wanted
        known = self.describe()
        return known.get("workers") if known else None

    def note(self, **facts: Any) -> None:
        """Add to what `describe` tells."""
        known = self.describe()
        if known is not None:
            write_atomically(self._home.path / FILE, json.dumps({**known, **facts}))

    @property
    def address(self) -> str:
        """Where to connect. Raises `UnavailableError` if the settings name none and none of ours runs."""
        if self._given is not None:
            return self._given
        known = self.describe()
        if known is None:
            raise UnavailableError(f"no workers run on this machine: start them with {UP}, or set GLAD_BACKEND=process")
        return str(known["address"])

    def start(self, *, cpus: float) -> bool:
        """See to it that ours runs; False if it did. `cpus`: what the workers' shares add up to.

        Raises `UsageError` for an address that others can reach and nobody allowed, `GladError` if it does not come up.
        """
        self._refuse_to_be_reached()
        with self._home.prepare().lock():
            if self.describe() is not None:
                return False
            if not (self._home.path / TLS / "ca.pem").exists():  # a process reads them once: they outlive the cluster
                certificates.lay(self._home.path / TLS)
            os.environ.update(self._environment())
            import_ray()
            usable = partial(_free, self._host)
            port = self._home.port("ray", usable)
            folder = self._home.sockets()  # Ray opens its own files to everybody: nobody else gets as far as there
            log = self._home.logs / "ray.log"
            log.write_text("", encoding="utf-8")
            command = [self.python(), "-m", "ray.scripts.scripts", "start", "--head", "--block"]
            command += [f"--node-ip-address={self._host}", f"--port={port}", f"--temp-dir={folder / 'ray'}"]
            command += [f"--num-cpus={max(os.cpu_count() or 1, int(cpus + 0.999))}", "--disable-usage-stats"]
            # the monitor would ask a cloud for machines, and serves figures to everybody on a fixed port
            command += ["--include-dashboard=false", "--include-log-monitor=false", "--no-monitor"]
            # some ports of Ray's are fixed unless set otherwise, and a second cluster could not have them too
            command += ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
            command += [f"--ray-client-server-port={self._home.port('ray client', usable)}"]
            (folder / "ray").mkdir(mode=0o700, exist_ok=True)
            environment = {**os.environ, "TMPDIR": str(folder / "ray")}
            # what the head itself waits for the process that it starts for a client, before it lets that one down
            environment.setdefault("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", str(int(CLIENT_SECONDS)))
            child = spawn(command, log=log, cwd=project_root(), env=environment)
            address = f"{self._host}:{port}"
            with Step("starting Ray"):
                deadline = time.monotonic() + UP_SECONDS
                while not ("Ray runtime started" in log.read_text(errors="replace") and _listens(address)):
                    if child.poll() is not None or time.monotonic() > deadline:
                        end_members(session_members(child.pid))
                        raise GladError(f"Ray did not come up: {log}\n{tail(log)}")
                    time.sleep(0.1)
            known = {"pid": child.pid, "created": psutil.Process(child.pid).create_time(), "address": address}
            write_atomically(self._home.path / FILE, json.dumps(known))
        return True

    def python(self) -> str:
        """This Python, by a path without spaces: Ray starts some of its processes through a shell that splits it."""
        if " " not in sys.prefix:
            return sys.executable
        link = self._home.sockets() / "python"
        link.unlink(missing_ok=True)
        link.symlink_to(sys.prefix, target_is_directory=True)
        return str(link / Path(sys.executable).relative_to(sys.prefix))

    def stop(self) -> bool:
        """End ours with everything in it. False if it did not run."""
        known = self.describe()
        if known is not None:
            with Step("stopping Ray"):
                end_members(session_members(known["pid"]), seconds=1)
        (self._home.path / FILE).unlink(missing_ok=True)
        if self._home.path.exists():
            with suppress(GladError), self._home.prepare().lock():
                self._home.leave_sockets("ray", "python")
        return known is not None

    def _refuse_to_be_reached(self) -> None:
        if self._host != LOOPBACK and not self._exposed:
            raise UsageError(
                f"GLAD_RAY_HOST is {self._host}: whoever reaches Ray's ports there may run any program as you. Leave "
                "it at 127.0.0.1, or, if a firewall or network policy lets only your own machines through, say so with "
                "GLAD_RAY_EXPOSED=true (docs/scaling.md)"
            )

    def _environment(self) -> dict[str, str]:
        """What every process of our cluster needs, and everything that connects to it."""
        token = self._home.path / "ray-token"
        if not token.exists():
            write_atomically(token, self._home.secret("ray token"))
        hide(token.read_text(encoding="utf-8"))
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
            # on Linux Ray takes the machine's outer address for a loopback one, and listens on all of them, unless 0
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": str(int(self._host != LOOPBACK)),
            **self._tls(),
        }

    def _tls(self) -> dict[str, str]:
        """Certificates too, unless other machines would need them; a cluster that an earlier version started has none.

        Ray's token is not enough: a call to `RaySyncer/StartSync` without a certain header ends Ray 2.60, token or not.
        """
        if self._host != LOOPBACK or not (self._home.path / TLS).exists():
            # not what a process with another cluster has handed down; a person's own certificates stay
            inherited = os.environ.get("RAY_TLS_CA_CERT", "").endswith(f"/{TLS}/ca.pem")
            return {"RAY_USE_TLS": "0"} if inherited else {}
        files = {name: str(self._home.path / TLS / f"{name}.pem") for name in ("ca", "cert", "key")}
        return {
            "RAY_USE_TLS": "1",
            "RAY_TLS_CA_CERT": files["ca"],
            "RAY_TLS_SERVER_CERT": files["cert"],
            "RAY_TLS_SERVER_KEY": files["key"],
        }

    # any cluster

    def connect(self) -> None:
        """Make this process a client of the cluster. Raises `UnavailableError` that names the cure where it cannot."""
        address = self.address
        if self.is_ours:
            os.environ.update(self._environment())  # before the import, which reads some of it
        ray = import_ray()
        if ray.is_initialized():
            return
        if not self.answers():
            raise UnavailableError(f"no Ray cluster answers at {address}. {self._cure()}")
        try:
            within(
                # Ray itself tries for many minutes what is no Ray, or is one that does not know us
                CLIENT_SECONDS if address.startswith("ray://") else CONNECT_SECONDS,
                partial(
                    ray.init,
                    address=address,
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    configure_logging=False,
                ),
            )
        except Exception as error:
            reason = one_line(redact(str(error)), 400)
            if "ersion mismatch" in reason:
                raise UnavailableError(
                    f"the cluster at {address} runs other versions than this machine: {reason}. Install the same Ray "
                    "and Python on both"
                ) from error
            raise UnavailableError(
                f"what listens at {address} does not let us in as a Ray cluster ({reason}). Either it is none, or it "
                "has another token (RAY_AUTH_TOKEN), or this machine is no node of it: then use ray://HOST:10001. "
                f"{self._cure()}"
            ) from error

    def disconnect(self) -> None:
        """Leave the cluster; workers stay."""
        ray = import_ray()
        if ray.is_initialized():
            ray.shutdown()

    def answers(self) -> bool:
        """Whether something listens at its address."""
        try:
            return _listens(self.address)
        except UnavailableError:
            return False

    def _cure(self) -> str:
        if self.is_ours:
            return f"./glad workers down, then {UP}"
        return "Check GLAD_RAY_ADDRESS and that the cluster runs, or unset it to use this machine's own workers"


def drawing_for(options: EngineOptions) -> Cluster | None:
    """The cluster whose workers draw for who has these options; None: they draw in their own process."""
    cluster = Cluster(options)
    return cluster if options.backend == "ray" or (options.backend == "auto" and cluster.is_wanted) else None


def import_ray() -> Any:
    """The module `ray`. Raises `GladError` where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise GladError(
            "Ray is not installed, and workers need it: ./glad workers up installs it, elsewhere it is the extra `ray` "
            "(pip install 'glad-pipeline[ray]'). GLAD_BACKEND=process does without"
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


def _listens(address: str) -> bool:
    """Whether a TCP connection can be made; True for an address that names no port."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return not host or not port.isdigit() or listens(int(port), host.strip("[]"), seconds=5)


def _free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def has_node(node: str) -> bool:
    """Whether a machine of the cluster is there. Asks itself: the head takes many seconds to believe in an end."""
    time.sleep(NODE_SECONDS)  # whatever ends a machine does not end all its processes at the same moment
    known = next((each for each in import_ray().nodes() if each["NodeID"] == node), None)
    return bool(known and known["Alive"] and _listens(f"{known['NodeManagerAddress']}:{known['NodeManagerPort']}"))


def resources() -> Mapping[str, float]:
    """What the cluster has: `CPU`, `GPU`, `memory` …"""
    found: Mapping[str, float] = import_ray().cluster_resources()
    return found
