"""Many small worlds side by side: each cell has a fresh database, an empty bucket and a folder, and a few run at once."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline_tests.faults.processes import call
from glad_pipeline_tests.faults.stores import buckets
from glad_pipeline_tests.faults.world import DRAW_LOG, SITE_LOG, emptied

AT_ONCE = 3
TEMPLATE = "rig_template"  # a migrated database, of which every other is a copy
Cell = TypeVar("Cell")
Result = TypeVar("Result")


def side_by_side(
    stack: Mapping[str, str],
    folder: Path,
    cells: Sequence[Cell],
    run: Callable[[Cell, dict[str, str], Path], Result],
) -> list[Result | Exception]:
    """`run(cell, environment, folder)` for each cell, a few at once, on the servers of `stack`; what it returned or raised.

    `run` is called on a thread and starts processes with the environment, which names the cell's database, bucket and
    log of pictures drawn.
    """
    with ExitStack() as resources:
        free: SimpleQueue[dict[str, str]] = SimpleQueue()
        for variables in resources.enter_context(buckets(stack, AT_ONCE)):
            free.put(variables)
        urls = resources.enter_context(databases(stack["DATABASE_URL"], len(cells)))

        def one(place: int) -> Result | Exception:
            own = folder / f"{place}-{re.sub(r'[^a-z0-9]+', '-', str(cells[place]).lower())[:60]}"
            own.mkdir(parents=True)
            variables = free.get()
            environment = {
                **variables,
                "DATABASE_URL": urls[place],
                "GLAD_HOME": str(own / "home"),
                "GLAD_RENDITIONS": "none",
                DRAW_LOG: str(own / "draws"),
                SITE_LOG: str(own / "told"),
            }
            try:
                return run(cells[place], environment, own)
            except Exception as error:
                return error
            finally:
                with suppress(Exception):
                    call(emptied, environment=environment, log=own / "log")
                free.put(variables)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, range(len(cells))))


@contextmanager
def databases(url: str, count: int) -> Iterator[list[str]]:
    """URLs of `count` fresh, migrated databases on the server of `url`; dropped afterwards."""
    names = [f"rig_{uuid.uuid4().hex[:12]}" for _ in range(count)]
    with connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")  # type: ignore[arg-type]
        connection.execute(f"CREATE DATABASE {TEMPLATE}")  # type: ignore[arg-type]
        migrate(database_on(url, TEMPLATE))
        for name in names:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")  # type: ignore[arg-type]
    try:
        yield [database_on(url, name) for name in names]
    finally:
        with connect(url, autocommit=True) as connection:  # anew: the server may have been killed meanwhile
            for name in [*names, TEMPLATE]:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[arg-type]


def database_on(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
