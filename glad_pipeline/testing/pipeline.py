"""A whole pipeline for the length of a test: database, object store and generator, and the definitions on them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import dagster as dg

from glad_pipeline.database import Database, connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.resources import ObjectStoreResource, PostgresResource, SdxlResource
from glad_pipeline.defs.wiring import build_resources, definitions
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline.settings import Settings, settings_of
from glad_pipeline.storage.memory import Memory
from glad_pipeline.storage.protocol import ObjectStore
from glad_pipeline.testing.database import temporary_database
from glad_pipeline.testing.generator import InstantSdxl

BUCKET = "pictures"


@dataclass(frozen=True, kw_only=True)
class TemporaryPipeline:
    """What `temporary_pipeline` gives."""

    database_url: str = field(repr=False)  # of the blog's database, with all tables
    memory: Memory  # holds the bucket; `memory.unreachable = True`: it answers nobody
    settings: Settings = field(repr=False)  # the test's own
    overrides: Mapping[str, Any] = field(
        repr=False
    )  # resources by key, as `build_defs(resource_overrides=…)` takes them

    def definitions(self, names: Names | None = None) -> dg.Definitions:
        """The pipeline's assets, checks, jobs, sensor, schedules and resources, to be merged with your project's."""
        return definitions(self.settings, names or Names(), self.overrides)

    def resources(self, names: Names | None = None) -> dict[str, Any]:
        """Every resource of a pipeline of these names, for definitions that you have loaded otherwise:
        `job.execute_in_process(resources=…)` and `dg.materialize(assets, resources=…)` take them.
        """
        return build_resources(self.settings, names, self.overrides)

    @property
    def store(self) -> ObjectStore:
        """The bucket of the pictures, to look into."""
        return self.memory.store(BUCKET)

    def add(self, prompt: str, **columns: Any) -> int:
        """Put a prompt into the queue, as `glad prompts add` does; its id. `columns`: those of the table `prompts`."""
        with Database(self.database_url, application_name="glad-testing", blog=self.settings.blog) as database:
            return add_prompt(database, {"prompt": prompt, **columns})[0]

    def sql(self, statement: LiteralString, *values: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries, of any statement with `%s` for each value; what it changes is committed."""
        with connect(self.database_url, application_name="glad-testing", blog=self.settings.blog) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def prompts(self) -> list[dict[str, Any]]:
        """The whole table, the oldest first: `status`, `last_error`, `attempts` …"""
        return self.sql("SELECT * FROM prompts ORDER BY id")

    def posts(self) -> list[dict[str, Any]]:
        """The whole table, the oldest first: `title`, `slug`, `featured_image_url` …"""
        return self.sql("SELECT * FROM {posts} AS posts ORDER BY to_jsonb(posts) ->> 'created_at', title")


@contextmanager
def temporary_pipeline(
    server: str | None = None,
    *,
    database: str | None = None,
    sdxl: SdxlResource | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[TemporaryPipeline]:
    """A pipeline on a database and a bucket of its own, which are gone afterwards. No environment variable is read.

    Args:
        server: where the database is made, see `temporary_database`. None: on a server of its own.
        database: the URL of a database with your blog's own tables, which stays: `glad migrate` is done in it. None:
            one is made.
        sdxl: what draws. None: `InstantSdxl()`.
        settings: values by their variables, as in docs/settings.md: `{"GLAD_BATCH_SIZE": 2}`. Those of database, store
            and model have no effect, because the resources are given. Renditions: only if it has GLAD_RENDITIONS.

    Raises `UsageError` for a setting that is not allowed, `GladError` where there is no server.

    >>> with temporary_pipeline() as pipeline:
    ...     pipeline.add("a quiet harbour at dawn", title="Before the boats")
    ...     pipeline.definitions().resolve_job_def("publish_prompts").execute_in_process()
    ...     print(pipeline.posts()[0]["featured_image_url"])
    """
    own = settings_of(settings or {})
    with (
        _migrated(database, own) if database else temporary_database(server) as url,
        Memory(BUCKET) as memory,
        tempfile.TemporaryDirectory(prefix="glad-spool-") as spool,
    ):
        postgres = PostgresResource(
            url=url,
            patience=0.0,
            posts_table=own.posts_table,
            posts_columns=own.posts_columns,
            posts_status=own.posts_status,
        )
        asked = own.renditions if "GLAD_RENDITIONS" in (settings or {}) else "none"
        pictures = memory_object_store(memory, postgres, spool=Path(spool), renditions=asked)
        overrides = {
            "postgres": postgres,
            "object_store": pictures,
            "sdxl": sdxl or InstantSdxl(),
        }
        yield TemporaryPipeline(database_url=url, memory=memory, settings=own, overrides=overrides)


@contextmanager
def _migrated(database: str, own: Settings) -> Iterator[str]:
    migrate(database, blog=own.blog)
    yield database


def memory_object_store(
    memory: Memory, postgres: PostgresResource, *, spool: Path, bucket: str = BUCKET, renditions: str = "none"
) -> ObjectStoreResource:
    """The resource `object_store` on a bucket of `memory`.

    Args:
        postgres: the resource of the database that the bucket belongs to.
        spool: a folder in which drawn pictures wait while the memory is `unreachable`.
        renditions: formats that are made of each picture, as GLAD_RENDITIONS.
    """
    return ObjectStoreResource(
        postgres=postgres,
        bucket=bucket,
        endpoint_url=memory.address,
        secret_access_key=memory.secret_access_key,
        spool_folder=str(spool),
        renditions=renditions,
    )
