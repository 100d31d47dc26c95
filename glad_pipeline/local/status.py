"""What runs, where it listens and under which pid. Starts nothing and changes nothing."""

from __future__ import annotations

from glad_pipeline.database import describe as describe_database
from glad_pipeline.http_client import local_status
from glad_pipeline.local.foreground import describe, left_behind
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.site import PROBE, STORE
from glad_pipeline.local.stack import DATABASE, server_of
from glad_pipeline.settings import Settings, settings_of
from glad_pipeline.settings.stores import NAMED_BY
from glad_pipeline.storage.options import bucket_of

Row = tuple[str, str, str, str]


def report(settings: Settings) -> tuple[list[Row], str | None, Settings | None]:
    """A row for each part; the database's URL and the settings with the store, of those that may answer."""
    home = Home(settings.home)
    rows: list[Row] = []
    url: str | None = None
    stored: Settings | None = None
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        rows.append(("PostgreSQL", "yours (DATABASE_URL)", describe_database(url), ""))
    else:
        server = Postgres(home)
        process = server.running()
        url = server.url(DATABASE) if process else None
        rows.append(("PostgreSQL", *_described(process, f"127.0.0.1:{server.port}/{DATABASE}")))
    if settings.names_store and settings.store_kind is not None:
        stored = settings
        where = {"volume": "", "supabase": settings.supabase_url}.get(
            settings.store_kind, settings.s3_endpoint_url or "AWS"
        )
        address = f"{where} {bucket_of(settings)}".strip()
        rows.append(("object store", f"yours ({NAMED_BY[settings.store_kind]})", address, ""))
    else:
        store = server_of(settings, home)
        process = store.running()
        environment = store.environment() if process else {}
        stored = settings_of({name: environment[name] for name in STORE if name in environment}) if process else None
        rows.append(("object store", *_described(process, store.address)))
    rows.append(("Dagster (glad up)", *_of_up(home)))
    up = describe(home) or {}
    for name, path in (("gateway", "/healthz"), ("site", PROBE)):
        if url_of_it := up.get(name):
            rows.append((name, "running" if _answers(url_of_it, path) else "does not answer", url_of_it, ""))
    return rows, url, stored


def _answers(address: str, path: str) -> bool:
    return local_status(int(address.rpartition(":")[2]), path) == 200


def _of_up(home: Home) -> tuple[str, str, str]:
    if up := describe(home):
        return "running", up["url"], str(up["pid"])
    if left := left_behind(home):
        return "was killed, and ends; ./glad down ends it at once", "", ", ".join(map(str, left))
    return "stopped", "", ""


def _described(process: object, address: str) -> tuple[str, str, str]:
    pid = getattr(process, "pid", None)
    return ("running", address, str(pid)) if pid else ("stopped", "", "")
