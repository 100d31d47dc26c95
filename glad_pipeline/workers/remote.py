"""Drawing with all workers of a cluster: the same `generate` as an engine's, in order of readiness.

Which worker gets which batch, and when, is decided in `turns`. A lost worker's batches go to others: the one that it
was drawing split into single pictures, so that one that kills whoever draws it is found out and answered as failed.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.generation.batches import Backlog, Recipes, backlog_of, next_batch
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers import liveness, members, turns
from glad_pipeline.workers.batch_sizes import BatchSizes
from glad_pipeline.workers.cluster import has_node, import_ray
from glad_pipeline.workers.jobs import Job
from glad_pipeline.workers.members import Member
from glad_pipeline.workers.pool import LOOK, Pool, reason_of
from glad_pipeline.workers.worker import Done, Loaded

POLL = 0.05  # seconds between looks for more to draw, where nothing is there right now
LAST_LOOK = 0.25  # seconds for which what came a moment before a batch is chosen may hold it up
FAILURES = 3  # of a worker's device in a row, or to come up, after which a run asks it no more
LOST_IN_A_ROW = 8  # times that a worker is lost while it draws, after which a run asks it no more
REFUSED_PATIENCE = 60.0  # seconds for which others are waited for once a worker has said why it cannot draw


class RemoteEngine:
    """An `Engine` whose drawing is done by the workers of a pool, with the model that `profile` names.

    Args:
        wanted: what is to be drawn, as far as that is known when it is asked: no more workers than that needs are
            asked for, the fittest first. None: all.
        pulse: called about once a second while we wait; what it raises ends the waiting.

    `load_seconds` and `warm_seconds` are the slowest worker's; 0 where all was warm.
    """

    def __init__(
        self,
        profile: ModelProfile,
        pool: Pool,
        *,
        wanted: Callable[[], Sequence[Recipe]] | None = None,
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        self.profile = profile
        self.load_seconds: float | None = None
        self.warm_seconds = 0.0
        self._pool = pool
        self._wanted = wanted
        self._pulse = pulse
        self._pulse_at = 0.0
        self._sample: Recipe | None = None  # to warm up with
        self._members: list[Member] = []  # that work for us
        self._sizes = BatchSizes(profile, pool.options)
        self._loading: dict[Any, Member] = {}  # by reference
        self._drawing: dict[Any, tuple[Member, Job]] = {}
        self._again: deque[Job] = deque()
        self._warm: dict[str, float] = {}  # seconds by member

    def load(self) -> None:
        """Wait until a first worker can draw.

        Raises `UnavailableError` where there is no cluster or no worker comes up in time, `GladError` where none can
        load the model.
        """
        if self.load_seconds is not None:
            return
        self._begin()
        self._wait_for_one()

    def warm_up(self, recipe: Recipe) -> list[Member]:
        """Have every worker load the model and draw a batch like `recipe` for nothing, for all that is done once.

        Raises `GladError` where one of them cannot, was started with other settings, or does not come up in time.
        """
        self._sample = recipe
        self._begin()
        until = time.monotonic() + self._pool.options.worker_start_seconds
        while late := [member for member in self._members if not member.ready]:
            if refusal := next((member.refused for member in late if member.refused), None):
                raise GladError(refusal)
            if time.monotonic() > until:
                raise UnavailableError(f"{late[0].name}: {self._pool.why_none()}")
            self._look()
        return self._members

    def close(self) -> None:
        """Let go of the workers; the model stays loaded in them."""
        if self._members:  # else none was reached, and Ray itself may be missing, which would hide why
            self._let_go()
        self._drawing.clear()
        self._loading.clear()
        self._again.clear()
        for member in self._members:
            member.jobs.clear()

    def _let_go(self) -> None:
        with liveness.unless_unreachable():
            for member in self._members:
                if member.jobs:
                    member.handle.forget.remote([job.name for job in member.jobs])
                if not member.ready and not member.refused:
                    self._pool.withdraw(member)
            for reference in self._drawing:
                self._ray.cancel(reference)  # what waits at a worker is not drawn; what is being drawn is

    def generate(
        self, recipes: Recipes, *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        """As `Engine.generate`. `on_batch_start` is also called, with no recipes, while nothing is ready and before a
        batch that was begun already is sent again. Raises `GladError` also when all workers are lost for good."""
        self._pulse = lambda: on_batch_start(())
        self._known = self._wanted or (lambda: recipes if isinstance(recipes, Sequence) else ())
        self.load()
        backlog = backlog_of(recipes)
        patience: float | None = 0.0  # None: nothing more comes
        try:
            while True:
                for job in [job for job in self._again if job.is_given_up]:
                    self._again.remove(job)
                    yield from job.undrawn()
                if self._again or patience is not None:
                    patience = yield from self._hand_out(backlog, on_batch_start, over=patience is None)
                if patience is None and not self._again and not self._drawing:
                    return
                if not any(member.ready for member in self._members) and not self._drawing:
                    self._wait_for_one()
                    continue
                done = self._look(LOOK if patience is None else patience)
                for reference in done:
                    yield from self._drawn(reference)
                if time.monotonic() >= self._pulse_at:
                    self._pulse_at = time.monotonic() + LOOK
                    if patience is not None:
                        self._grow()
                    if not done:
                        self._pulse()
        finally:
            self.close()

    def _hand_out(
        self, backlog: Backlog, on_batch_start: Callable[[Sequence[Recipe]], None], *, over: bool
    ) -> Generator[Drawn, None, float | None]:
        """Send batches to the workers whose turn it is; yields what nobody can draw. `over`: only those sent before.

        Returns the seconds until somebody's turn comes; None: the backlog is over.
        """
        if not over and not self._again and turns.is_worth_a_look(turns.free(self._members)):
            backlog.refresh(LAST_LOOK)
        while free := turns.free(self._members):
            if self._again:
                job = self._again.popleft()
            elif over:
                return None
            else:
                small, fits = self._pool.options.gpu_small_batch, partial(turns.fits, free)
                self._sizes.ask(self._known, self._members)
                batch = next_batch(backlog, self.profile, self._sizes.of, small, prefer=fits, wait=not self._drawing)
                if batch is None:
                    return None
                if not batch.recipes:
                    turns.nothing_was_there(self._members)
                    return POLL
                if batch.problem:
                    yield Drawn(recipe=batch.recipes[0], error=batch.problem, cause="recipe", provenance={})
                    continue
                job = Job(batch.recipes)
            on_batch_start(job.recipes if job.is_new else ())
            job.is_new = False
            self._send(turns.fittest(free, job.recipes[0]), job)
        return None if over else turns.seconds_until_one_is_due(self._members, most=LOOK)

    @cached_property
    def _ray(self) -> Any:
        return import_ray()

    # workers

    def _begin(self) -> None:
        self._members = self._pool.open(self.profile, self._wanted and self._wanted())
        self.load_seconds = 0.0
        for member in self._members:
            member.refused, member.failures, member.lost, member.broken = None, 0, 0, 0
            member.heard = time.monotonic()
            self._ask(member)

    def _grow(self) -> None:
        """More workers, where more has come than these were asked for."""
        if self._wanted is not None:
            under_way = [recipe for _, job in self._drawing.values() for recipe in job.recipes]
            had = [member.name for member in self._members]
            with suppress(UnavailableError):  # `_look_after` sees to that
                for member in self._pool.open(self.profile, [*self._wanted(), *under_way], besides=had):
                    self._members.append(member)
                    self._ask(member)

    def _ask(self, member: Member) -> None:
        """Have it load the model; its answer says that it is ready."""
        member.ready = False
        member.ask_at = math.inf
        if member.died:
            self._pool.revive(member)
        self._loading[member.handle.load.remote(self.profile, self._sample)] = member

    def _wait_for_one(self) -> None:
        """Until a worker is ready. Raises `GladError` if none will be."""
        until = time.monotonic() + self._pool.options.worker_start_seconds
        while not any(member.ready for member in self._members):
            refused = [member.refused for member in self._members if member.refused]
            if refused:
                until = min(until, time.monotonic() + REFUSED_PATIENCE)
            late = time.monotonic() > until
            if refused and (late or len(refused) == len(self._members)):
                raise GladError(f"no worker can draw: {refused[0]}")
            if late:
                raise UnavailableError(self._pool.why_none())
            self._look()
            self._pulse()

    def _look(self, patience: float = LOOK) -> list[Any]:
        """Wait for answers, so many seconds: those about loading are dealt with, those about drawing returned."""
        everything = [*self._drawing, *self._loading]
        done: list[Any] = []
        try:
            if everything:
                done, _ = self._ray.wait(everything, num_returns=1, timeout=patience)
                if done:  # whatever else is there already
                    done, _ = self._ray.wait(everything, num_returns=len(everything), timeout=0)
            else:
                time.sleep(patience)
        except ConnectionError:  # of ray://
            self._start_over()
            return []
        for reference in [reference for reference in done if reference in self._loading]:
            self._loaded(reference)
        self._look_after()
        return [reference for reference in done if reference in self._drawing]

    def _loaded(self, reference: Any) -> None:
        member = self._loading.pop(reference)
        try:
            loaded: Loaded = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            self._refuse(member, reason_of(error))
        except liveness.unreachable() as error:
            self._lost(member, error)
        else:
            if problem := self._pool.problem_of(loaded, keeps=self._sample is not None):
                self._refuse(member, f"{problem}: ./glad workers down, then ./glad workers up")
                return
            member.ready = True
            member.failures = 0
            member.shapes, member.node = dict(loaded.shapes), loaded.node
            member.heard = time.monotonic()
            self.load_seconds = max(self.load_seconds or 0.0, loaded.load_seconds)

    def _refuse(self, member: Member, reason: str) -> None:
        """It is not asked any more."""
        member.ready, member.ask_at = False, math.inf
        member.refused = f"{member.name}: {reason}"
        self._pool.log.warning("a worker cannot draw with %s. %s", self.profile.name, member.refused)

    def _look_after(self) -> None:
        """See that those that are silent live, and ask those anew that were lost."""
        working = [member for member in self._members if not member.refused]
        now = time.monotonic()
        lost = [member for member in working if now >= member.ask_at]
        nobody = not any(member.ready for member in working)
        if (lost or nobody) and not self._pool.knows_us():  # Ray would wait for it, and end this process after a while
            if nobody:
                self._start_over()
            return
        with liveness.unless_unreachable():  # seen above, the next time
            for member in lost:
                self._ask(member)
            for member in working:
                if (not member.ready or member.jobs) and (ailment := member.ailment()) and self._pool.knows_us():
                    self._pool.log.warning("%s %s and is replaced", member.name, ailment)
                    member.asked, member.heard = None, now
                    self._pool.replace(member)

    def _lost(self, member: Member, error: BaseException) -> None:
        """The worker is gone, or is being started anew: what it had is for others."""
        reason = reason_of(error)
        with liveness.unless_unreachable():
            for reference in [reference for reference, (whose, _) in self._drawing.items() if whose is member]:
                self._ray.cancel(reference)  # it may live, and only be out of reach
        self._forget(member)
        guilty: set[str] = set()
        if self._pool.cluster.answers():
            with liveness.unless_unreachable():
                guilty = {job.name for job in member.jobs if liveness.noted(liveness.DRAWING, job.name)}
                liveness.erase(
                    liveness.HERE, member.name
                )  # the one that is started in its place will note that it is there
                if guilty and not has_node(member.node):
                    guilty = set()  # pictures end processes, not machines
        if member.jobs:
            self._pool.log.warning(
                "%s was lost with %s batches, others draw them: %s", member.name, len(member.jobs), reason
            )
            member.lost += bool(guilty)
            self._give_back(member, guilty)
        if not member.ready and "ray.kill" not in str(error):  # by that another run, or a person, has ended it
            member.failures += 1
        self._ask_later(member)
        member.died = isinstance(error, self._ray.exceptions.ActorDiedError)
        if member.failures >= FAILURES:
            self._refuse(member, f"it ended {member.failures} times before it could draw: {reason}")
        if member.lost >= LOST_IN_A_ROW:
            self._refuse(member, f"it ended {member.lost} times in a row while it drew: {reason}")

    def _ask_later(self, member: Member) -> None:
        member.ready = False
        member.heard = time.monotonic()
        member.ask_at = member.heard + LOOK / 2

    def _forget(self, member: Member) -> None:
        """Its answers, should they still come, are nobody's."""
        self._drawing = {reference: at for reference, at in self._drawing.items() if at[0] is not member}
        self._loading = {reference: whose for reference, whose in self._loading.items() if whose is not member}
        member.asked = None

    def _give_back(self, member: Member, guilty: set[str]) -> None:
        """Its batches are for others; the pictures of the one that it was lost over are drawn each on its own."""
        again = [one for job in member.jobs for one in job.after_a_loss(over_it=job.name in guilty)]
        self._again.extendleft(reversed(again))
        member.jobs.clear()

    def _start_over(self) -> None:
        """The whole cluster is gone, not because of a picture. Wait for it, and draw there what is not drawn."""
        self._pool.log.warning("the Ray cluster does not answer; it is waited for")
        for member in self._members:
            self._again.extend(member.jobs)
        self._drawing.clear()
        self._loading.clear()
        self._members = []  # none of them is any more, should the waiting be in vain
        self._members = self._pool.reopen(self.profile, self._wanted and self._wanted())
        for member in self._members:
            self._ask(member)

    # batches

    def _send(self, member: Member, job: Job) -> None:
        job.name, job.lead = uuid4().hex, None if member.starved else turns.lead(member)
        member.sent(job)
        member.handle.expect.remote(job.name)
        self._drawing[member.handle.draw.remote(self.profile, job.recipes, job.name)] = member, job

    def _drawn(self, reference: Any) -> Iterator[Drawn]:
        """The pictures of a batch that is done; of one that was lost none."""
        if reference not in self._drawing:  # its worker was lost meanwhile
            return
        member, job = self._drawing[reference]
        try:
            done: Done = self._ray.get(reference, timeout=members.SILENCE)
        except self._ray.exceptions.RayTaskError as error:
            raise GladError(f"{member.name} cannot draw: {reason_of(error)}") from error
        except liveness.unreachable() as error:
            self._lost(member, error)
            return
        del self._drawing[reference]
        member.has_drawn(job, done)
        self._warm[member.name] = self._warm.get(member.name, 0.0) + done.warm
        self.warm_seconds = max(self._warm.values())
        broken = next((picture.error for picture in done.pictures if picture.cause == "device" and picture.error), None)
        answered = [picture for picture in done.pictures if picture.pixels is not None or picture.cause != "device"]
        if broken is None:
            member.broken = member.lost = 0
        else:
            settled = {picture.recipe for picture in answered}
            job.recipes = [recipe for recipe in job.recipes if recipe not in settled]
            self._device_failed(member, job, broken)
        yield from answered

    def _device_failed(self, member: Member, job: Job, error: str) -> None:
        """Its GPU failed over this job. A new process may have it again; others draw meanwhile what it did not."""
        member.jobs.appendleft(job)
        self._give_back(member, {job.name})
        self._forget(member)
        self._ask_later(member)
        member.broken += 1
        if member.broken >= FAILURES:
            self._refuse(member, f"its device failed {member.broken} times in a row: {error}")
        else:
            self._pool.log.warning("%s is replaced: %s", member.name, error)
        with liveness.unless_unreachable():
            self._pool.replace(member)
