"""The database: whether it answers, may be written, is up to date, and lets this role do what a run does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from glad_pipeline.database import Connection, connect, describe, named_queries
from glad_pipeline.database.cures import problem_of_writing, problems_of_server
from glad_pipeline.database.migrations import MADE, pending
from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import right, risk, wrong
from glad_pipeline.outbox.messages import dead
from glad_pipeline.prompts.pauses import pauses
from glad_pipeline.publishing import trial
from glad_pipeline.publishing.post_order import problem_of_order
from glad_pipeline.storage.keys import original_key

SQL = named_queries(__package__, "doctor.sql")
SPARE = 10  # connections: a run has up to eight and its heartbeat


def database(deployment: Deployment) -> Iterator[Diagnosis]:
    """It answers, is new enough, and takes what is written to it."""
    with connect(deployment.url, autocommit=True, application_name="glad doctor") as connection:
        unfit = [*problems_of_server(connection), *filter(None, [problem_of_writing(connection)])]
        row = _asked(connection, "server")[0]
    where = describe(deployment.url)
    yield right("version", f"{where} answers: PostgreSQL {row['version']}, as {row['role']}")
    yield from unfit
    if not unfit:
        yield right("writable", "it takes what is written, in UTF-8")
    yield from _connections(row)
    if row["expires"]:
        yield risk(
            "password",
            f"the password of the role {row['role']} expires at {row['expires']} UTC",
            f"as an administrator: ALTER ROLE {row['role']} VALID UNTIL 'infinity'",
        )


def _connections(row: dict[str, Any]) -> Iterator[Diagnosis]:
    limits = {
        "max_connections": row["connections_allowed"] - row["connections"],
        f"the CONNECTION LIMIT of the role {row['role']}": row["role_limit"] if row["role_limit"] >= 0 else SPARE,
        "the database's CONNECTION LIMIT": row["database_limit"] if row["database_limit"] >= 0 else SPARE,
    }
    for name, left in limits.items():
        if left < SPARE:
            yield risk(
                "connections",
                f"{name} leaves {left} connections; a run needs up to {SPARE}, Dagster about as many",
                f"raise {name}, or end other sessions",
            )
            return
    yield right("connections", f"{row['connections']} of {row['connections_allowed']} are in use")


def schema(deployment: Deployment) -> Iterator[Diagnosis]:
    """Our tables are there and up to date, and this role may use them."""
    if missing := pending(deployment.url, blog=deployment.settings.blog):
        why = f": {deployment.trouble['migrations']}" if "migrations" in deployment.trouble else ""
        yield wrong("migrations", f"the database lacks {', '.join(missing)}{why}", "run ./glad migrate")
        return
    yield right("migrations", "its tables are up to date")
    ours = [name for made in MADE.values() for name in made]
    if gone := [row["name"] for row in deployment.database.read(partial(_asked, query="gone", names=ours))]:
        text = f"the database lacks {', '.join(gone)}, which ./glad migrate has made: somebody dropped or renamed them"
        yield wrong("tables", text, "rename them back, or restore them from a backup of this database")
        return
    lacking = deployment.database.read(partial(_asked, query="rights"))
    if lacking:
        tables: dict[str, list[str]] = {}
        for row in lacking:
            tables.setdefault(row["relation"], []).append(row["privilege"])
        said = "; ".join(f"{', '.join(rights)} on {table}" for table, rights in tables.items())
        yield wrong("rights", f"the role lacks {said}", "as the tables' owner run what ./glad sql roles prints")
    else:
        yield right("rights", "the role may use our tables")
    off = [row["name"] for row in deployment.database.read(partial(_asked, query="switched_off"))]
    if off:
        cure = "ALTER TABLE prompts ENABLE TRIGGER ALL; where one is gone, restore it from a backup of the schema"
        yield risk("triggers", f"switched off or gone: {', '.join(off)}", cure)


def blog(deployment: Deployment) -> Iterator[Diagnosis]:
    """The blog takes complete posts: one is written, changed and rolled back."""
    url = deployment.store.url(original_key("0" * 64))
    renditions = bool(deployment.settings.wanted)
    found = deployment.database.read(partial(trial.examine, picture_url=url, renditions=renditions))
    yield from found
    if not found:
        yield right("posts", "a post was written, changed and rolled back")
    if unordered := deployment.database.read(problem_of_order):
        yield unordered
    types = {(row["relation"], row["name"]): row["type"] for row in deployment.database.read(_ids)}
    if len(set(types.values())) > 1:
        said = ", ".join(f"{relation}.{name} {type_}" for (relation, name), type_ in types.items())
        yield wrong("ids", f"what holds a post's id is of several types: {said}", "run ./glad migrate")


def queue(deployment: Deployment) -> Iterator[Diagnosis]:
    """What waits, what has failed, and which messages were given up."""
    row = deployment.database.read(partial(_asked, query="queue"))[0]
    yield right("prompts", f"{row['pending']} wait to be drawn, {row['due']} drawn ones to be published")
    if paused := deployment.database.read(pauses):
        yield risk("paused", paused.in_words(), "when it may go on: ./glad prompts resume [--source S]")
    if row["failed"]:
        cure = "./glad prompts list --status failed, then ./glad prompts retry ID"
        yield risk("prompts", f"{row['failed']} have failed, the newest: {row['why']}", cure)
    if row["expired"]:
        yield risk("prompts", f"{row['expired']} are held by runs that went silent", "the next run takes them over")
    total, newest = deployment.database.read(dead)
    if total:
        cure = "mend the cause, then ./glad outbox retry --dead"
        yield risk("messages", f"{total} were given up, the newest: {newest[0].kind}, {newest[0].last_error}", cure)
    else:
        yield right("messages", "none was given up")


def _ids(connection: Connection) -> list[dict[str, Any]]:
    return _asked(connection, "id_types")


def _asked(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(SQL[query], parameters or None).fetchall()
