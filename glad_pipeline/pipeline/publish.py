"""Catalogued pictures to posts: post, picture, prompt status and the message to the site commit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from glad_pipeline.database import Connection, Database, DatabaseError
from glad_pipeline.errors import GladError
from glad_pipeline.outbox import messages
from glad_pipeline.pipeline.renditions import Completed, complete_all, forget_gone
from glad_pipeline.pipeline.visit import Visitor
from glad_pipeline.prompts.queue import Claim, require_approval
from glad_pipeline.publishing import blocklist
from glad_pipeline.publishing.posts import Blog, Outcomes
from glad_pipeline.records import DuePrompt, SeenPicture
from glad_pipeline.rendition_plan import NOTHING, Wanted
from glad_pipeline.storage.protocol import ObjectStore

POSTS_PER_TRANSACTION = 100
CURE = "`glad renditions make` makes them later"
COMPLETED = 100  # pictures of one run whose lacking renditions are made before they are published
SECONDS = 60.0  # for that


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishReport(Outcomes):
    """What one run has published, and why it has not published others."""

    gone: list[int] = field(default_factory=list)  # prompts whose picture was gone from the store: they wait again

    def __bool__(self) -> bool:
        """Whether anything was due."""
        return bool(self.published or self.rejected or self.conflicts or self.gone)

    def warnings(self) -> Iterator[str]:
        """A line for each prompt that waits, and for each kind of text that the blog has no place for."""
        yield from (f"prompt {prompt_id} waits for approval: {reason}" for prompt_id, reason in self.conflicts.items())
        yield from sorted({f"published without {told}" for each in self.unplaced.values() for told in each})
        yield from (f"prompt {prompt_id} waits again: its picture was gone from the store" for prompt_id in self.gone)


@dataclass(kw_only=True)
class Publishing:
    """One run's: asked again and again, it visits the first picture once, and tells of everything once."""

    claim: Claim
    database: Database
    store: Callable[[], ObjectStore]  # asked for only where a picture has to be looked at again
    visitor: Visitor  # sees the first picture before any is published
    base: str | None = None  # what precedes the key in public URLs now; None: as the pictures were catalogued
    wanted: Wanted = NOTHING  # renditions that are to be there before their picture is published
    featured: str = "original"  # what posts show
    report: PublishReport = field(default_factory=PublishReport)  # of all that was published
    _visited: bool = False
    _told: set[str] = field(default_factory=set)

    def publish_due(self) -> PublishReport:
        """Publish every picture whose time has come. A post that a person has edited since, or that shows
        a picture of theirs, waits for approval. Returns `report`, with these added.

        Raises `NotPublicError` before the first where visitors would not see it; then nothing is published.
        """
        self._complete()
        while True:
            stale = self.claim.stale(POSTS_PER_TRANSACTION, base=self.base)
            self.report.gone.extend(self._look_again(stale) if stale else [])
            if not self._visited and self.visitor.check != "off":
                # in a transaction of its own: what is due is not kept locked for the length of a visit
                publishable = partial(self.claim.publishable, batch=POSTS_PER_TRANSACTION, base=self.base)
                due = self.database.read(publishable)
                self._visited = self.visitor.visit(due, mended=partial(self._mended, publishable))
            work = partial(publish_some, self.claim, base=self.base, featured=self.featured)
            done = self.database.transact("publish", work) or Outcomes()
            self.report.add(done)
            if max(len(stale), done.settled) < POSTS_PER_TRANSACTION:
                return self.report

    def _complete(self) -> None:
        """Make the renditions that pictures which are due lack: a run was killed before it recorded them, say, or the
        row has another focus since. No post waits for one that cannot be made."""
        if not self.wanted:
            return
        complete_due = partial(complete_all, due=True, most=COMPLETED, seconds=SECONDS)
        done = Completed()
        try:
            for each in complete_due(self.database, self._impatient_store, self.wanted):
                done = each
        except DatabaseError:
            raise
        except GladError as error:  # that of the store, or that there is none: what is due needs none otherwise
            self._warn(f"renditions that are lacking are not made now, and posts go on without them: {error}. {CURE}")
        if done.stopped:
            self._warn(
                f"more pictures lack renditions than one run makes ({COMPLETED}, in {SECONDS:.0f} s), and the others' "
                f"posts go on without them. {CURE}"
            )
        for image, reason in done.problems.items():
            self._warn(f"not all renditions of picture {image} can be made, its post goes on without: {reason}. {CURE}")

    def _warn(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.visitor.warn(text)

    def _mended(
        self, due_now: Callable[[Connection], list[DuePrompt]], due: Sequence[DuePrompt]
    ) -> Sequence[DuePrompt]:
        """What is due, where renditions of it were recorded and gone from the store: made anew, or done without."""
        keys = {each["key"] for prompt in due for each in prompt.image_renditions}
        if not forget_gone(self.database, self.store(), keys):
            return ()
        self._complete()
        return self.database.read(due_now)

    def _impatient_store(self) -> ObjectStore:
        """No post waits for a store that does not answer."""
        return self.store().with_patience(0)

    def _look_again(self, stale: Sequence[SeenPicture]) -> list[int]:
        """Look at pictures once more that were stored a while ago, or were public by another address: those that are
        there get the URL of today, and the prompts of those that are gone wait again."""
        heads = self.store().heads(each.key for each in stale)
        seen = [each.id for each in stale if each.key in heads and heads[each.key].bytes == each.bytes]
        lost = [each.id for each in stale if each.id not in seen]
        looked_again = partial(self.claim.looked_again, seen=seen, gone=lost, base=self.base)
        return self.database.transact("look_again", looked_again)


def publish_some(
    claim: Claim, connection: Connection, *, base: str | None = None, featured: str = "original"
) -> Outcomes | None:
    """Publish up to POSTS_PER_TRANSACTION pictures whose time has come, by URLs with this base; None when there are
    none."""
    blocklist.hold_off_takedowns(connection)
    due = claim.publishable(connection, POSTS_PER_TRANSACTION, base=base)
    if not due:
        return None

    def settle(done: Outcomes) -> None:
        replaced = {each.prompt_id: each.replaced for each in done.published}
        claim.published(connection, {each.prompt_id: each.post_id for each in done.published}, replaced)
        messages.tell_of_posts(connection, {each.post_id for each in done.published if each.post_id is not None})

    outcomes = Blog(connection, featured=featured).publish(connection, due, then=settle)
    claim.reject_locked(connection, due, outcomes.rejected)
    require_approval(connection, outcomes.conflicts)
    return outcomes
