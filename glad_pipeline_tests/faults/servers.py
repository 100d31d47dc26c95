"""A PostgreSQL and an S3 server of one's own to be killed, stopped and cut off, each behind a proxy."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

import psutil

from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.processes import gone, session_members
from glad_pipeline_tests.faults.processes import eventually
from glad_pipeline_tests.faults.proxy import Proxy
from glad_pipeline_tests.own import own_settings


class Servers:
    """The embedded stack in a state directory of its own. A context manager, for one thread: servers end with it."""

    def __init__(self, folder: Path) -> None:
        self._settings = own_settings(folder)

    def __enter__(self) -> Servers:
        self.direct = stack.ensure(self._settings, foreground=True)  # the environment that goes past the proxies
        self._home = Home(Path(self.direct["GLAD_HOME"])).prepare()
        self._postgres, self._store = Postgres(self._home), S3Server(self._home)
        self.database = Proxy(("127.0.0.1", self._postgres.port or 0))
        self.store = Proxy(("127.0.0.1", self._store.port or 0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGCONT,):  # a stopped server cannot end
            self.signal_postgres(number)
            self.signal_store(number)
        self.database.close()
        self.store.close()
        stack.stop(self._settings)

    def through_proxies(self, environment: dict[str, str]) -> dict[str, str]:
        """An environment (database and bucket of these servers) whose connections go through the proxies.

        The store's signatures name the proxy; the pictures' public URLs name the server itself.
        """
        url = urlsplit(environment["DATABASE_URL"])
        place = f"{url.username}:{url.password}@127.0.0.1:{self.database.port}"
        bucket, endpoint = environment["AWS_S3_BUCKET"], environment["AWS_ENDPOINT_URL_S3"]
        return {
            **environment,
            "DATABASE_URL": urlunsplit(url._replace(netloc=place)),
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.store.port}",
            "GLAD_PUBLIC_BASE_URL": f"{endpoint}/{bucket}",
        }

    def behind_proxy(self, store: Mapping[str, str]) -> dict[str, str]:
        """The variables of a store elsewhere; of Supabase's behind the proxy that is otherwise the S3 server's."""
        if "SUPABASE_URL" not in store:
            return dict(store)
        url = store["SUPABASE_URL"]
        self.store.target = ("127.0.0.1", urlsplit(url).port or 0)
        return {
            **store,
            "SUPABASE_URL": f"http://127.0.0.1:{self.store.port}",
            "GLAD_PUBLIC_BASE_URL": f"{url}/storage/v1/object/public/{store['GLAD_SUPABASE_BUCKET']}",
        }

    def signal_postgres(self, number: signal.Signals) -> None:
        """To the postmaster and every backend."""
        server = self._postgres.running()
        members = session_members(os.getsid(server.pid)) if server else []
        for process in sorted(members, key=lambda process: process.pid != (server and server.pid)):
            _send(process, number)
        if number == signal.SIGKILL:
            eventually(lambda: all(gone(process) for process in members), what="PostgreSQL's end")

    def signal_store(self, number: signal.Signals) -> None:
        """To every part of it."""
        parts = [process for _, process in self._store.parts()]
        for process in parts:
            _send(process, number)
        if number == signal.SIGKILL:
            eventually(lambda: all(gone(process) for process in parts), what="the S3 server's end")

    def start_postgres(self) -> None:
        with self._home.lock():
            self._postgres.start(die_with_us=True)
        self.database.target = ("127.0.0.1", self._postgres.port or 0)

    def start_store(self) -> None:
        with self._home.lock():
            self._store.start(die_with_us=True)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
