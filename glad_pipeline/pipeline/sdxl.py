"""SDXL as the settings name it: prompts to recipes, recipes to pictures, in this process or on warm workers.

Decides what a row is drawn with, which engine draws it, and what it is due to where that cannot be: the row, or the
deployment's. Knows neither Dagster nor where pictures go.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from glad_pipeline.blame import is_the_deployments, readable, reason_of
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UnavailableError, UsageError
from glad_pipeline.generation.allowed import allowed
from glad_pipeline.generation.batches import Backlog, ListBacklog, Recipes, Weights, weights_for
from glad_pipeline.generation.defaults import recipe_of
from glad_pipeline.generation.models import ModelProfile, resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.backlog import OfWeights, UrgentFirst
from glad_pipeline.records import Prompt

if TYPE_CHECKING:
    from glad_pipeline.generation.drawing_failures import Cause
    from glad_pipeline.generation.engine import Drawn, Engine
    from glad_pipeline.workers.pool import Pool
    from glad_pipeline.workers.remote import RemoteEngine


WINDOW = 64  # prompts
BATCHES = 4


class Draws(Protocol):
    """What the pipeline needs of SDXL."""

    @property
    def gpu_batch(self) -> int | None:
        """Pictures drawn at once; None: by the memory."""

    def recipe(self, prompt: Prompt) -> Recipe:
        """The complete recipe of a prompt. See `Sdxl.recipe`."""

    @property
    def window(self) -> int:
        """Prompts that a run has in hand. See `Sdxl.window`."""

    def generate(
        self, recipes: Recipes, *, on_batch_start: Callable[[Sequence[Recipe]], None] = ...
    ) -> Iterator[Drawn]:
        """Draw each recipe. See `Sdxl.generate`."""


@dataclass(kw_only=True)
class Sdxl:
    """SDXL as these options have it."""

    options: EngineOptions
    log: logging.Logger
    fetches: bool = True  # whether tokenizers that are not here may be fetched from the hub
    overhead_seconds: dict[str, float] = field(default_factory=lambda: {"loading": 0.0, "warming_up": 0.0})
    _profiles: dict[EngineOptions, ModelProfile] = field(default_factory=dict)
    _uncounted: dict[tuple[str, ...], GladError] = field(default_factory=dict)  # weights → why no tokens can be counted
    _pool: Pool | None = None

    # prompts to recipes

    def profile(
        self, model: str | None = None, revision: str | None = None, preset: str | None = None, lora: str | None = None
    ) -> ModelProfile:
        """The model and all that is loaded with it, the settings' where None. Raises `GladError` if there is none.

        VAE, refiner, LoRA … of the settings go with the settings' model; another model comes without.
        """
        options = self.options
        if model in (None, options.model):
            named = {"model_revision": revision or options.model_revision, "lora": lora or options.lora}
        else:
            named = {"model": model, "model_revision": revision, "lora": lora}
            named |= dict.fromkeys(("vae", "refiner", "few_step_lora", "checkpoint_config", "prediction"))
        wanted = options.model_copy(update={**named, "preset": preset or options.preset})
        if wanted not in self._profiles:
            self._profiles[wanted] = resolve_model(wanted)
        return self._profiles[wanted]

    def recipe(self, prompt: Prompt) -> Recipe:
        """The complete recipe of a prompt: its own values, else the settings', else the model's.

        Raises `UnavailableError` where the settings' model cannot be used; all else that it raises is the row's own.
        """
        profile = self._profile_of(prompt)
        try:
            recipe = recipe_of(
                prompt, profile, self.options, fetch=self.fetches and profile.weights not in self._uncounted
            )
        except UsageError:
            raise
        except Exception as error:
            _raise_the_deployments(error)
            raise self._uncountable(profile, error) from error
        if problems := self._too_much(prompt, recipe):
            raise UsageError("; ".join(problems))
        return recipe

    def _uncountable(self, profile: ModelProfile, error: Exception) -> GladError:
        """Why no tokens can be counted for a model. That is kept: no further row of the run asks the hub again."""
        if isinstance(error, GladError):
            error = self._uncounted.setdefault(profile.weights, error)
        ours = self.profile()
        if (profile.name, profile.revision) == (ours.name, ours.revision):
            return _ours(error)
        what = f"the tokenizer of {profile.name} cannot be used here, which says how long the prompt is"
        return GladError(self._without_paths(error, what))

    def _profile_of(self, prompt: Prompt) -> ModelProfile:
        """What a row is drawn with. What is wrong with files here goes to the log, not to who may write rows."""
        model, revision, lora = allowed(self.options, prompt.model, prompt.model_revision, prompt.lora)
        try:
            return self.profile(model, revision, prompt.preset, lora)
        except Exception as error:
            _raise_the_deployments(error)
            if model in (None, self.options.model):
                self._require_ours()
            if not model and not lora:
                raise GladError(
                    self._without_paths(error, f"the preset {prompt.preset} cannot be used here")
                ) from error
            named = ", ".join(f"{name} {value}" for name in ("model", "lora") if (value := getattr(prompt, name)))
            raise GladError(self._without_paths(error, f"what it names cannot be used here: {named}")) from error

    def _require_ours(self) -> None:
        """Raises `UnavailableError` unless the settings name a model that is here: then no row is the cause."""
        try:
            self.profile()
        except Exception as error:
            raise _ours(error) from error

    def _too_much(self, prompt: Prompt, recipe: Recipe) -> list[str]:
        """What the row asks for beyond what one may cost. The settings' own values are not limited."""
        problems = []
        pixels, most_steps = recipe.width * recipe.height, self.options.most_steps
        if (prompt.width or prompt.height) and pixels > self.options.most_pixels:
            problems.append(
                f"width × height is {recipe.width} × {recipe.height} = {pixels:,} pixels: a row may ask for at most "
                f"{self.options.most_pixels:,} (GLAD_MOST_PIXELS)"
            )
        if (prompt.num_inference_steps or 0) > most_steps:
            problems.append(
                f"num_inference_steps is {prompt.num_inference_steps}: a row may ask for at most {most_steps} "
                "(GLAD_MOST_STEPS)"
            )
        return problems

    # recipes to pictures

    @property
    def window(self) -> int:
        """Prompts that a run has in hand: BATCHES for each that is drawn at once, WINDOW at least."""
        return max(WINDOW, BATCHES * (self.options.gpu_batch or 0) * (self.options.workers or 1))

    def generate(
        self, recipes: Recipes, *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        """Draw each recipe. See `generation.engine.Engine.generate`. Plain ones are drawn one model after the other;
        of a backlog that is fed what is most urgent decides which model is loaded.

        A model that cannot be loaded is due to the deployment if the settings name it, and raised; if a prompt named
        it, it is that prompt's.
        """
        unloadable: dict[Weights, Exception] = {}
        broken = False
        for weights, backlog, wanted in _by_weights(recipes):
            profile = next(p for p in list(self._profiles.values()) if (p.weights, p.quantization or "") == weights)
            if weights in unloadable:
                yield from self._undrawable(profile, backlog, unloadable[weights])
                continue
            engine = self._engine(profile, wanted, lambda: on_batch_start(()))
            try:
                engine.load()
            except UnavailableError:
                raise
            except Exception as error:  # noqa: BLE001  judged there
                unloadable[weights] = error
                yield from self._undrawable(profile, backlog, error)
            else:
                for drawn in engine.generate(backlog, on_batch_start=on_batch_start):
                    broken = broken or (drawn.pixels is None and drawn.cause in ("device", "setup"))
                    yield drawn
            finally:
                self.overhead_seconds["loading"] += engine.load_seconds or 0.0
                self.overhead_seconds["warming_up"] += engine.warm_seconds
                engine.close()
            if broken:  # with other weights it would be no better
                return

    def _undrawable(self, profile: ModelProfile, backlog: Backlog, error: Exception) -> Iterator[Drawn]:
        """The recipes of a model that cannot be loaded, each with the reason. Raises what is due to the deployment."""
        from glad_pipeline.generation.engine import Drawn

        _raise_the_deployments(error)
        if profile == self.profile():
            raise _ours(error) from error
        cause = self._cause_of(profile)
        if type(error.__cause__).__name__ == "OutOfMemoryError":  # another program may hold the GPU
            cause = "unknown"
        reason = self._without_paths(error, f"what it names cannot be loaded here, with the model {profile.name}")
        for recipe in backlog:
            yield Drawn(recipe=recipe, error=reason, cause=cause, provenance={})

    def _engine(
        self, profile: ModelProfile, wanted: Callable[[], Sequence[Recipe]], pulse: Callable[[], None]
    ) -> Engine | RemoteEngine:
        """What draws with a profile: this process, or the workers."""
        if self._drawn_by_workers():
            from glad_pipeline.workers.remote import RemoteEngine

            return RemoteEngine(profile, self._workers(), wanted=wanted, pulse=pulse)
        from glad_pipeline.generation.engine import engine_of

        return engine_of(profile, self.options)

    def _cause_of(self, profile: ModelProfile) -> Cause:
        """What it is due to that this model cannot be loaded, which a prompt has named.

        Raises `GladError` if not even the settings' own could be drawn with: then no prompt is the cause.
        """
        if self._drawn_by_workers():
            return "unknown"  # their machines may lack what this one has
        from glad_pipeline.generation.devices import choose_device

        choose_device(self.options.device, is_demo=self.profile().is_demo)
        # what is all here and cannot be loaded never will be; what has to be fetched may be there another time
        return "recipe" if all(part.is_local for part in profile.artifacts) else "unknown"

    def _drawn_by_workers(self) -> bool:
        if self.options.backend == "process":
            return False
        from glad_pipeline.workers.cluster import drawing_for

        return drawing_for(self.options) is not None

    def _workers(self) -> Pool:
        from glad_pipeline.workers.pool import Pool

        self._pool = self._pool or Pool(self.options, log=self.log)
        return self._pool

    def prepare(self) -> None:
        """What takes seconds once, before there is anything to draw on workers. What fails is told when it is used."""
        with suppress(Exception):
            self.recipe(Prompt(id=0, prompt="a hill", seed=0))  # reads the tokenizer
        with suppress(GladError):
            self._workers().open(self.profile(), ())  # imports Ray, connects, and tells it what a worker is

    def close(self) -> None:
        """Leave the workers, if there were any."""
        if self._pool is not None:
            self._pool.close()

    def _without_paths(self, error: Exception, instead: str) -> str:
        """The reason for who wrote the row, without paths: which files are here goes to the run's log alone."""
        reason = reason_of(error)
        if isinstance(error, GladError) and not _PATH.search(reason):
            return reason
        self.log.warning("%s: %s", instead, readable(f"{type(error).__name__}: {error}"))
        return f"{instead}. The run's log says why"


_PATH = re.compile(r"(?<![\w:/.])[/~][\w.]")


def _raise_the_deployments(error: Exception) -> None:
    """Raises `UnavailableError` where files or memory of this machine are the cause, and no row is."""
    if any(each is not None and is_the_deployments(each) for each in (error, error.__cause__)):
        raise UnavailableError(reason_of(error)) from error


def _ours(error: Exception) -> UnavailableError:
    """What is wrong with the model of the settings: no row is the cause."""
    if isinstance(error, UnavailableError):
        return error
    if isinstance(error, GladError):
        return UnavailableError(str(error))
    return UnavailableError(f"the model of the settings cannot be used: {type(error).__name__}: {error}")


def _by_weights(recipes: Recipes) -> Iterator[tuple[Weights, Backlog, Callable[[], Sequence[Recipe]]]]:
    """What has to be loaded, what is drawn with it then, and what that will be as far as it is known at any moment."""
    if isinstance(recipes, UrgentFirst):
        while (weights := recipes.leading()) is not None:
            yield weights, OfWeights(recipes, weights), partial(recipes.waiting, weights)
        return
    for weights, group in groupby(sorted(recipes, key=weights_for), key=weights_for):
        wanted = list(group)
        yield weights, ListBacklog(wanted), partial(list, wanted)
