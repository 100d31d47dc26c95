"""What a run has in hand and has not begun, and what is drawn next: decided at the moment a batch can begin.

One thread adds and takes back (the feeder), another asks for batches (the engine). Knows neither prompts nor the
database: a recipe here has a priority, and a place in the order in which it came.

The most urgent recipe leads a batch, and recipes of its shape fill it, the urgent ones first. Among equally urgent ones
those for which the right weights are loaded lead, then those whose shape the engine prefers, then those whose shape
fills a batch, then the oldest. So that none waits for ever, one that was passed over by PASSED_OVER batches leads the
next, one for which other weights have to be loaded after SWITCH_AFTER.

Of TURNS pictures one is overdue, where any is: of TURNS batches one is led by what is overdue, and in the others such
pictures have a share of the places. For what is overdue other weights are loaded once in SWITCH_AFTER batches, for so
many batches as are its share. Weights that were loaded draw at least one batch, unless something comes that is more
urgent than all that was there.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from glad_pipeline.generation.batches import Weights, weights_for
from glad_pipeline.generation.recipe import Recipe, Shape

PASSED_OVER = 8  # batches
SWITCH_AFTER = 32  # batches: loading other weights takes as long as several of them
TURNS = 8
VISIT = SWITCH_AFTER // TURNS  # batches


@dataclass(slots=True)
class Waiting:
    """A recipe in hand that is not begun."""

    recipe: Recipe
    priority: int = 0  # higher first
    place: int = 0  # when it came
    overdue: bool = False
    passed_over: int = 0  # batches begun since in which something newer was drawn
    shape: Shape = field(init=False)
    weights: Weights = field(init=False)

    def __post_init__(self) -> None:
        self.shape, self.weights = self.recipe.shape, weights_for(self.recipe)

    @property
    def urgency(self) -> tuple[int, int]:
        """The smallest is the most urgent."""
        return -self.priority, self.place


@dataclass(slots=True)
class Course:
    """What was drawn so far, as far as it decides what is next."""

    batches: int = 0
    loaded: Weights | None = None  # what the engine has loaded
    is_new: bool = False  # it was loaded just now, and nothing is drawn with it
    most: int = 0  # the highest priority when it was loaded
    visit: int = 0  # batches that are left of it: other weights were loaded for what is overdue
    visited_at: int = -SWITCH_AFTER  # batches, at the last visit
    drawn_at: dict[Weights, int] = field(default_factory=dict)  # batches, when these were drawn with last
    share: int = 0  # of overdue pictures that are due, in TURNS parts

    def load(self, leader: Waiting, waiting: Collection[Waiting]) -> None:
        """These weights are loaded now, for this one."""
        self.most = max(each.priority for each in waiting)
        if leader.weights == self.loaded:
            return
        is_visit = self.loaded is not None and leader.priority < self.most
        self.visit = VISIT if is_visit else 0
        if is_visit:
            self.visited_at = self.batches
        self.loaded = leader.weights

    def begin(self, group: Sequence[Waiting], *, of_overdue: bool) -> None:
        """This batch is begun. `of_overdue`: whether anything overdue was waiting."""
        self.share = self.share + len(group) - TURNS * sum(each.overdue for each in group) if of_overdue else 0
        self.batches += 1
        self.visit = max(0, self.visit - 1)
        self.is_new = False
        self.drawn_at[group[0].weights] = self.batches


@dataclass(frozen=True, slots=True)
class Choice:
    """By what a batch is chosen."""

    course: Course
    batch_of: Callable[[Recipe], int]
    prefer: Callable[[Recipe], bool]

    def leader(self, waiting: Collection[Waiting]) -> Waiting | None:
        """Which of them leads the next batch."""
        if not waiting:
            return None
        most = max(each.priority for each in waiting)
        overdue = [each for each in waiting if each.overdue and self._is_loaded(each)]
        if overdue and (self.course.batches % TURNS == TURNS - 1 or self._is_visit(most)):
            return _oldest(overdue)
        if visited := [each for each in waiting if each.overdue and self._may_be_visited(each)]:
            return _oldest(visited)
        equal = [each for each in waiting if each.priority == most]
        if kept_waiting := [each for each in equal if self._was_kept_waiting(each)]:
            return _oldest(kept_waiting)
        members = Counter(each.shape for each in waiting)
        known: dict[Shape, tuple[bool, bool]] = {}

        def rank(each: Waiting) -> tuple[bool, tuple[bool, bool], int]:
            if not self._is_loaded(each):
                return True, (False, False), each.place
            if each.shape not in known:
                fills = members[each.shape] >= self.batch_of(each.recipe)
                known[each.shape] = not self.prefer(each.recipe), not fills
            return False, known[each.shape], each.place

        return min(equal, key=rank)

    def group(self, leader: Waiting, waiting: Collection[Waiting]) -> list[Waiting]:
        """Who is drawn together with it: itself, the overdue ones that are due, then the most urgent of its shape."""
        batch = self.batch_of(leader.recipe)
        mates = [each for each in waiting if each is not leader and each.shape == leader.shape]
        places = batch if self._is_visit(max(each.priority for each in waiting)) else self._due(batch) - leader.overdue
        late = sorted((each for each in mates if each.overdue), key=lambda each: each.place)[: max(0, places)]
        group = [leader]
        for mate in [*late, *sorted(mates, key=lambda each: each.urgency)]:
            if len(group) >= batch:
                break
            if mate not in group and self.batch_of(mate.recipe):
                group.append(mate)
        return group

    def _due(self, batch: int) -> int:
        """How many places of this batch are for what is overdue."""
        return min(batch, (self.course.share + batch) // TURNS)

    def _is_visit(self, most: int) -> bool:
        return self.course.visit > 0 and most <= self.course.most

    def _is_loaded(self, each: Waiting) -> bool:
        return self.course.loaded in (None, each.weights)

    def _may_be_visited(self, each: Waiting) -> bool:
        since = self.course.batches - self.course.visited_at
        return since >= SWITCH_AFTER and not self._is_loaded(each) and self._was_kept_waiting(each)

    def _was_kept_waiting(self, each: Waiting) -> bool:
        if self._is_loaded(each):
            return each.passed_over >= PASSED_OVER
        drawn_at = self.course.drawn_at.get(each.weights, -SWITCH_AFTER)
        return each.passed_over >= SWITCH_AFTER and self.course.batches - drawn_at >= SWITCH_AFTER


def _oldest(some: Iterable[Waiting]) -> Waiting:
    return min(some, key=lambda each: each.place)


def passed_over(left: Iterable[Waiting], group: Sequence[Waiting]) -> None:
    """Note of what is left that this batch began before it: of one that is led by nothing more urgent."""
    newest = max(each.place for each in group)
    for each in left:
        each.passed_over += each.overdue or (group[0].priority <= each.priority and each.place < newest)


class UrgentFirst:
    """A `Backlog` that is fed while it is drawn from; the most urgent first."""

    def __init__(self) -> None:
        self._waiting: dict[Recipe, Waiting] = {}
        self._under_way: set[Recipe] = set()
        self._most_under_way = 0
        self._came = 0
        self._course = Course()
        self._size = 0  # of the last batch
        self._asked_for = False
        self._looks = 0  # that whoever feeds it has begun
        self._looked = 0  # and ended
        self._look_asked_for = 0
        self._over = False
        self._failure: BaseException | None = None
        self.when_spent: Callable[[], None] = lambda: None  # on any thread: nothing is left, and nothing comes
        self._change = threading.Condition()

    # for who feeds it

    def add(self, recipe: Recipe, *, priority: int = 0, overdue: bool = False) -> None:
        """Have it drawn."""
        with self._change:
            self._came += 1
            self._waiting[recipe] = Waiting(recipe, priority, self._came, overdue)
            self._change.notify_all()

    def hurry(self, recipe: Recipe, *, priority: int, overdue: bool) -> None:
        """If it waits it becomes as urgent as this."""
        with self._change:
            if (known := self._waiting.get(recipe)) is not None:
                known.priority = max(known.priority, priority)
                known.overdue = known.overdue or overdue

    def take_back(self, wanted: Callable[[Waiting], bool]) -> list[Recipe]:
        """Those of these that are not begun; from now on they will not be."""
        with self._change:
            back = [each.recipe for each in self._waiting.values() if wanted(each)]
            for recipe in back:
                del self._waiting[recipe]
            return back

    def least_urgent(self, count: int) -> list[Recipe]:
        """So many of those that wait, the least urgent first; what is overdue last."""
        with self._change:
            ranked = sorted(self._waiting.values(), key=lambda each: (each.overdue, each.priority, -each.place))
            return [each.recipe for each in ranked[:count]]

    def priorities(self, *, of_overdue: bool = True) -> list[int]:
        """Of all that wait, the highest first. Without `of_overdue`: of what is drawn for its priority alone."""
        with self._change:
            of = [each.priority for each in self._waiting.values() if of_overdue or not each.overdue]
        return sorted(of, reverse=True)

    def fills_a_batch(self) -> bool:
        """Whether there is a whole batch of one shape, as large as the last one was."""
        with self._change:
            of_shape = Counter(each.shape for each in self._waiting.values())
            return max(of_shape.values(), default=0) >= self._size

    @property
    def most_under_way(self) -> int:
        """How many recipes were being drawn at once, at most."""
        return self._most_under_way

    @property
    def has_begun(self) -> bool:
        """Whether a batch was begun."""
        return self._course.batches > 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._over

    @property
    def is_asked(self) -> bool:
        """Whether the engine has nothing to draw."""
        return self._asked_for

    def wait_for(self, needed: Callable[[], bool], seconds: float) -> None:
        """Until `needed`, or until a look is asked for; so long at most."""
        with self._change:
            self._change.wait_for(lambda: self._over or self._look_asked_for > self._looks or needed(), timeout=seconds)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While it is looked what has come, and that is added."""
        with self._change:
            self._looks += 1
        yield
        with self._change:
            self._looked = self._looks
            self._change.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """Nothing more comes: what waits is drawn, and then it is over. With a failure, whoever asks gets that."""
        with self._change:
            self._over = True
            self._failure = self._failure or failure
            self._change.notify_all()
        self._tell_if_spent()

    def _tell_if_spent(self) -> None:
        if self._over and not self._waiting:
            self.when_spent()

    # for who draws

    def leading(self) -> Weights | None:
        """What has to be loaded for the next batch; waits for one. None: it is over."""
        with self._change:
            self._until_there_is_some()
            waiting = self._waiting.values()
            leader = self._choice(lambda recipe: 1, lambda recipe: False).leader(waiting)
            if leader is None:
                return None
            self._course.load(leader, waiting)
            self._course.is_new = True
            return leader.weights

    def waiting(self, weights: Weights) -> list[Recipe]:
        """What is in hand of these weights; more may come."""
        with self._change:
            return [each.recipe for each in self._waiting.values() if each.weights == weights]

    def take(
        self,
        batch_of: Callable[[Recipe], int],
        *,
        prefer: Callable[[Recipe], bool] = lambda recipe: False,
        wait: bool = True,
        of: Weights | None = None,
    ) -> list[Recipe] | None:
        """See `Backlog.take`. `of`: as if it were over when something else has to be loaded for what is next."""
        with self._change:
            if wait:
                self._until_there_is_some()
            else:
                self._ask(not self._waiting and not self._under_way)
            self._raise_failure()
            waiting = self._waiting.values()
            choice = self._choice(batch_of, prefer)
            leader = choice.leader(self._just_loaded_for(of) or waiting)
            if leader is None:
                return None if self._over else []
            if of not in (None, leader.weights):
                return None
            self._course.load(leader, waiting)
            begun = self._begin(choice.group(leader, waiting), batch_of(leader.recipe))
        self._tell_if_spent()
        return begun

    def refresh(self, seconds: float) -> None:
        """See `Backlog.refresh`: whoever feeds it looks once more."""
        with self._change:
            self._look_asked_for = look = self._looks + 1
            self._change.notify_all()
            self._change.wait_for(lambda: self._over or self._looked >= look, timeout=seconds)

    def done(self, recipe: Recipe) -> None:
        """It is drawn, or cannot be."""
        with self._change:
            self._under_way.discard(recipe)
            self._change.notify_all()

    def __iter__(self) -> Iterator[Recipe]:
        while group := self.take(lambda recipe: 1):
            yield from group

    def _choice(self, batch_of: Callable[[Recipe], int], prefer: Callable[[Recipe], bool]) -> Choice:
        return Choice(self._course, batch_of=batch_of, prefer=prefer)

    def _just_loaded_for(self, weights: Weights | None) -> list[Waiting]:
        """What was to be drawn when these weights were loaded, if nothing is drawn with them yet."""
        if not self._course.is_new:
            return []
        if any(each.priority > self._course.most and each.weights != weights for each in self._waiting.values()):
            return []
        return [each for each in self._waiting.values() if each.weights == weights]

    def _until_there_is_some(self) -> None:
        self._raise_failure()
        self._ask(not self._waiting)
        self._change.wait_for(lambda: self._waiting or self._over)
        self._asked_for = False
        self._raise_failure()

    def _ask(self, for_more: bool) -> None:
        self._asked_for = for_more
        if for_more:
            self._change.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _begin(self, group: list[Waiting], size: int) -> list[Recipe]:
        of_overdue = any(each.overdue for each in self._waiting.values())
        for each in group:
            del self._waiting[each.recipe]
            self._under_way.add(each.recipe)
        passed_over(self._waiting.values(), group)
        self._most_under_way = max(self._most_under_way, len(self._under_way))
        self._course.begin(group, of_overdue=of_overdue)
        self._size = size
        self._change.notify_all()
        return [each.recipe for each in group]


class OfWeights:
    """Of a backlog what can be drawn with these weights, until something else is next."""

    def __init__(self, backlog: UrgentFirst, weights: Weights) -> None:
        self._backlog = backlog
        self._weights = weights

    def take(
        self,
        batch_of: Callable[[Recipe], int],
        *,
        prefer: Callable[[Recipe], bool] = lambda recipe: False,
        wait: bool = True,
    ) -> list[Recipe] | None:
        return self._backlog.take(batch_of, prefer=prefer, wait=wait, of=self._weights)

    def refresh(self, seconds: float) -> None:
        self._backlog.refresh(seconds)

    def __iter__(self) -> Iterator[Recipe]:
        while group := self.take(lambda recipe: 1):
            yield from group
