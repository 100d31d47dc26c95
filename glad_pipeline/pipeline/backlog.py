"""What a run has in hand and has not begun, and what is drawn next: decided at the moment a batch can begin.

One thread adds and takes back (the feeder), another asks for batches (the engine). Knows neither prompts nor the
database: a recipe here has a priority, and a place in the order in which it came.

The most urgent recipe leads a batch, and recipes of its shape fill it, the urgent ones first. Among equally urgent ones
those for which the right weights are loaded lead, then those whose shape the engine prefers, then those whose shape
fills a batch, then the oldest. So that none waits for ever, one that was passed over by PASSED_OVER batches leads the
next, one for which other weights have to be loaded after SWITCH_AFTER; and of TURNS batches one is led by what is
overdue.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from glad_pipeline.generation.batches import Weights, weights_for
from glad_pipeline.generation.recipe import Recipe, Shape

PASSED_OVER = 8  # batches
SWITCH_AFTER = 32  # batches: loading other weights takes as long as several of them
TURNS = 8


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


@dataclass(frozen=True, slots=True)
class Choice:
    """By what a batch is chosen."""

    loaded: Weights | None  # what the engine has loaded
    turn: int  # how many batches were begun before
    batch_of: Callable[[Recipe], int]
    prefer: Callable[[Recipe], bool]

    def leader(self, waiting: Sequence[Waiting]) -> Waiting | None:
        """Which of them leads the next batch."""
        if not waiting:
            return None
        overdue = [each for each in waiting if each.overdue and self._is_loaded(each)]
        if self.turn % TURNS == TURNS - 1 and overdue:
            return min(overdue, key=lambda each: each.place)
        most = max(each.priority for each in waiting)
        equal = [each for each in waiting if each.priority == most]
        others_overdue = (each for each in waiting if each.overdue and not self._is_loaded(each))
        kept_waiting = [each for each in (*equal, *others_overdue) if each.passed_over >= self._patience(each)]
        if kept_waiting:
            return min(kept_waiting, key=lambda each: each.urgency)
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

    def group(self, leader: Waiting, waiting: Sequence[Waiting]) -> list[Waiting]:
        """Who is drawn together with it: itself, then the most urgent ones of its shape."""
        batch = self.batch_of(leader.recipe)
        mates = (each for each in waiting if each is not leader and each.shape == leader.shape)
        group = [leader]
        for mate in sorted(mates, key=lambda each: each.urgency):
            if len(group) >= batch:
                break
            if self.batch_of(mate.recipe):
                group.append(mate)
        return group

    def _is_loaded(self, each: Waiting) -> bool:
        return self.loaded in (None, each.weights)

    def _patience(self, each: Waiting) -> int:
        return PASSED_OVER if self._is_loaded(each) else SWITCH_AFTER


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
        self._batches = 0
        self._loaded: Weights | None = None
        self._size = 0  # of the last batch
        self._asked_for = False
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

    def priorities(self) -> list[int]:
        """Of all that wait, the highest first."""
        with self._change:
            return sorted((each.priority for each in self._waiting.values()), reverse=True)

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
        return self._batches > 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._over

    @property
    def is_asked(self) -> bool:
        """Whether the engine has nothing to draw."""
        return self._asked_for

    def wait_for(self, needed: Callable[[], bool], seconds: float) -> None:
        """Until `needed`, looked at whenever something changes here; so long at most."""
        with self._change:
            self._change.wait_for(lambda: self._over or needed(), timeout=seconds)

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
            leader = self._choice(lambda recipe: 1, lambda recipe: False).leader(list(self._waiting.values()))
            self._loaded = None if leader is None else leader.weights
            return self._loaded

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
            waiting = list(self._waiting.values())
            choice = self._choice(batch_of, prefer)
            leader = choice.leader(waiting)
            if leader is None:
                return None if self._over else []
            if of not in (None, leader.weights):
                return None
            self._loaded = leader.weights
            begun = self._begin(choice.group(leader, waiting), batch_of(leader.recipe))
        self._tell_if_spent()
        return begun

    def done(self, recipe: Recipe) -> None:
        """It is drawn, or cannot be."""
        with self._change:
            self._under_way.discard(recipe)
            self._change.notify_all()

    def __iter__(self) -> Iterator[Recipe]:
        while group := self.take(lambda recipe: 1):
            yield from group

    def _choice(self, batch_of: Callable[[Recipe], int], prefer: Callable[[Recipe], bool]) -> Choice:
        return Choice(loaded=self._loaded, turn=self._batches, batch_of=batch_of, prefer=prefer)

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
        for each in group:
            del self._waiting[each.recipe]
            self._under_way.add(each.recipe)
        passed_over(self._waiting.values(), group)
        self._most_under_way = max(self._most_under_way, len(self._under_way))
        self._batches += 1
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

    def __iter__(self) -> Iterator[Recipe]:
        while group := self.take(lambda recipe: 1):
            yield from group
