"""What the assets work with: the database, this run's claim on the queue, the object store, and SDXL.

Who is told of what changed is in `outbox_resource`.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
from pydantic import Field, PrivateAttr

from glad_pipeline.blog_names import BlogNames, blog_names
from glad_pipeline.database import Connection, Database, DatabaseError
from glad_pipeline.database import connect as connect_to
from glad_pipeline.defs import repeated_failures
from glad_pipeline.defs.fixed_resource import FixedResource
from glad_pipeline.defs.runs import QUEUE_TAG
from glad_pipeline.display import markdown_reasons
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation.batches import Recipes
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline import identity, store_check
from glad_pipeline.pipeline.blog import require_blog
from glad_pipeline.pipeline.claim import refunding, reject_unfit
from glad_pipeline.pipeline.delivery import explained
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.pipeline.slots import Slot, always, is_work_left, slot_for
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.prompts.reports import Reports
from glad_pipeline.records import Prompt
from glad_pipeline.redaction import redact
from glad_pipeline.rendition_plan import DEFAULT_WIDTHS, Wanted, wanted_of
from glad_pipeline.settings.stores import PublicCheck
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.options import options_of_kind
from glad_pipeline.storage.protocol import ObjectStore, StoreError
from glad_pipeline.storage.spool import Spool, spool_of

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn


class PostgresResource(FixedResource):
    """The blog's PostgreSQL: a small pool for a run, single connections for sensors."""

    url: str = Field(default="", description="postgresql://user:password@host:5432/database")
    patience: float = Field(default=60.0, description="Seconds for which a run waits for a server that is unreachable.")
    posts_table: str | None = Field(default=None, description="The blog's table of posts, where not `posts`.")
    posts_columns: str | None = Field(default=None, description="Its columns that have other names: ours=theirs,…")
    posts_status: str | None = Field(default=None, description="Its states that have other names: published=…,draft=…")
    _database: Database | None = PrivateAttr(default=None)

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = self.another()
        return self._database

    def another(self) -> Database:
        """One of its own; the caller closes it."""
        return Database(self._named, application_name="glad-run", patience=self.patience, blog=self.blog)

    def connect(self) -> Connection:
        """One connection of its own; the caller closes it."""
        return connect_to(self._named, application_name="glad-look", blog=self.blog)

    @property
    def blog(self) -> BlogNames:
        """What the blog's posts are called."""
        return blog_names(self.posts_table, self.posts_columns, self.posts_status)

    @property
    def _named(self) -> str:
        if not self.url:
            raise UsageError("no database is named: set DATABASE_URL, or the component's `database`")
        return self.url

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._database is not None:
            self._database.close()


class QueueResource(FixedResource):
    """This run's claim on the prompts it has claimed. However the run ends, what it did not finish waits again."""

    postgres: dg.ResourceDependency[PostgresResource]
    batch_size: int = Field(description="Most prompts one run claims.")
    run_seconds: int = Field(default=600, description="How long one run begins further batches.")
    lease_seconds: int = Field(description="How long a silent run keeps its prompts.")
    longest_wait_seconds: int = Field(default=3_600, description="How long a prompt waits whatever its priority.")
    max_attempts: int = Field(description="Claims after which a prompt is failed.")
    draw_ahead: bool = Field(default=True, description="Whether pictures are drawn before their `publish_at`.")
    events_days: int = Field(default=90, description="How long the history of a prompt that has ended is kept.")
    _claim: Claim | None = PrivateAttr(default=None)
    _slot: Slot | None = PrivateAttr(default=None)
    _run_id: str = PrivateAttr(default="")
    _claimed: bool = PrivateAttr(default=False)
    _most: int | None = PrivateAttr(default=None)
    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)
    _queue: str = PrivateAttr(default="")
    _reported: set[int] = PrivateAttr(default_factory=set)
    _done: dict[str, int] = PrivateAttr(default_factory=dict)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """The claim begins with the run: should its process be gone before it takes anything, that is seen."""
        self._run_id = context.run_id or "unknown run"
        self._instance = context.instance
        with suppress(GladError, psycopg.Error):  # whoever takes prompts waits for the database and says what is wrong
            self._open(patience=0.0)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        self.free_slot()
        if self._claim is None:
            return
        if self._claim.taken or self._done:
            done = {"claimed": self._claim.taken, **self._done, "rejected or failed": len(self._claim.reasons)}
            dg.get_dagster_logger().info("in all: %s", ", ".join(f"{count} {what}" for what, count in done.items()))
        self._claim.close()

    def report(self, log: logging.Logger, **done: int) -> dict[str, Any]:
        """Add to what this run has done, and tell of the prompts put aside since the last report.

        Returns metadata: the first of them with the reasons. All of them are in the log.
        """
        for what, count in done.items():
            self._done[what] = self._done.get(what, 0) + count
        new = {i: why for i, why in self.claim.reasons.items() if i not in self._reported}
        self._reported.update(new)
        for i, why in new.items():
            log.warning("prompt %s is put aside: %s", i, redact(why))
        return {"put_aside": dg.MetadataValue.md(redact(markdown_reasons(new)))} if new else {}

    @property
    def claim(self) -> Claim:
        return self._claim or self._open()

    def _open(self, patience: float | None = None) -> Claim:
        database = self.postgres.database
        claim = Claim(
            database,
            worker=self._run_id,
            lease=timedelta(seconds=self.lease_seconds),
            max_attempts=self.max_attempts,
            ahead=self.draw_ahead,
            keep_events=timedelta(days=self.events_days),
            longest_wait=timedelta(seconds=self.longest_wait_seconds),
        ).open(patience=patience)
        self._claim = claim
        self._queue = claim.queue
        if self._instance is not None and self._instance.has_run(self._run_id):
            self._instance.add_run_tags(self._run_id, {QUEUE_TAG: self._queue})
        return claim

    def explain(self, reason: str) -> str | None:
        """Why this run fails: kept with every prompt that it gives back.

        Returns which rows it was holding if the runs before it have failed as well, and none has settled anything.
        """
        if self._claim is None or self._instance is None:
            return None
        self._claim.reason = reason
        try:
            settled = self._claim.has_settled()
        except (psycopg.Error, DatabaseError):
            return None
        if settled:
            repeated_failures.note(self._instance, self._run_id, ())
            return None
        return repeated_failures.described(self._instance, {QUEUE_TAG: self._queue}, with_this=self._run_id)

    def reports(self, *, published: bool) -> Reports:
        """What this run has to report to Dagster."""
        return Reports(database=self.postgres.database, run_id=self._run_id, published=published)

    def is_over(self, run_id: str) -> bool:
        """Whether Dagster knows that a run has ended, or knows nothing of it: then it is another instance's."""
        run = self._instance.get_run_by_id(run_id) if self._instance is not None else None
        return run is None or run.is_finished

    def refunding(self) -> AbstractContextManager[None]:
        """See `pipeline.claim.refunding`."""
        return refunding(lambda: self._claim)

    def take(
        self,
        store: "ObjectStoreResource",
        sdxl: "SdxlResource | None",
        *,
        batch: int | None = None,
        ids: Sequence[int] = (),
    ) -> list[Prompt]:
        """Claim what is pending and return what can be drawn; rows that never could are rejected with the reasons.

        Of what `sdxl` is to draw only a first slice: drawing claims the others. Where workers draw, it waits for a slot
        first, and claims nothing if others take all there is. Raises `GladError`, and claims nothing, where the store
        or the blog would take no picture.
        """
        claim = self.claim  # the run's sign of life comes first: what follows may wait for the store
        store.require()
        store.require_blog()
        if sdxl is not None and not self._may_draw(sdxl, on_purpose=bool(ids)):
            dg.get_dagster_logger().info("others draw all that is pending: nothing is left to this run")
            self._claimed = True
            return []
        most = batch or self.batch_size
        claimed = claim.take(most if ids or sdxl is None else min(most, sdxl.window), ids=ids)
        if not claimed:
            self.free_slot()
        self._claimed, self._most = True, most if claimed and sdxl is not None and not ids else None
        if claimed and self._instance is not None:
            repeated_failures.note(self._instance, self._run_id, [prompt.id for prompt in claimed])
        return reject_unfit(claimed, claim, self.postgres.database)

    def paused(self, log: logging.Logger) -> dict[str, Any]:
        """Metadata of what is paused, which is logged too; none where nothing is."""
        found = self.claim.paused()
        if not found:
            return {}
        log.warning("paused, and not claimed: %s", redact(found.in_words()))
        return {"paused": dg.MetadataValue.text(redact(found.in_words()))}

    @property
    def most(self) -> int | None:
        """How many prompts this run may claim in all; None: no more than it has, which were named, or none."""
        return self._most

    def in_hand(self, store: "ObjectStoreResource", sdxl: "SdxlResource | None" = None) -> list[Prompt]:
        """What this run has claimed and not settled; a run that starts further down the graph claims here.

        `sdxl`: what will draw it, in a drawing slot; None: it is not drawn.
        """
        return self.claim.held() if self._claimed else self.take(store, sdxl)

    def _may_draw(self, sdxl: "SdxlResource", *, on_purpose: bool) -> bool:
        """Whether this run draws by itself, or has a drawing slot; `on_purpose`: waits for that whatever is pending."""
        self._slot = slot_for(sdxl.sdxl.options, self.postgres.database, run_id=self._run_id)
        wanted = always if on_purpose else partial(is_work_left, ahead=self.draw_ahead)

        def prepare() -> None:
            import pandas  # noqa: F401  of which the claimed rows are made

            sdxl.sdxl.prepare()

        return self._slot is None or self._slot.take(wanted=wanted, prepare=prepare)

    def free_slot(self) -> None:
        """Another run may draw."""
        if self._slot is not None:
            self._slot.free()


class ObjectStoreResource(FixedResource):
    """Where the pictures are kept: a bucket on S3 or Supabase Storage, or a folder."""

    postgres: dg.ResourceDependency[PostgresResource]
    kind: str = Field(default="s3", description="s3, supabase or volume.")
    bucket: str = Field(default="", description="The bucket's name, or the folder's path.")
    region: str = "us-east-1"
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    public_base_url: str | None = Field(default=None, description="What precedes the key in a public URL.")
    addressing: str = Field(default="auto", description="Where the bucket's name is: auto, path or virtual.")
    checksum: str = Field(default="auto", description="How uploads are checked: auto, sha256, md5 or read-back.")
    sse: str | None = Field(default=None, description="Encryption that uploads ask for.")
    kms_key: str | None = None
    requester_pays: bool = False
    acl: str | None = Field(default=None, description="Canned ACL of uploads.")
    storage_class: str | None = None
    ca_bundle: str | None = Field(default=None, description="File of CA certificates.")
    proxy_url: str | None = Field(default=None, description="HTTP proxy to the store.")
    supabase_url: str | None = None
    supabase_key: str | None = None
    public_check: PublicCheck = Field(default="off", description="What follows where visitors are not given a picture.")
    patience: float = Field(default=0.0, description="Seconds for which a run waits for a store that is unreachable.")
    spool_folder: str = Field(default=".glad/spool", description="Where drawn pictures wait for the store.")
    spool_mb: int = Field(default=2_048, description="Most megabytes that may wait there.")
    renditions: str = Field(default="none", description="Formats of smaller copies of pictures, or none.")
    rendition_widths: str = Field(default=DEFAULT_WIDTHS, description="Their widths in pixels.")
    featured: str = Field(default="original", description="What posts show: original, or a rendition.")
    _store: ObjectStore | None = PrivateAttr(default=None)
    _ready: ObjectStore | None = PrivateAttr(default=None)
    _looked: store_check.Looked | None = PrivateAttr(default=None)  # before the claim
    _fits_blog: bool = PrivateAttr(default=False)

    @property
    def store(self) -> ObjectStore:
        """The bucket, once it is known that it belongs to the database and can take pictures.

        Raises `GladError` where it does not or cannot.
        """
        if self._ready is None:
            with self._identified() as database:
                self._ready = store_check.require_store(
                    database,
                    self.unchecked,
                    exclusively=store_check.under_a_lock(self.postgres.another()),
                    tell=dg.get_dagster_logger().warning,
                    looked=self._looked,
                )
        return self._ready

    @property
    def unchecked(self) -> ObjectStore:
        """The bucket, whosever it is: nothing may be written with it."""
        if self._store is None:
            options = options_of_kind(self.kind, {name: getattr(self, name) for name in type(self).model_fields})
            self._store = open_store(options, patience=self.patience)
        return self._store

    @property
    def wanted(self) -> Wanted:
        """What is made of every picture."""
        return wanted_of(self.renditions, self.rendition_widths)

    def for_writing(self, explained: Callable[[StoreError], StoreError]) -> ObjectStore:
        """`store`; of a store that is unreachable `explained` says more."""
        try:
            return self.store
        except StoreError as error:
            raise explained(error) from error

    def require(self) -> None:
        """Raises `GladError` where the bucket is another database's, or can never take a picture: nothing is claimed
        then. A store that is unreachable is reported, and waited for, later.
        """
        if self._ready is not None:
            return
        try:
            with self._identified() as database:
                self._looked = store_check.look(database, self.unchecked.with_patience(0.0))
        except StoreError as error:
            if not error.transient:
                raise explained(error, self.spool) from error

    def refuse_anothers(self) -> None:
        """Raises `GladError` where the bucket is another database's; one that is unreachable is reported later."""
        if self._ready is not None or self._looked is not None:
            return
        with suppress(StoreError), self._identified() as database:
            identity.check(database, self.unchecked.with_patience(0.0))

    def require_blog(self) -> None:
        """Raises `GladError` where the blog would refuse posts with this store's pictures; tried once in a process."""
        if not self._fits_blog:
            require_blog(self.postgres.database, self.unchecked, renditions=bool(self.wanted))
            self._fits_blog = True

    def _identified(self) -> Database:
        return self.postgres.another()

    @property
    def spool(self) -> Spool:
        """This bucket's own."""
        return spool_of(Path(self.spool_folder), self.unchecked, megabytes=self.spool_mb)


class SdxlResource(FixedResource, EngineOptions):
    """SDXL on this machine (without a GPU the demo model only) or on workers: prompts to recipes, recipes to pixels."""

    _sdxl: Sdxl | None = PrivateAttr(default=None)

    @property
    def sdxl(self) -> Sdxl:
        """What does the work, with these options."""
        if self._sdxl is None:
            options = EngineOptions(**{name: getattr(self, name) for name in EngineOptions.model_fields})
            self._sdxl = Sdxl(options=options, log=dg.get_dagster_logger())
        return self._sdxl

    def recipe(self, prompt: Prompt) -> Recipe:
        """The complete recipe of a prompt. See `Sdxl.recipe`."""
        return self.sdxl.recipe(prompt)

    @property
    def window(self) -> int:
        """Prompts that a run has in hand. See `Sdxl.window`."""
        return self.sdxl.window

    def generate(
        self, recipes: Recipes, *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> "Iterator[Drawn]":
        """Draw each recipe. See `Sdxl.generate`."""
        return self.sdxl.generate(recipes, on_batch_start=on_batch_start)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._sdxl is not None:
            self._sdxl.close()
