"""What runs, where it listens and under which pid. Starts nothing and changes nothing."""

from __future__ import annotations

from glad_pipeline.database import describe as describe_database
from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.stack import DATABASE
from glad_pipeline.settings import Settings

Row = tuple[str, str, str, str]


def report(settings: Settings) -> tuple[list[Row], str | None]:
    """A row for each part, and the database's URL if there is one that may answer."""
    home = Home(settings.home)
    rows: list[Row] = []
    url: str | None = None
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        rows.append(("PostgreSQL", "yours (DATABASE_URL)", describe_database(url), ""))
    else:
        server = Postgres(home)
        process = server.running()
        url = server.url(DATABASE) if process else None
        rows.append(("PostgreSQL", *_described(process, f"127.0.0.1:{server.port}/{DATABASE}")))
    if settings.s3_bucket is not None:
        where = settings.s3_endpoint_url or "AWS"
        rows.append(("object store", "yours (AWS_S3_BUCKET)", f"{where} {settings.s3_bucket}", ""))
    else:
        store = S3Server(home)
        rows.append(("object store", *_described(store.running(), store.endpoint)))
    up = describe(home)
    rows.append(
        ("Dagster (glad up)", "running", up["url"], str(up["pid"])) if up else ("Dagster (glad up)", "stopped", "", "")
    )
    return rows, url


def _described(process: object, address: str) -> tuple[str, str, str]:
    pid = getattr(process, "pid", None)
    return ("running", address, str(pid)) if pid else ("stopped", "", "")
