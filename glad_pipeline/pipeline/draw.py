"""Prompts to drawn pictures: what is stored already is not drawn again, the rest is drawn ahead of its uploads.

A picture that a gate (`media/gates`) refuses rejects its prompt, a failed one costs its prompt an attempt, and the
others go on.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
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
from glad_pipeline.pipeline.backlog import UrgentFirst
from glad_pipeline.pipeline.blocked_recipes import keys_by_hash, refuse_blocked
from glad_pipeline.pipeline.claim import reject_unfit
from glad_pipeline.pipeline.delivery import Delivery, DrawingIsOver
from glad_pipeline.pipeline.feed import Feeder
from glad_pipeline.pipeline.in_hand import InHand, Joined
from glad_pipeline.pipeline.picture_stream import DrawReport, PictureStream
from glad_pipeline.pipeline.sdxl import Draws
from glad_pipeline.pipeline.spooled_picture import name_of
from glad_pipeline.prompts.queue import Claim, NothingLeft
from glad_pipeline.publishing import blocklist
from glad_pipeline.publishing.renditions import focuses_of
from glad_pipeline.records import Prompt
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import ObjectStore, StoreError
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
    all_is_begun: Callable[[], None] = lambda: None  # called when the last batch is: what comes is for others
    most: int | None = None  # prompts that this run may have in all; None: just those given
    seconds: float = math.inf  # after which no further batch is begun
    stored_already: Callable[[Iterable[Recipe]], None] = lambda recipes: None  # hears of pictures that need no drawing
    _undeliverable: set[Recipe] = field(default_factory=set)  # pictures that were left: they are drawn here
    _focuses: dict[str, list[str | None]] = field(default_factory=dict)  # of the prompts, by recipe hash
    _in_hand: InHand = field(default_factory=InHand)
    _backlog: UrgentFirst = field(default_factory=UrgentFirst)
    _report: DrawReport = field(default_factory=lambda: DrawReport(prompts=0))
    _counting: threading.Lock = field(default_factory=threading.Lock)  # several threads count

    def begin(self, prompts: Sequence[Prompt]) -> PictureStream:
        """The pictures of these prompts, and of those that are claimed meanwhile. Raises `GladError`.

        What earlier runs left in the spool is uploaded first.
        """
        new = self._joined(prompts)
        self._discard_blocked()
        rejected = self._leftovers(new)
        if new:
            self.store.check()  # before the GPU has worked for nothing
        self._draw_or_not([recipe for recipe in new if recipe not in rejected])
        done = self._report
        self.log.info("%s prompts: %s to draw, %s already stored", len(prompts), done.to_draw, done.already_stored)
        drawn = prefetch(
            self.delivery.written_ahead(self._while_wanted()),
            max(PREFETCHED, self.sdxl.gpu_batch or 0),
            closing=self._nobody_wants_more,
        )
        return PictureStream(
            pictures=self._fit_to_store(drawn), delivery=self.delivery, refuse=self._refuse, report=self._report
        )

    def _nobody_wants_more(self) -> None:
        """Whatever the thread that draws waits for, it ends."""
        self.delivery.drawing_is_over()
        self._backlog.end(DrawingIsOver("the run ends"))

    def prompts_of(self, recipe: Recipe) -> list[Prompt]:
        """The prompts of this run that get the picture with this recipe, which is stored now: each is given once."""
        return self._in_hand.stored(recipe)

    @property
    def hashes(self) -> list[str]:
        """Those of the recipes that this run has in hand."""
        return [recipe.hash for recipe in self._in_hand.recipes]

    @property
    def claimed(self) -> list[int]:
        """All the prompts that this run has had to draw, without those that it gave back."""
        return self._in_hand.claimed

    # what has to be drawn

    def _take_in(self, claimed: Sequence[Prompt]) -> None:
        """On the feeder's thread: have these drawn too, as far as they can be."""
        try:
            new = self._joined(reject_unfit(claimed, self.claim, self.database))
            self._draw_or_not([recipe for recipe in new if not self._was_left(recipe)], waits=False)
        except StoreError as error:
            raise self.delivery.explained(error) from error

    def _was_left(self, recipe: Recipe) -> bool:
        """Whether a run that has ended since this one began left this picture in the spool: then it is delivered, or
        refused, and not drawn again. Asked before the store is, which has what is gone from the spool by then."""
        left = None if recipe in self._undeliverable else self.delivery.left(recipe)
        if left is None or left.pixels is None:
            return False
        if not self._is_refused(recipe, left.pixels):
            self._count(already_stored=1)
            self.delivery.send_left(recipe, self._not_delivered)
        return True

    def _not_delivered(self, recipe: Recipe, reason: str) -> None:
        """On an uploader's thread: a picture that was left cannot be stored. Its prompts wait for whoever claims them
        next, this run too, to be drawn again: no try counts but that of the run that had drawn it."""
        self._undeliverable.add(recipe)
        ids = self._in_hand.dropped([recipe])
        self._in_hand.given_back(ids)
        self.claim.give_back(ids, reason=reason)
        self._count(prompts=-len(ids), already_stored=-1)

    def _joined(self, prompts: Sequence[Prompt]) -> list[Recipe]:
        """The recipes that are new to this run; prompts that cannot have one, or a picture with it, are rejected."""
        pairs = self._without_blocked(recipes_of(prompts, self.sdxl, self.claim))
        self._note_focuses(pairs)
        found = [(prompt, recipe, self._in_hand.join(prompt, recipe)) for prompt, recipe in pairs]
        self.claim.reject({prompt.id: reason for prompt, _, reason in found if isinstance(reason, str)})
        self._count(prompts=len(prompts), rejected=sum(isinstance(reason, str) for _, _, reason in found))
        for prompt, recipe, what in found:
            if what is Joined.SHARED:
                self._backlog.hurry(recipe, priority=prompt.priority, overdue=prompt.id in self.claim.overdue)
        if stored := [recipe for _, recipe, what in found if what is Joined.STORED]:
            self.stored_already(stored)
        new = [recipe for _, recipe, what in found if what is Joined.NEW]
        for name in ("model", "model_revision"):
            values = {getattr(recipe, name) for recipe in new} | set(filter(None, [getattr(self._report, name)]))
            setattr(self._report, name, ", ".join(sorted(values)))
        return new

    def _note_focuses(self, pairs: Sequence[tuple[Prompt, Recipe]]) -> None:
        """What the crops of their pictures keep."""
        if self.delivery.rendering is None:
            return
        for prompt, recipe in pairs:
            self._focuses.setdefault(recipe.hash, []).append(prompt.focus)
        focuses = {recipe.hash: focuses_of(self._focuses[recipe.hash]) for _, recipe in pairs}
        rendering = self.delivery.rendering
        self.delivery.rendering = replace(rendering, focuses={**rendering.focuses, **focuses})

    def _draw_or_not(self, recipes: Sequence[Recipe], *, waits: bool = True) -> None:
        """Pictures that the store holds are not drawn; the store is asked, no table is believed.

        Without `waits`, a store that is unreachable is not waited for, and all are drawn: what it holds stays as it is.
        """
        stored = self._stored(recipes, waits=waits)
        existing = [recipe for recipe in recipes if original_key(recipe.hash) in stored]
        missing = [recipe for recipe in recipes if original_key(recipe.hash) not in stored]
        self._count(already_stored=len(existing), to_draw=len(missing))
        if existing:
            self.stored_already(existing)
        for recipe in missing:
            wanted_by = self._in_hand.of(recipe)
            self._backlog.add(
                recipe,
                priority=max(prompt.priority for prompt in wanted_by),
                overdue=any(prompt.id in self.claim.overdue for prompt in wanted_by),
            )

    def _stored(self, recipes: Sequence[Recipe], *, waits: bool) -> Collection[str]:
        """Keys of these that the store holds, as far as it is known."""
        store = self.store if waits else self.store.with_patience(0)
        try:
            return store.heads(original_key(recipe.hash) for recipe in recipes)
        except StoreError as error:
            if waits or not error.transient:
                raise
            self.log.warning("%s pictures are drawn though the store may hold them: %s", len(recipes), error)
            return ()

    def _without_blocked(self, pairs: Sequence[tuple[Prompt, Recipe]]) -> Sequence[tuple[Prompt, Recipe]]:
        """Pictures that were taken down are not drawn: their prompts are rejected."""
        recipes = [recipe for _, recipe in pairs]
        if not self.database.read(partial(blocklist.blocked, hashes=[recipe.hash for recipe in recipes])):
            return pairs
        reasons = self.database.transact("takedown", partial(refuse_blocked, keys=keys_by_hash(recipes)))
        self.log.warning("%s pictures were taken down and are not drawn: their prompts are rejected", len(reasons))
        self.claim.reject({prompt.id: reasons[recipe.hash] for prompt, recipe in pairs if recipe.hash in reasons})
        return [(prompt, recipe) for prompt, recipe in pairs if recipe.hash not in reasons]

    def _discard_blocked(self) -> None:
        """What was taken down while it waited in the spool is not uploaded."""
        with suppress(OSError):  # `_leftovers` says what is wrong with the folder
            if names := self.spool.waiting():
                for name in self.database.read(partial(blocklist.blocked_beginnings, names=names)):
                    self.spool.remove(name)

    def _leftovers(self, recipes: Sequence[Recipe]) -> set[Recipe]:
        """Upload what earlier runs left in the spool; the recipes whose picture did not pass the gate."""
        problems = self.delivery.leftovers(_judged)
        rejected = {recipe: problems[name_of(recipe)] for recipe in recipes if name_of(recipe) in problems}
        for recipe, problem in rejected.items():
            self._reject(recipe, problem)
        for name in problems:
            self.delivery.discard(name)
        return set(rejected)

    # while it is drawn

    def _while_wanted(self) -> Generator[Drawn, None, None]:
        """The pictures of all that is fed, as long as any prompt is left to draw for."""
        feeder = Feeder(
            claim=self.claim,
            backlog=self._backlog,
            in_hand=self._in_hand,
            take_in=self._take_in,
            most=self.most,
            seconds=self.seconds,
            window=self.sdxl.window,
            log=self.log,
            left_out=lambda prompts, recipes: self._count(prompts=-prompts, to_draw=-recipes),
        )
        self._backlog.when_spent = self.all_is_begun
        try:
            with feeder:
                for picture in self.sdxl.generate(self._backlog, on_batch_start=self._count_tries):
                    self._backlog.done(picture.recipe)
                    if picture.pixels is None and picture.cause == "device":
                        feeder.reason = _rest_undrawn(picture)
                    yield picture
        except NothingLeft as reason:
            self.log.warning("%s", reason)

    def _count_tries(self, batch: Sequence[Recipe]) -> None:
        """On the thread that draws, before each batch."""
        try:
            self.delivery.before_drawing(lambda: self.claim.begin_drawing(self._in_hand.ids_of(batch)))
        except NothingLeft:
            if not self._backlog.priorities():
                raise  # else there are prompts that were claimed since: they are drawn after this batch

    def _count(self, **more: int) -> None:
        """For the report."""
        with self._counting:
            for name, number in more.items():
                setattr(self._report, name, getattr(self._report, name) + number)

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
                        broken = _rest_undrawn(picture)
                elif not self._is_refused(picture.recipe, picture.pixels):
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
            raise GladError(broken)

    def _settle_undrawn(self, picture: Drawn) -> None:
        """Raises `GladError` where no picture is the cause: then no try counts."""
        reason = picture.error or "the model drew nothing"
        if picture.cause == "setup":
            raise GladError(f"nothing could be drawn: {reason}")
        if picture.cause == "recipe":  # drawn again it would be the same
            self._reject(picture.recipe, reason)
        else:
            self._refuse(picture.recipe, reason)

    def _is_refused(self, recipe: Recipe, pixels: Pixels) -> bool:
        """Whether a gate refuses this picture: then its prompts are rejected, and its file goes."""
        problem = _judged(pixels)
        if problem:
            self._reject(recipe, problem)
            self.delivery.discard(name_of(recipe))
        return problem is not None

    def _reject(self, recipe: Recipe, reason: str) -> None:
        ids = self._in_hand.refused(recipe, reason)
        self.claim.reject(dict.fromkeys(ids, reason))
        self._count(rejected=len(ids))

    def _refuse(self, recipe: Recipe, reason: str) -> None:
        """The prompts of this recipe have used up a try."""
        ids = self._in_hand.dropped([recipe])
        self.claim.fail(dict.fromkeys(ids, reason))
        self._count(failed=len(ids))


def _rest_undrawn(picture: Drawn) -> str:
    return f"the rest could not be drawn: {picture.error or 'the device failed'}"


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
