"""Prompts to drawn pictures: what is stored already is not drawn again, the rest is drawn ahead of its uploads.

A picture that a gate (`media/gates`) refuses rejects its prompt, a failed one costs its prompt an attempt, and the
others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from glad_pipeline.blame import one_row
from glad_pipeline.database import Database
from glad_pipeline.errors import GladError
from glad_pipeline.generation.prefetch import prefetch
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media import gates
from glad_pipeline.pipeline.blocked_recipes import keys_by_hash, refuse_blocked
from glad_pipeline.pipeline.delivery import Delivery
from glad_pipeline.pipeline.picture_stream import DrawReport, PictureStream
from glad_pipeline.pipeline.sdxl import Draws
from glad_pipeline.pipeline.spooled_picture import name_of
from glad_pipeline.prompts.queue import Claim, NothingLeft
from glad_pipeline.publishing import blocklist
from glad_pipeline.publishing.renditions import focuses_by_recipe
from glad_pipeline.records import Prompt
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import ObjectStore
from glad_pipeline.storage.spool import Spool

if TYPE_CHECKING:
    import logging

    from glad_pipeline.generation.engine import Drawn
    from glad_pipeline.media.encoding import Pixels

PREFETCHED = 32  # pictures that wait for the gate at most: a whole batch, so that the GPU begins the next at once
DROPPED = ("prompt_tokens_dropped", "negative_prompt_tokens_dropped")  # provenance
TELL_EVERY = 5.0  # seconds between lines about drawing: each is a row of Dagster's event log


@dataclass(kw_only=True)
class Drawing:
    """One run's drawing. `begin` prepares it and returns the stream of its pictures."""

    sdxl: Draws
    claim: Claim
    database: Database
    store: ObjectStore
    spool: Spool
    delivery: Delivery
    log: logging.Logger
    stored_already: Callable[[Iterable[Recipe]], None] = lambda recipes: None  # hears of pictures that need no drawing
    _by_recipe: dict[Recipe, list[int]] = field(default_factory=dict)  # prompt ids
    _prompts: dict[int, Prompt] = field(default_factory=dict)
    _report: DrawReport = field(default_factory=lambda: DrawReport(prompts=0))

    def begin(self, prompts: Sequence[Prompt]) -> PictureStream:
        """The pictures of these prompts; what earlier runs left in the spool is uploaded first. Raises `GladError`."""
        self._prompts = {prompt.id: prompt for prompt in prompts}
        self._by_recipe = self._without_blocked(self._recipes(prompts))
        self._discard_blocked()
        rejected = self._leftovers()
        existing = self._existing()
        missing = [recipe for recipe in self._by_recipe if recipe.hash not in existing | rejected]
        self.stored_already(recipe for recipe in self._by_recipe if recipe.hash in existing - rejected)
        self.log.info("%s prompts: %s to draw, %s already stored", len(prompts), len(missing), len(existing))
        self._report = DrawReport(
            prompts=len(prompts),
            already_stored=len(existing),
            to_draw=len(missing),
            model=", ".join(sorted({recipe.model for recipe in self._by_recipe})),
            model_revision=", ".join(sorted({recipe.model_revision for recipe in self._by_recipe})),
            rejected=sum(len(self._by_recipe[recipe]) for recipe in self._by_recipe if recipe.hash in rejected),
        )
        drawn = prefetch(
            self.delivery.written_ahead(self._while_wanted(missing)),
            max(PREFETCHED, self.sdxl.gpu_batch or 0),
            closing=self.delivery.drawing_is_over,
        )
        return PictureStream(
            pictures=self._fit_to_store(drawn), delivery=self.delivery, refuse=self._refuse, report=self._report
        )

    def prompts_of(self, recipe: Recipe) -> list[Prompt]:
        """Those of this run that get the picture with this recipe."""
        return [self._prompts[prompt_id] for prompt_id in self._by_recipe[recipe]]

    @property
    def hashes(self) -> list[str]:
        """Those of the recipes that this run has in hand."""
        return [recipe.hash for recipe in self._by_recipe]

    # what has to be drawn

    def _recipes(self, prompts: Sequence[Prompt]) -> dict[Recipe, list[int]]:
        """The prompt ids of each recipe; prompts that cannot have one are rejected."""
        by_recipe: dict[Recipe, list[int]] = {}
        recipes = recipes_of(prompts, self.sdxl, self.claim)
        for prompt, recipe in recipes:
            by_recipe.setdefault(recipe, []).append(prompt.id)
        if self.delivery.rendering is not None:
            focuses = focuses_by_recipe((recipe.hash, prompt.focus) for prompt, recipe in recipes)
            self.delivery.rendering = replace(self.delivery.rendering, focuses=focuses)
        return by_recipe

    def _without_blocked(self, by_recipe: dict[Recipe, list[int]]) -> dict[Recipe, list[int]]:
        """Pictures that were taken down are not drawn: their prompts are rejected."""
        if not self.database.read(partial(blocklist.blocked, hashes=[recipe.hash for recipe in by_recipe])):
            return by_recipe
        reasons = self.database.transact("takedown", partial(refuse_blocked, keys=keys_by_hash(by_recipe)))
        self.log.warning("%s pictures were taken down and are not drawn: their prompts are rejected", len(reasons))
        self.claim.reject(
            {i: reasons[recipe.hash] for recipe, ids in by_recipe.items() if recipe.hash in reasons for i in ids}
        )
        return {recipe: ids for recipe, ids in by_recipe.items() if recipe.hash not in reasons}

    def _discard_blocked(self) -> None:
        """What was taken down while it waited in the spool is not uploaded."""
        with suppress(OSError):  # `_leftovers` says what is wrong with the folder
            if names := self.spool.waiting():
                for name in self.database.read(partial(blocklist.blocked_beginnings, names=names)):
                    self.spool.remove(name)

    def _leftovers(self) -> set[str]:
        """Upload what earlier runs left in the spool; the hashes of recipes whose picture did not pass the gate."""
        problems = self.delivery.leftovers(gates.problem_of)
        rejected = {recipe: problems[name_of(recipe)] for recipe in self._by_recipe if name_of(recipe) in problems}
        self.claim.reject({i: problem for recipe, problem in rejected.items() for i in self._by_recipe[recipe]})
        for name in problems:
            self.delivery.discard(name)
        return {recipe.hash for recipe in rejected}

    def _existing(self) -> set[str]:
        """The hashes of the recipes whose picture the store holds; the store is asked, no table is believed."""
        if self._by_recipe:
            self.store.check()  # before the GPU has worked for nothing
        stored = self.store.heads(original_key(recipe.hash) for recipe in self._by_recipe)
        return {recipe.hash for recipe in self._by_recipe if original_key(recipe.hash) in stored}

    # while it is drawn

    def _while_wanted(self, recipes: Sequence[Recipe]) -> Generator[Drawn, None, None]:
        """Their pictures, as long as any prompt is left to draw for."""
        try:
            yield from self.sdxl.generate(recipes, on_batch_start=self._count_tries)
        except NothingLeft as reason:
            self.log.warning("%s", reason)

    def _count_tries(self, batch: Sequence[Recipe]) -> None:
        """On the thread that draws, before each batch."""
        ids = [prompt_id for recipe in batch for prompt_id in self._by_recipe[recipe]]
        self.delivery.before_drawing(partial(self.claim.begin_drawing, ids))

    def _fit_to_store(self, drawn: Generator[Drawn, None, None]) -> Generator[Drawn, None, None]:
        """Only the pictures that may be stored; the prompts of the others are settled with the reason."""
        last_report = time.monotonic()
        broken: str | None = None
        with closing(drawn):  # drawing ends when this does, however it does
            for done, picture in enumerate(drawn, start=1):
                if time.monotonic() - last_report >= TELL_EVERY:
                    last_report = time.monotonic()
                    self.log.info("%s of %s drawn", done, self._report.to_draw)
                if picture.pixels is None:
                    self._settle_undrawn(picture)
                    if picture.cause == "device":  # its try counts: it may be one of the batch that has done it
                        broken = picture.error or "the device failed"
                elif problem := _judged(picture.pixels):
                    self._reject(picture.recipe, problem)
                    self.delivery.discard(name_of(picture.recipe))
                else:
                    self._report.cut += any(picture.provenance.get(name) for name in DROPPED)
                    yield picture
        if self._report.rejected or self._report.failed:
            self.log.warning(
                "%s prompts rejected, %s failed: `glad prompts list` has the reasons",
                self._report.rejected,
                self._report.failed,
            )
        if self._report.cut:
            self.log.warning(
                "%s pictures were drawn without the end of their prompt or negative prompt (GLAD_LONG_PROMPTS=cut): "
                "`glad prompts show` says how much",
                self._report.cut,
            )
        if broken:
            raise GladError(f"the rest could not be drawn: {broken}")

    def _settle_undrawn(self, picture: Drawn) -> None:
        """Raises `GladError` where no picture is the cause: then no try counts."""
        reason = picture.error or "the model drew nothing"
        if picture.cause == "setup":
            raise GladError(f"nothing could be drawn: {reason}")
        if picture.cause == "recipe":  # drawn again it would be the same
            self._reject(picture.recipe, reason)
        else:
            self._refuse(picture.recipe, reason)

    def _reject(self, recipe: Recipe, reason: str) -> None:
        ids = self._by_recipe[recipe]
        self.claim.reject(dict.fromkeys(ids, reason))
        self._report.rejected += len(ids)

    def _refuse(self, recipe: Recipe, reason: str) -> None:
        """The prompts of this recipe have used up a try."""
        ids = self._by_recipe[recipe]
        self.claim.fail(dict.fromkeys(ids, reason))
        self._report.failed += len(ids)


def _judged(pixels: Pixels) -> str | None:
    """What the gates say; a gate that fails is due to the picture itself."""
    problems: list[str] = []
    with one_row(problems.append):
        problems += filter(None, [gates.problem_of(pixels)])
    return problems[0] if problems else None


def recipes_of(prompts: Sequence[Prompt], sdxl: Draws, claim: Claim) -> list[tuple[Prompt, Recipe]]:
    """Each prompt with its recipe; prompts that cannot have one are rejected."""
    found: list[tuple[Prompt, Recipe]] = []
    refused: dict[int, str] = {}
    for prompt in prompts:
        with one_row(partial(refused.__setitem__, prompt.id)):
            found.append((prompt, sdxl.recipe(prompt)))
    claim.reject(refused)
    return found
