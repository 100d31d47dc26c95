"""What the assets work with: the database, this run's hold on the queue, the object store, and SDXL."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
from pydantic import Field, PrivateAttr

from glad_pipeline import identity
from glad_pipeline.blame import is_the_deployments, one_row, readable, reason_of
from glad_pipeline.database import Connection, Database, DatabaseError
from glad_pipeline.database import connect as connect_to
from glad_pipeline.defs import in_vain
from glad_pipeline.defs.fixed import FixedResource
from glad_pipeline.errors import GladError, UnavailableError, UsageError
from glad_pipeline.generation.allowed import Allowed
from glad_pipeline.generation.defaults import Defaults
from glad_pipeline.generation.models import ModelProfile, resolve_model
from glad_pipeline.generation.parts import parts_of
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.prompts.queue import Hold
from glad_pipeline.prompts.validation import reasons_against
from glad_pipeline.publishing.delivery import Targets, targets
from glad_pipeline.removal import Removal
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.s3 import S3Store, StoreError
from glad_pipeline.storage.spool import Spool

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn, Engine, Fault
    from glad_pipeline.workers.pool import Pool
    from glad_pipeline.workers.remote import RemoteEngine

Row = Mapping[str, Any]


class PostgresResource(FixedResource):
    """The blog's PostgreSQL: a small pool for a run, single connections for sensors."""

    url: str = Field(description="postgresql://user:password@host:5432/database")
    patience: float = Field(default=60.0, description="Seconds for which a run waits for a server that is away.")
    _database: Database | None = PrivateAttr(default=None)

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(self.url, application_name="glad-run", patience=self.patience)
        return self._database

    def connect(self) -> Connection:
        """One connection of its own; the caller closes it."""
        return connect_to(self.url, application_name="glad-look")

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._database is not None:
            self._database.close()


class QueueResource(FixedResource):
    """This run's hold on the prompts it has claimed. However the run ends, what it did not finish waits again."""

    postgres: dg.ResourceDependency[PostgresResource]
    batch_size: int = Field(description="Most prompts one run claims.")
    lease_seconds: int = Field(description="How long a silent run keeps its prompts.")
    max_attempts: int = Field(description="Claims after which a prompt is failed.")
    _hold: Hold | None = PrivateAttr(default=None)
    _run_id: str = PrivateAttr(default="")
    _claimed: bool = PrivateAttr(default=False)
    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._run_id = context.run_id or "unknown run"
        self._instance = context.instance

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._hold is not None:
            self._hold.close()

    @property
    def hold(self) -> Hold:
        if self._hold is None:
            self._hold = Hold(
                self.postgres.database,
                worker=self._run_id,
                lease=timedelta(seconds=self.lease_seconds),
                max_attempts=self.max_attempts,
            ).open()
        return self._hold

    def explain(self, reason: str) -> str | None:
        """Why this run fails: told with every prompt that it gives back.

        Returns which rows it was holding if the runs before it have failed as well, and none has settled anything.
        """
        if self._hold is None or self._instance is None:
            return None
        self._hold.reason = reason
        try:
            settled = self._hold.has_settled()
        except (psycopg.Error, DatabaseError):
            return None
        if settled:
            in_vain.note(self._instance, self._run_id, ())
            return None
        return in_vain.told(self._instance, with_this=self._run_id)

    @contextmanager
    def refunding(self) -> Iterator[None]:
        """Give the tries back for an error inside that is the store's, the database's or the GPU's.

        What nobody knows stays counted: should a row have caused it, its tries are spent one day.
        """
        try:
            yield
        except Exception as error:
            if self._hold is not None and (isinstance(error, GladError) or is_the_deployments(error)):
                with suppress(psycopg.Error, DatabaseError):
                    self._hold.refund()
            raise

    def claim(self, *, batch: int | None = None, ids: Sequence[int] = ()) -> list[Row]:
        """Claim what is pending and return what can be drawn; rows that never could are rejected with the reasons."""
        rows = self.hold.claim(batch or self.batch_size, ids=ids)
        self._claimed = True
        if rows and self._instance is not None:
            in_vain.note(self._instance, self._run_id, [row["id"] for row in rows])
        bad: dict[int, str] = {}
        for row in rows:
            with one_row(partial(bad.__setitem__, row["id"])):
                if faults := reasons_against(row):
                    bad[row["id"]] = "; ".join(faults)
        self.hold.reject(bad)
        return [row for row in rows if row["id"] not in bad]

    def in_hand(self) -> list[Row]:
        """What this run has claimed and not settled; a run that starts further down the graph claims here."""
        return list(self.hold.held()) if self._claimed else self.claim()


class OutboxResource(FixedResource):
    """Who is told when posts change and pictures go: the site, the CDN, the bucket. What is absent is not told."""

    site_url: str | None = Field(default=None, description="The blog's site; it is told at /api/revalidate.")
    revalidate_secret: str | None = None
    distribution_id: str | None = Field(default=None, description="CloudFront distribution to purge.")
    max_attempts: int = Field(default=12, description="Tries after which a message is dead.")

    def targets(self, database: Database, store: S3Store) -> Targets:
        return targets(
            site_url=self.site_url,
            secret=self.revalidate_secret,
            distribution_id=self.distribution_id,
            delete=Removal(database=database, store=replace(store, patience=0.0)),  # the outbox tries again
            url=store.url,
        )


class ObjectStoreResource(FixedResource):
    """The bucket of the pictures, on AWS S3 or any S3-compatible store."""

    postgres: dg.ResourceDependency[PostgresResource]
    bucket: str
    region: str = "us-east-1"
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    public_base_url: str | None = Field(default=None, description="What precedes the key in a public URL.")
    patience: float = Field(default=0.0, description="Seconds for which a run waits for a store that is away.")
    spool_folder: str = Field(default=".glad/spool", description="Where drawn pictures wait for the store.")
    spool_mb: int = Field(default=2_048, description="Most megabytes that may wait there.")
    _store: S3Store | None = PrivateAttr(default=None)
    _settled: bool = PrivateAttr(default=False)

    @property
    def store(self) -> S3Store:
        """The bucket, once it is known that it belongs to the database. Raises `GladError` where it does not."""
        if not self._settled:
            with self._identified() as database:
                identity.settle(database, self.unchecked, tell=dg.get_dagster_logger().warning)
            self._settled = True
        return self.unchecked

    @property
    def unchecked(self) -> S3Store:
        """The bucket, whosever it is: nothing may be written with it."""
        if self._store is None:
            self._store = S3Store(
                bucket=self.bucket,
                region=self.region,
                endpoint_url=self.endpoint_url,
                access_key_id=self.access_key_id,
                secret_access_key=self.secret_access_key,
                session_token=self.session_token,
                public_base_url=self.public_base_url,
                patience=self.patience,
            )
        return self._store

    def refuse_anothers(self) -> None:
        """Raises `GladError` where the bucket is another database's; a store that is away is told of later."""
        if self._settled:
            return
        with suppress(StoreError), self._identified() as database:
            identity.check(database, replace(self.unchecked, patience=0.0))

    def _identified(self) -> Database:
        return Database(self.postgres.url, application_name="glad-run", patience=self.postgres.patience)

    @property
    def spool(self) -> Spool:
        """This bucket's own: what waits for another one is neither delivered here nor lost."""
        where = re.sub(r"[^A-Za-z0-9.-]+", "_", (self.endpoint_url or "://aws").partition("://")[2].rstrip("/"))
        return Spool(Path(self.spool_folder) / f"{self.bucket}@{where}", limit=self.spool_mb * 1_000_000)


class SdxlResource(FixedResource):
    """SDXL on this machine's GPU (the demo model also on its CPU): prompts to recipes, recipes to pixels."""

    model: str = Field(description="`demo`, a directory, or a hub id.")
    model_revision: str | None = Field(default=None, description="Commit of a hub model.")
    vae: str | None = Field(default=None, description="Another VAE than the model's own, or `none`.")
    refiner: str | None = Field(default=None, description="What the preset `refined` draws the last steps with.")
    lora: str | None = Field(default=None, description="LoRA for every picture: path or hub file, `*weight`.")
    few_step_lora: str | None = Field(default=None, description="In place of a few-step preset's own LoRA, or `none`.")
    allowed_models: list[str] = Field(default=[], description="Patterns of what rows may name beside these.")
    most_pixels: int = Field(default=4_194_304, description="Most that a row may ask for.")
    most_steps: int = Field(default=100, description="Most that a row may ask for.")
    device: str = Field(default="auto", description="auto, cuda, mps or cpu.")
    preset: str = Field(default="base", description="How prompts are drawn that name no preset.")
    width: int | None = Field(default=None, description="Pixels; absent: the model's own.")
    height: int | None = Field(default=None, description="Pixels; absent: the model's own.")
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    gpu_batch: int | None = Field(default=None, description="Pictures drawn at once; absent: by the memory.")
    gpu_small_batch: int | None = Field(default=None, description="A second, smaller bucket for what is left over.")
    compiling: str = Field(default="auto", description="auto, none, regional or full.")
    compile_cache: str | None = Field(default=None, description="Folder that keeps compiled kernels.")
    hash_cache: str | None = Field(default=None, description="File that remembers the hashes of local weights.")
    backend: str = Field(default="process", description="What draws: this process, ray (warm workers), or auto.")
    _pool: "Pool | None" = PrivateAttr(default=None)
    _profiles: dict[tuple[str | None, ...], ModelProfile] = PrivateAttr(default_factory=dict)
    _overhead: dict[str, float] = PrivateAttr(default_factory=lambda: {"loading": 0.0, "warming_up": 0.0})

    @property
    def overhead_seconds(self) -> Mapping[str, float]:
        """What was spent before pictures came: `loading` the models, `warming_up` their kernels."""
        return self._overhead

    def profile(
        self, model: str | None = None, revision: str | None = None, preset: str | None = None, lora: str | None = None
    ) -> ModelProfile:
        """The model and all that is loaded with it, ours where None. Raises `GladError` if there is no such thing.

        VAE, refiner and LoRA of the settings go with the settings' model; another model comes without.
        """
        name = model or self.model
        ours = name == self.model
        commit = revision or (self.model_revision if ours else None)
        loras = lora or (self.lora if ours else None) or ""
        wanted = (name, commit, preset or self.preset, loras)
        if wanted not in self._profiles:
            self._profiles[wanted] = resolve_model(
                name,
                commit,
                vae=self.vae if ours else None,
                refiner=self.refiner if ours else None,
                loras=loras,
                preset=preset or self.preset,
                few_step_lora=self.few_step_lora if ours else None,
                cache=Path(self.hash_cache) if self.hash_cache else None,
            )
        return self._profiles[wanted]

    def recipe(self, row: Row) -> Recipe:
        """The complete recipe of a prompt: its own values, else the settings', else the model's.

        Raises `UnavailableError` where ours cannot be drawn with; all else that it raises is the row's own.
        """
        defaults = Defaults(
            preset=self.preset,
            width=self.width,
            height=self.height,
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler,
        )
        recipe = defaults.recipe(row, self._profile_of(row))
        if faults := self._too_much(row, recipe):
            raise UsageError("; ".join(faults))
        return recipe

    def _profile_of(self, row: Row) -> ModelProfile:
        """What a row is drawn with. What is wrong with files here is told in the log, not to who may write rows."""
        allowed = Allowed(
            model=self.model,
            revision=self.model_revision,
            lora=self.lora,
            few_step_lora=self.few_step_lora,
            patterns=self.allowed_models,
        )
        model, revision, lora = allowed.checked(row["model"], row["model_revision"], row["lora"])
        try:
            return self.profile(model, revision, row["preset"], lora)
        except Exception as error:
            _raise_the_deployments(error)
            if model in (None, self.model):
                self._require_ours()
            if not model and not lora:
                raise GladError(_without_paths(error, f"the preset {row['preset']} cannot be used here")) from error
            named = ", ".join(f"{name} {row[name]}" for name in ("model", "lora") if row[name])
            raise GladError(_without_paths(error, f"what it names cannot be used here: {named}")) from error

    def _require_ours(self) -> None:
        """Raises `UnavailableError` unless the settings name a model that is here: then no row is at fault."""
        try:
            self.profile()
        except Exception as error:
            raise _ours(error) from error

    def _too_much(self, row: Row, recipe: Recipe) -> list[str]:
        """What the row asks for beyond what one may cost. What the settings ask for is theirs."""
        faults = []
        pixels = recipe.width * recipe.height
        if (row.get("width") or row.get("height")) and pixels > self.most_pixels:
            faults.append(
                f"width × height is {recipe.width} × {recipe.height} = {pixels:,} pixels: a row may ask for at most "
                f"{self.most_pixels:,} (GLAD_MOST_PIXELS)"
            )
        if (row.get("num_inference_steps") or 0) > self.most_steps:
            faults.append(
                f"num_inference_steps is {row['num_inference_steps']}: a row may ask for at most {self.most_steps} "
                "(GLAD_MOST_STEPS)"
            )
        return faults

    def generate(
        self, recipes: Iterable[Recipe], *, begun: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> "Iterator[Drawn]":
        """Draw each recipe, one model after the other. See `generation.engine.Engine.generate`.

        A model that cannot be loaded is the deployment's fault if it is ours, and raised; if a prompt named it,
        it is that prompt's.
        """
        from glad_pipeline.generation.engine import Drawn

        by_weights = sorted(recipes, key=_loaded)
        for loaded, group in groupby(by_weights, key=_loaded):
            wanted = list(group)
            profile = next(p for p in self._profiles.values() if (p.weights, p.quantization or "") == loaded)
            engine = self._engine(profile, wanted, lambda: begun(()))
            try:
                engine.load()
            except UnavailableError:
                raise
            except Exception as error:
                _raise_the_deployments(error)
                if profile == self.profile():
                    raise _ours(error) from error
                fault = self._fault_of(profile)
                if type(error.__cause__).__name__ == "OutOfMemoryError":  # another program may hold the GPU
                    fault = "unknown"
                reason = _without_paths(error, f"what it names cannot be loaded here, with the model {profile.name}")
                yield from (Drawn(recipe=recipe, error=reason, fault=fault, provenance={}) for recipe in wanted)
            else:
                yield from engine.generate(wanted, begun=begun)
            finally:
                self._overhead["loading"] += engine.load_seconds or 0.0
                self._overhead["warming_up"] += engine.warm_seconds
                engine.close()

    def _engine(
        self, profile: ModelProfile, wanted: Sequence[Recipe], pulse: Callable[[], None]
    ) -> "Engine | RemoteEngine":
        """What draws with a profile: this process, or the workers."""
        if self._drawn_by_workers():
            from glad_pipeline.workers.remote import RemoteEngine

            return RemoteEngine(profile, self._workers(), wanted=wanted, pulse=pulse)
        from glad_pipeline.generation.engine import Engine

        return Engine(
            profile,
            device=self.device,  # type: ignore[arg-type]
            bucket=self.gpu_batch,
            small_bucket=self.gpu_small_batch,
            compiling=self.compiling,  # type: ignore[arg-type]
            compile_cache=Path(self.compile_cache) if self.compile_cache else None,
            hash_cache=Path(self.hash_cache) if self.hash_cache else None,
        )

    def _fault_of(self, profile: ModelProfile) -> "Fault":
        """Whose fault it is that this model cannot be loaded, which a prompt has named.

        Raises `GladError` if not even our own could be drawn with: then no prompt is at fault.
        """
        if self._drawn_by_workers():
            return "unknown"  # their machines may lack what this one has
        from glad_pipeline.generation.devices import choose_device

        choose_device(self.device, is_demo=self.profile().is_demo)  # type: ignore[arg-type]
        # what is all here and cannot be loaded never will be; what has to be fetched may be there another time
        return "recipe" if all(part.is_local for part in parts_of(profile)) else "unknown"

    def _drawn_by_workers(self) -> bool:
        if self.backend == "auto":
            from glad_pipeline.workers.cluster import Cluster

            return Cluster(load_settings()).is_wanted
        return self.backend == "ray"

    def _workers(self) -> "Pool":
        """The workers, as this resource's own settings want them to draw."""
        if self._pool is None:
            from glad_pipeline.workers.options import engine_options
            from glad_pipeline.workers.pool import Pool

            settings = load_settings()
            options = engine_options(
                settings,
                device=self.device,
                bucket=self.gpu_batch,
                small_bucket=self.gpu_small_batch,
                compiling=self.compiling,
            )
            self._pool = Pool(settings, options, log=dg.get_dagster_logger())
        return self._pool

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._pool is not None:
            self._pool.close()


def _raise_the_deployments(error: Exception) -> None:
    """Raises `UnavailableError` where files or memory of this machine are the cause: no row is at fault."""
    if any(each is not None and is_the_deployments(each) for each in (error, error.__cause__)):
        raise UnavailableError(reason_of(error)) from error


def _ours(error: Exception) -> UnavailableError:
    """What is wrong with the model of the settings: nobody's row is at fault."""
    if isinstance(error, UnavailableError):
        return error
    if isinstance(error, GladError):
        return UnavailableError(str(error))
    return UnavailableError(f"the model of the settings cannot be used: {type(error).__name__}: {error}")


def _without_paths(error: Exception, instead: str) -> str:
    """What to tell who wrote the row: which files are here is not theirs to ask, so that goes to the run's log."""
    reason = reason_of(error)
    if isinstance(error, GladError) and not _PATH.search(reason):
        return reason
    dg.get_dagster_logger().warning("%s: %s", instead, readable(f"{type(error).__name__}: {error}"))
    return f"{instead}. The run's log says why"


_PATH = re.compile(r"(?<![\w:/.])[/~][\w.]")


def _loaded(recipe: Recipe) -> tuple[tuple[str, ...], str]:
    """What has to be loaded for a recipe: the weights, and their number format."""
    return recipe.weights, PRESETS[recipe.preset].quantization or ""
