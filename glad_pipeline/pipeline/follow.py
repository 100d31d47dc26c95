"""Pictures become posts while the run goes on drawing: what is uploaded is catalogued and published in groups.

The same work as that of the assets `s3_objects` and `published_posts`, in the same transactions, only earlier: they do
the rest, and report on all of it. Threads of its own, so that neither drawing nor uploading waits. Knows no Dagster.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.blame import reason_of
from glad_pipeline.database import DatabaseError
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.catalogue import Cataloguing, PromptWithObject, look_up
from glad_pipeline.pipeline.publish import Publishing
from glad_pipeline.pipeline.upload import Uploaded
from glad_pipeline.pipeline.visit import NotPublicError
from glad_pipeline.records import Prompt
from glad_pipeline.rendition_plan import NOTHING, Wanted
from glad_pipeline.storage.protocol import ObjectStore

GROUP = 0.5  # seconds from one group to the next: a transaction for each picture would cost more than drawing fast ones
DELIVERY = 2.0  # seconds from one delivery to the next
AT_THE_END = 30.0  # seconds for which a delivery under way is waited for; what it has in hand is delivered later
INTERRUPTED = 10.0  # seconds for which a group under way is waited for when a person ends the run


@dataclass(kw_only=True)
class Follower:
    """One run's; a context manager that ends when all that was handed over is done, or with its own failure."""

    prompts_of: Callable[[Recipe], Sequence[Prompt]]  # of this run
    store: ObjectStore
    put_by_us: Collection[str]  # keys whose bytes the store has checked as this run put them; grows
    cataloguing: Cataloguing
    publishing: Publishing
    # these pictures (keys) are catalogued, a sample of them is given too: hold back what must not become posts
    inspect: Callable[[Collection[str], Collection[str]], None]
    courier: Courier | None  # None: others deliver
    log: logging.Logger
    wanted: Wanted = NOTHING  # renditions that pictures which are stored already are to have
    failure: BaseException | None = None
    _waiting: dict[Recipe, Uploaded | None] = field(default_factory=dict)
    _not_public: bool = False
    _over: bool = False

    def __post_init__(self) -> None:
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="glad-follow", daemon=True)

    # on any thread

    def uploaded(self, recipe: Recipe, done: Uploaded | None) -> None:
        """This picture is in the store now; None: not by us, so that it is looked at."""
        self._hand_over({recipe: done})

    def stored_already(self, recipes: Iterable[Recipe]) -> None:
        """Their pictures were in the store before."""
        self._hand_over(dict.fromkeys(recipes))

    def raise_failure(self) -> None:
        """What has ended the following ends the run."""
        if self.failure is not None:
            raise self.failure

    def _hand_over(self, pictures: Mapping[Recipe, Uploaded | None]) -> None:
        with self._change:
            self._waiting |= pictures
            self._change.notify_all()

    # on a thread of its own

    def _work(self) -> None:
        try:
            while some := self._next_group():
                began = time.monotonic()
                self._follow(some)
                with self._change:
                    self._change.wait_for(lambda: self._over, timeout=began + GROUP - time.monotonic())
        except BaseException as error:  # noqa: BLE001  the run gets it
            self.failure = error

    def _next_group(self) -> dict[Recipe, Uploaded | None]:
        """All that is handed over by now; empty: it is over."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._over)
            some, self._waiting = self._waiting, {}
            return some

    def _follow(self, some: Mapping[Recipe, Uploaded | None]) -> None:
        before = len(self.cataloguing.report.whole)
        looked_at, believed = self._look(some)
        done = self.cataloguing.record([*looked_at, *believed])
        catalogued = {each.key for each in done.whole[before:]}
        sample = {each.object.key for each in [*looked_at, *believed[:1]] if each.object is not None}
        self.inspect(catalogued, sample & catalogued)
        self._publish()

    def _look(
        self, some: Mapping[Recipe, Uploaded | None]
    ) -> tuple[Sequence[PromptWithObject], Sequence[PromptWithObject]]:
        """What the store holds for their prompts, as was looked and as is believed: what this run has put moments ago
        is believed to be there, on the strength of one of them. Should that be gone or another, the store does not keep
        what it takes, and all are looked at."""
        wanted = {recipe: prompts for recipe in some if (prompts := self.prompts_of(recipe))}  # each is told once
        fresh = {recipe: done for recipe in wanted if (done := some[recipe]) is not None and done.is_fresh}
        sample = next(iter(fresh), None)
        looked_at = self._looked_up(
            {r: prompts for r, prompts in wanted.items() if r == sample or r not in fresh}, some
        )
        rest = {recipe: wanted[recipe] for recipe in fresh if recipe != sample}
        if any(not _is_there(each, fresh[each.recipe]) for each in looked_at if each.recipe == sample):
            return [*looked_at, *self._looked_up(rest, some)], []
        return looked_at, [_believed(prompt, fresh[recipe]) for recipe, prompts in rest.items() for prompt in prompts]

    def _looked_up(
        self, wanted: Mapping[Recipe, Sequence[Prompt]], some: Mapping[Recipe, Uploaded | None]
    ) -> list[PromptWithObject]:
        pairs = [(prompt, recipe) for recipe, prompts in wanted.items() for prompt in prompts]
        made = {done.key: done.renditions for recipe in wanted if (done := some[recipe]) is not None}
        return look_up(pairs, self.store, put_by_us=self.put_by_us, made_by_us=made, wanted=self.wanted)

    def _publish(self) -> None:
        """Whatever is due. Where visitors would not see it, drawing goes on: the pictures are kept, and the step that
        publishes the rest looks once more and says so."""
        if self._not_public:
            return
        before = len(self.publishing.report.published)
        try:
            self.publishing.publish_due()
        except NotPublicError as error:
            self._not_public = True
            self.log.warning("nothing is published while the rest is drawn: %s", error)
        if self.courier is not None and len(self.publishing.report.published) > before:
            self.courier.wake()

    def __enter__(self) -> Follower:
        self._thread.start()
        if self.courier is not None:
            self.courier.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        interrupted = not isinstance(error, (Exception, type(None)))
        with self._change:
            self._over = True
            if interrupted or isinstance(error, DatabaseError):
                self._waiting.clear()  # it is in the store: the next run finds it there
            self._change.notify_all()
        self._thread.join(timeout=INTERRUPTED if interrupted else None)
        if self.courier is not None:
            self.courier.end(within=0.0 if interrupted else AT_THE_END)
        if error is None:
            self.raise_failure()


def _is_there(found: PromptWithObject, put: Uploaded) -> bool:
    sha256 = put.object.metadata["sha256"]
    return found.object is not None and found.object.bytes == put.bytes and found.object.metadata["sha256"] == sha256


def _believed(prompt: Prompt, done: Uploaded) -> PromptWithObject:
    return PromptWithObject(
        prompt=prompt,
        recipe=done.recipe,
        object=done.object,
        provenance=done.provenance,
        renditions=done.renditions,
        put=True,
    )


class Courier:
    """Tells who has to know of posts while a run goes on, on a thread of its own: a slow site delays no post.

    `deliver`: one delivery of what is due. What fails is left to the step that delivers the rest.
    """

    def __init__(self, deliver: Callable[[], object], log: logging.Logger) -> None:
        self._deliver = deliver
        self._log = log
        self._change = threading.Condition()
        self._due = False
        self._over = False
        self._thread = threading.Thread(target=self._work, name="glad-courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something to deliver."""
        with self._change:
            self._due = True
            self._change.notify_all()

    def end(self, *, within: float) -> None:
        """Begin no other delivery, and wait so long for the one under way."""
        with self._change:
            self._over = True
            self._change.notify_all()
        self._thread.join(timeout=within)

    def _work(self) -> None:
        while self._is_due():
            try:
                self._deliver()
            except Exception as error:  # noqa: BLE001  posts stand, whoever is told of them when
                self._log.warning("messages are delivered later: %s", reason_of(error))
            with self._change:
                self._change.wait_for(lambda: self._over, timeout=DELIVERY)

    def _is_due(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._due or self._over)
            self._due = False
            return not self._over
