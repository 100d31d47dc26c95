"""`glad up`: servers, Dagster's code server, web UI and daemon, gateway and site as children of one process.

One code server for both: left to itself the daemon starts a new one every minute, and a sensor's tick waits for it.
They are ended in order. Knows how the programs are started; imports no Dagster.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from glad_pipeline.embedded import report
from glad_pipeline.errors import GladError
from glad_pipeline.http_client import local_status
from glad_pipeline.limits import PORT
from glad_pipeline.local import site, stack, web
from glad_pipeline.local.children import Child, Program, end_of
from glad_pipeline.local.home import Busy, Home, port_is_free, write_atomically
from glad_pipeline.local.keeping import Keeper, Part
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.processes import end, is_still, session_members, shorten
from glad_pipeline.local.progress import Step
from glad_pipeline.local.volume import VolumeServer
from glad_pipeline.settings import Settings

LOCATION = "glad_pipeline"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_LOG = 64_000_000  # bytes of one program's; as many again are kept of before
# not `code-server start`: that one is a process between Dagster and this one, which only reloads edited code
CODE = [
    *("glad_pipeline.defs.code_server", "api", "grpc", "-m", "glad_pipeline.definitions"),
    *("--lazy-load-user-code", "--use-python-environment-entry-point"),
]


class Stopped(BaseException):
    """Somebody asked for the end: Ctrl-C, SIGTERM or a closed terminal."""


def up(settings: Settings, migrate: Callable[[str], Any]) -> int:
    """Run everything until somebody asks for the end (0). What dies meanwhile is started again.

    Raises `GladError` where something does not come up in the first place.

    `migrate` gets the URL of the embedded database; a person's own is not changed by starting something.
    """
    home = Home(settings.home).prepare()
    try:
        with home.lock("up.lock", wait=False):
            return _run(settings, home, migrate)
    except Busy as error:
        other = describe(home)
        where = f" at {other['url']} (pid {other['pid']})" if other else ""
        raise GladError(f"glad up runs already{where}. Stop it with: glad down") from error


def describe(home: Home) -> dict[str, Any] | None:
    """The `glad up` that runs in this state directory: its pid, when it started, the URL of the web UI."""
    state = _read_state(home)
    return state if state and is_still(state["pid"], state["created"]) else None


def left_behind(home: Home) -> list[int]:
    """The pids of what a `glad up` that was killed has started and that has not ended yet."""
    if describe(home):
        return []
    children = [pid for pid, created in _read_state(home).get("children", ()) if is_still(pid, created)]
    return sorted({member.pid for pid in children for member in session_members(pid)})


def down(settings: Settings) -> list[str]:
    """End a running `glad up`, or what one that was killed left behind, then the servers. Returns what ran."""
    home = Home(settings.home)
    home.check()
    stopped = []
    if running := describe(home):
        with Step("stopping glad up"):
            end(psutil.Process(running["pid"]), (signal.SIGTERM, 90), (signal.SIGKILL, 5))
        stopped.append("glad up")
    for pid, created in _read_state(home).get("children", ()):
        if is_still(pid, created):
            for member in session_members(pid):
                end(member, (signal.SIGTERM, 10), (signal.SIGKILL, 5))
            stopped.append(f"process {pid}")
    (home.path / "up.json").unlink(missing_ok=True)
    return stopped + stack.stop(settings)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where they listen, on 127.0.0.1."""

    web: int
    gateway: int | None  # None: it is not wanted
    site: int | None = None  # None: it is not wanted, or cannot be served

    @classmethod
    def chosen(cls, settings: Settings, *, site: bool) -> Ports:
        """`site`: whether it is to be served."""
        web = _free_port(settings.web_port, "the web UI", "GLAD_WEB_PORT")
        gateway = served = None
        if settings.gateway:
            gateway = _free_port(settings.gateway_port, "the gateway", "GLAD_GATEWAY_PORT", (web,))
        if site:
            served = _free_port(settings.site_port, "the site", "GLAD_SITE_PORT", (web, gateway))
        return cls(web=web, gateway=gateway, site=served)

    @property
    def urls(self) -> dict[str, str]:
        """As `up.json` has them."""
        found = {"url": self.web, "gateway": self.gateway, "site": self.site}
        return {name: f"http://127.0.0.1:{port}" for name, port in found.items() if port}


def _programs(code: Path, workspace: Path, ports: Ports) -> dict[str, list[str]]:
    """Dagster's three and the gateway, in the order in which they start: name and module with its arguments."""
    here = "127.0.0.1"
    programs = {
        "code server": [*CODE, "--location-name", LOCATION, "--socket", str(code)],
        "web UI": ["glad_pipeline.defs.webserver", "-w", str(workspace), "-h", here, "-p", str(ports.web)],
        "daemon": ["glad_pipeline.defs.daemon", "run", "-w", str(workspace)],
    }
    if ports.gateway:
        programs["gateway"] = ["glad_pipeline.gateway", "--host", here, "--port", str(ports.gateway)]
    return programs


def _run(settings: Settings, home: Home, migrate: Callable[[str], Any]) -> int:
    token = web.access(settings).token
    children: list[Child] = []
    before = {number: signal.signal(number, _raise_stopped) for number in ENDS}
    try:
        served = site.prepared(settings, home)
        ports = Ports.chosen(settings, site=isinstance(served, site.Site))
        site.note(home, ports.urls.get("site"))
        environment = {"GLAD_POOL_FOLLOWS_WORKERS": "true", **stack.ensure(settings, foreground=True)}  # it is ours
        if settings.database_url is None:
            with Step("migrating the database"):
                migrate(environment["DATABASE_URL"])
        environment.setdefault("GLAD_WEB_URL", settings.web_url or ports.urls["url"])
        _start(ports, home, children, environment, token)
        if isinstance(served, site.Site):
            _start_site(served, environment, ports, home, children)
        _announce(ports, environment, home, settings, served)
        if token is None:
            print("GLAD_WEB_TOKEN is off: every user and program of this machine can use the web UI", file=sys.stderr)
        _watch(settings, home, children, ports)
    except Stopped:
        print("\nstopping …", file=sys.stderr)
    finally:
        _end(settings, home, children, before)
    print("stopped; nothing of it is left running", file=sys.stderr)
    return 0


def _end(settings: Settings, home: Home, children: list[Child], before: dict[signal.Signals, Any]) -> None:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)  # the way down is short and must be walked to its end
    try:
        for child in reversed(children):
            with Step(f"stopping the {child.name}"):
                child.end()
        stack.stop(settings)
        _clear_sockets(home)
        (home.path / "up.json").unlink(missing_ok=True)
    finally:
        for number, handler in before.items():  # what is started after that must not inherit it
            signal.signal(number, handler)


def _start(ports: Ports, home: Home, children: list[Child], environment: dict[str, str], token: str | None) -> None:
    """Start Dagster and the gateway, and wait until they answer. `children` has each from when it is there on."""
    code = _lay_socket(home)
    for name, words in _programs(code, _lay_workspace(home, code), ports).items():
        children.append(Child.started(name, Program.of_module(words, environment), home))
        _write_state(home, ports, children)
        if name == "code server":
            _wait_for(children, "loading the code location", code.is_socket)
    _wait_for(children, "starting Dagster", lambda: local_status(ports.web, "/server_info", token) == 200)
    if token and local_status(ports.web, "/server_info") != 401:
        raise GladError(
            f"the web UI at {ports.urls['url']} answers whoever asks. This is a fault of glad_pipeline: nothing is "
            "served"
        )
    if gateway := ports.gateway:
        _wait_for(children, "starting the gateway", lambda: local_status(gateway, "/healthz") == 200)


def _start_site(
    served: site.Site, environment: dict[str, str], ports: Ports, home: Home, children: list[Child]
) -> None:
    """It holds up nothing: where it does not come up that is said, and it is tried on as what has ended is."""
    try:
        program = served.program(environment, ports.site or 0, ports.urls["gateway"])
        children.append(Child.started("site", program, home))
        _write_state(home, ports, children)
        _wait_for(children, "starting the site", lambda: local_status(ports.site, site.PROBE) is not None, seconds=60)
    except GladError as error:
        print(f"glad: {error}\nAll else runs; GLAD_SITE=off leaves out the site", file=sys.stderr)


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _lay_socket(home: Home) -> Path:
    """Where the code server listens: in a folder that is ours alone.

    Whoever reaches it may start a run, hence no port: gRPC of Dagster's asks for nothing.
    """
    _clear_sockets(home)
    with home.lock():
        return home.sockets() / "code.sock"


def _clear_sockets(home: Home) -> None:
    with home.lock():
        home.leave_sockets("code.sock", "tmp")  # `tmp` is of earlier versions


def _lay_workspace(home: Home, code: Path) -> Path:
    """The workspace that leads web UI and daemon to the one code server."""
    server = {"grpc_server": {"socket": str(code), "location_name": LOCATION}}
    path = home.path / "workspace.yaml"
    write_atomically(path, json.dumps({"load_from": [server]}))  # JSON is YAML
    return path


def _write_state(home: Home, ports: Ports, children: list[Child]) -> None:
    me = psutil.Process()
    known = []
    for child in children:
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            known.append((child.process.pid, psutil.Process(child.process.pid).create_time()))
    state = {"pid": me.pid, "created": me.create_time(), **ports.urls, "children": known}
    write_atomically(home.path / "up.json", json.dumps(state))


def _read_state(home: Home) -> dict[str, Any]:
    try:
        return dict(json.loads((home.path / "up.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _free_port(wanted: int, what: str, variable: str, taken: Sequence[int | None] = ()) -> int:
    port = wanted
    while port <= PORT.high and (port in taken or not port_is_free(port)):
        port += 1
    if port > PORT.high:
        raise GladError(f"no free port from {wanted} up for {what}. Set {variable} to a lower one")
    if port != wanted:
        print(f"port {wanted} is taken, {what} uses {port}", file=sys.stderr)
    return port


def _wait_for(children: list[Child], doing: str, ready: Callable[[], bool], seconds: float = 180) -> None:
    """Until `ready`. Raises `GladError` with the newest child's log if one ends or it takes too long."""
    deadline = time.monotonic() + seconds
    with Step(doing):
        while not ready():
            _check(children)
            if time.monotonic() > deadline:
                child = children[-1]
                raise GladError(f"the {child.name} did not answer in {seconds:.0f} s: {end_of(child.log)}")
            time.sleep(0.3)


def _store_in(environment: dict[str, str], settings: Settings) -> str:
    """The store, for people."""
    if settings.store_kind == "volume":
        base = settings.picture_base_url or environment["GLAD_PUBLIC_BASE_URL"]
        return f"{environment['GLAD_VOLUME']}  (shown at {base})"
    if settings.store_kind == "supabase":
        return f"{settings.supabase_url}  (bucket {settings.supabase_bucket})"
    return f"{environment.get('AWS_ENDPOINT_URL_S3', 'AWS')}  (bucket {environment['AWS_S3_BUCKET']})"


def _announce(
    ports: Ports, environment: dict[str, str], home: Home, settings: Settings, served: site.Site | str
) -> None:
    urls = ports.urls
    print(
        f"\nDagster       {web.address(urls['url'], settings)}\n"
        f"gateway       {urls.get('gateway', 'off (GLAD_GATEWAY)')}\n"
        f"blog          {urls.get('site', served)}\n"
        f"studio        {_studio(urls)}\n"
        f"object store  {_store_in(environment, settings)}\n"
        f"database      {environment['DAGSTER_PG_HOST']}:{environment['DAGSTER_PG_PORT']}\n"
        f"logs          {home.logs}\n"
        f"environment   set -a; . '{home.path}/.env'\n\n"
        "New rows in `prompts` are drawn and published within seconds. Ctrl-C stops everything.",
        flush=True,
    )


def _studio(urls: dict[str, str]) -> str:
    return f"{urls['site']}/studio  (opened by a key: ./glad keys make NAME --scope admin)" if "site" in urls else "off"


def _watch(settings: Settings, home: Home, children: list[Child], ports: Ports) -> None:
    """Return never: what dies is started again."""
    parts = _servers(settings, home)
    for child in children:

        def start(child: Child = child) -> None:
            child.start_again()
            _write_state(home, ports, children)

        parts.append(Part(name=f"the {child.name}", death=child.death, start=start, place=home.path))
    keeper = Keeper(parts, lambda text: print(text, file=sys.stderr, flush=True))
    while True:
        keeper.look()
        for child in children:
            shorten(child.log, LONGEST_LOG)
        time.sleep(1)


def _servers(settings: Settings, home: Home) -> list[Part]:
    """Our own servers. What runs knows them at their ports, so these stay."""
    parts = []
    if settings.database_url is None:
        database = Postgres(home)
        port = database.port

        def start_database() -> None:
            with home.lock():
                database.start(die_with_us=True, port=port)

        parts.append(Part(name="PostgreSQL", death=_death_of(database), start=start_database, place=home.path))
    if not settings.names_store:
        store = stack.server_of(settings, home)
        name = "the S3 server" if isinstance(store, S3Server) else "the file server"

        def start_store() -> None:
            with home.lock():
                store.start(die_with_us=True)

        parts.append(Part(name=name, death=_death_of(store), start=start_store, place=home.path))
    return parts


def _death_of(server: Postgres | S3Server | VolumeServer) -> Callable[[], str | None]:
    return lambda: None if server.running() is not None else f"died. Its log: {report(server.log)}"


def _check(children: list[Child]) -> None:
    for child in children:
        if death := child.death():
            raise GladError(f"the {child.name} {death}")
