"""What is drawn next: the order of a backlog that is fed while it is drawn from, and of a plain list of recipes."""

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glad_pipeline.errors import GladError
from glad_pipeline.generation.batches import ListBacklog, backlog_of
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.limits import PRIORITY
from glad_pipeline.pipeline.backlog import PASSED_OVER, SWITCH_AFTER, TURNS, VISIT, OfWeights, UrgentFirst

BATCH = 4
BASE = Recipe(
    prompt="a fox",
    seed=0,
    width=64,
    height=64,
    num_inference_steps=2,
    guidance_scale=3.0,
    scheduler="euler",
    model="demo",
    model_revision="sha256:00",
)


def recipe(seed, *, width=64, model="demo"):
    return replace(BASE, seed=seed, width=width, model=model)


def batch_of(_):
    return BATCH


def backlog(*recipes, **urgency):
    made = UrgentFirst()
    for each in recipes:
        made.add(each, **urgency)
    return made


def seeds(group):
    return [each.seed for each in group]


def drawn(of, **how):
    """All of a backlog, batch by batch."""
    of.end()
    groups = []
    while group := of.take(batch_of, **how):
        groups.append(group)
    assert of.take(batch_of) is None
    return groups


def test_the_most_urgent_leads_and_its_shape_fills_the_batch():
    waiting = backlog(*map(recipe, range(6)))
    waiting.add(recipe(10), priority=5)
    waiting.add(recipe(11, width=128), priority=3)
    waiting.add(recipe(12), priority=2)
    assert [seeds(group) for group in drawn(waiting)] == [[10, 12, 0, 1], [11], [2, 3, 4, 5]]


def test_what_comes_while_a_batch_is_drawn_is_in_the_next():
    waiting = backlog(*map(recipe, range(20)))
    waiting.take(batch_of)
    waiting.add(recipe(99), priority=1)
    assert seeds(waiting.take(batch_of)) == [99, 4, 5, 6]


def test_priorities_at_both_ends_are_in_order():
    waiting = UrgentFirst()
    for seed, priority in enumerate([0, PRIORITY.low, PRIORITY.high, -1, 1]):
        waiting.add(recipe(seed, width=64 * (seed + 1)), priority=priority)
    assert [seeds(group) for group in drawn(waiting)] == [[2], [4], [0], [3], [1]]


def test_of_equally_urgent_shapes_the_one_that_fills_a_batch_is_drawn_first_and_the_preferred_before_it():
    waiting = backlog(recipe(0, width=128), *map(recipe, range(1, 5)))
    assert [seeds(group) for group in drawn(waiting)] == [[1, 2, 3, 4], [0]]
    waiting = backlog(recipe(0, width=128), *map(recipe, range(1, 5)))
    assert [seeds(g) for g in drawn(waiting, prefer=lambda each: each.width == 128)] == [[0], [1, 2, 3, 4]]


def test_a_rare_shape_is_passed_over_by_so_many_batches_and_no_more():
    waiting = backlog(recipe(0, width=128))
    for batch in range(PASSED_OVER + 1):
        for seed in range(BATCH):
            waiting.add(recipe(1 + batch * BATCH + seed))
        group = waiting.take(batch_of)
        assert (seeds(group) == [0]) == (batch == PASSED_OVER)


def test_other_weights_are_loaded_for_what_is_more_urgent_at_once_and_else_only_after_many_batches():
    waiting = backlog(recipe(0, model="other"))
    switched = []
    for batch in range(SWITCH_AFTER + 2):
        for seed in range(BATCH):
            waiting.add(recipe(1 + batch * BATCH + seed))
        if batch == 0:
            waiting.add(recipe(10_000), priority=1)  # so that the usual model is loaded first
        switched.append(waiting.take(batch_of)[0].model == "other")
    assert switched == [False] * (1 + SWITCH_AFTER) + [True]
    waiting = backlog(*map(recipe, range(20)))
    waiting.take(batch_of)
    waiting.add(recipe(99, model="other"), priority=1)
    assert seeds(waiting.take(batch_of)) == [99]


def test_two_models_in_turns_are_drawn_one_after_the_other():
    waiting = backlog(*(recipe(seed, model=("demo", "other")[seed % 2]) for seed in range(64)))
    models = [group[0].model for group in drawn(waiting)]
    assert models == ["demo"] * 8 + ["other"] * 8


def test_one_batch_in_so_many_is_led_by_what_is_overdue():
    waiting = backlog(*(recipe(seed) for seed in range(100)), priority=9)
    for seed in (200, 201, 202):
        waiting.add(recipe(seed, width=128), priority=-5, overdue=True)
    overdue = [place for place, group in enumerate(drawn(waiting)) if group[0].seed >= 200]
    assert overdue == [TURNS - 1]  # together, since they share their shape
    assert seeds(backlog(recipe(0), recipe(1)).take(batch_of)) == [0, 1]


def test_overdue_prompts_of_another_model_are_not_for_ever_less_urgent():
    waiting = backlog(recipe(0, model="other"), priority=-5, overdue=True)
    models = []
    for batch in range(SWITCH_AFTER + 2):
        for seed in range(BATCH):
            waiting.add(recipe(1 + batch * BATCH + seed), priority=9)
        models.append(waiting.take(batch_of)[0].model)
    assert models.count("other") == 1


def drawn_by_an_engine(waiting, batches, batch_size, feed):
    """Which weights were loaded, after how many batches, and all the groups: as `Sdxl.generate` asks."""
    loads, groups = [], []
    while len(groups) < batches and len(loads) < batches:
        weights = waiting.leading()
        loads.append((len(groups), weights[0][0]))
        ours = OfWeights(waiting, weights)
        while len(groups) < batches:
            feed(waiting, len(groups))
            group = ours.take(lambda _: batch_size)
            if group is None:
                break
            groups.append(group)
            for each in group:
                waiting.done(each)
    return loads, groups


def window_of(priority, *, model="demo", window=64, first=1_000):
    seeds = iter(range(first, 1_000_000))

    def fill(waiting):
        for _ in range(window - len(waiting.priorities())):
            waiting.add(recipe(next(seeds), model=model), priority=priority)

    return fill


@pytest.mark.parametrize("shapes", [1, 8])
def test_two_models_with_overdue_prompts_do_not_load_in_turn_and_draw_nothing(shapes):
    waiting, fill = UrgentFirst(), window_of(10)
    for seed in range(8):
        waiting.add(recipe(seed, width=64 + 8 * (seed % shapes)), priority=0, overdue=True)

    def feed(waiting, batches):
        fill(waiting)
        if batches == 60:
            waiting.add(recipe(999, model="other"), priority=20)

    loads, groups = drawn_by_an_engine(waiting, 120, 8, feed)
    assert [model for _, model in loads] == ["demo", "other", "demo"]
    assert len(groups) == 120
    assert 999 in seeds(groups[60])
    assert {*range(8)} <= {each.seed for group in groups for each in group}


def test_overdue_prompts_do_not_have_a_model_loaded_for_one_batch_after_the_other():
    waiting, of_one, of_other = UrgentFirst(), window_of(10), window_of(10, model="other", first=100_000)
    for seed in range(24):
        waiting.add(recipe(seed, width=72 + 8 * seed), priority=0, overdue=True)
    loads, groups = drawn_by_an_engine(waiting, 160, 8, lambda waiting, n: (of_other if n >= 60 else of_one)(waiting))
    assert len(groups) == 160
    assert len(loads) <= 2 + 2 * (100 // SWITCH_AFTER)
    late = [place for place, group in enumerate(groups) if group[0].seed < 24]
    assert len(late) == 24 - sum(each.overdue for each in waiting._waiting.values())
    for place in range(len(groups) - SWITCH_AFTER):  # a visit draws its share, and no more
        assert sum(place <= at < place + SWITCH_AFTER for at in late if at >= 60) <= VISIT


def test_what_is_overdue_of_three_models_is_drawn_though_urgent_rows_of_two_never_end():
    waiting, fill = UrgentFirst(), window_of(10)
    for seed, model in enumerate(["third", "fourth"]):
        waiting.add(recipe(seed, model=model), priority=seed, overdue=True)

    def feed(waiting, batches):
        fill(waiting)
        if batches % 20 == 19:
            waiting.add(recipe(500 + batches, model="other"), priority=20)

    loads, groups = drawn_by_an_engine(waiting, 200, 8, feed)
    assert {0, 1} <= {each.seed for group in groups for each in group}
    assert len(loads) <= 2 * (200 // 20 + 2) + 1


def test_what_comes_while_a_model_is_loaded_waits_for_a_batch_unless_it_is_more_urgent_than_all_that_was():
    waiting = backlog(recipe(0), priority=1)
    ours = OfWeights(waiting, waiting.leading())
    waiting.add(recipe(9, model="other"), priority=1)
    assert seeds(ours.take(batch_of)) == [0]
    waiting = backlog(recipe(0), priority=1)
    ours = OfWeights(waiting, waiting.leading())
    waiting.add(recipe(9, model="other"), priority=2)
    assert ours.take(batch_of) is None
    waiting.take_back(lambda each: each.recipe.seed == 9)
    waiting.add(recipe(7, model="other"), priority=2)
    assert seeds(OfWeights(waiting, waiting.leading()).take(batch_of)) == [7]


@pytest.mark.parametrize("batch", [1, 4, 8, 16])
@pytest.mark.parametrize("width", [64, 128])
def test_one_of_so_many_pictures_is_overdue_as_long_as_any_is(batch, width):
    waiting = UrgentFirst()
    fill, found, count = window_of(10, window=64 + 2 * batch), [], 0
    for n in range(80):
        while sum(each.overdue for each in waiting._waiting.values()) < 2 * batch:
            waiting.add(recipe(500_000 + count, width=width), priority=0, overdue=True)
            count += 1
        fill(waiting)
        group = waiting.take(lambda _: batch)
        assert n % TURNS == TURNS - 1 or group[0].seed < 500_000
        found += [each.seed >= 500_000 for each in group]
    assert len(found) / TURNS - batch <= sum(found) <= len(found) / TURNS + batch
    assert len(found) == 80 * batch


def test_a_recipe_that_is_wanted_more_urgently_is_drawn_sooner_and_only_once():
    waiting = backlog(recipe(0), recipe(1, width=128))
    waiting.hurry(recipe(1, width=128), priority=2, overdue=False)
    waiting.hurry(recipe(7), priority=2, overdue=False)  # is drawn already, say
    assert [seeds(group) for group in drawn(waiting)] == [[1], [0]]


def test_an_impossible_recipe_comes_alone_and_its_neighbours_without_it():
    waiting = backlog(*map(recipe, range(5)))

    def all_but_one(each):
        return 0 if each.seed == 1 else BATCH

    waiting.end()
    assert [seeds(waiting.take(all_but_one)) for _ in range(2)] == [[0, 2, 3, 4], [1]]


def test_with_these_weights_it_is_over_when_others_are_next():
    waiting = backlog(*map(recipe, range(4)))
    waiting.end()
    ours = OfWeights(waiting, waiting.leading())
    waiting.add(recipe(9, model="other"), priority=1)
    assert ours.take(batch_of) is None
    assert waiting.leading()[0][0] == "other"
    assert seeds(waiting.take(batch_of)) == [9]
    assert seeds(ours.take(batch_of)) == [0, 1, 2, 3]
    assert waiting.leading() is None


def test_nothing_right_now_is_no_end():
    waiting = backlog(recipe(0))
    waiting.take(batch_of)
    assert waiting.take(batch_of, wait=False) == []
    assert not waiting.is_asked  # one is under way, and something may come while it is drawn
    waiting.done(recipe(0))
    assert waiting.take(batch_of, wait=False) == []
    assert waiting.is_asked
    waiting.end()
    assert waiting.take(batch_of, wait=False) is None
    assert list(waiting) == []


def test_whoever_asks_waits_and_is_seen_to_wait():
    waiting, got = UrgentFirst(), []
    asking = threading.Thread(target=lambda: got.append(waiting.take(batch_of)))
    asking.start()
    waiting.wait_for(lambda: waiting.is_asked, 10)
    assert waiting.is_asked
    waiting.add(recipe(3))
    asking.join(10)
    assert seeds(got[0]) == [3]
    assert not waiting.is_asked


def test_what_comes_until_a_batch_is_taken_may_be_in_it():
    """A look that was under way when it was asked for does not do: it may have missed the last row."""
    waiting, looks = backlog(*map(recipe, range(4))), []

    def feed():
        while not waiting.is_over:
            with waiting.looking():
                looks.append(time.monotonic())
                time.sleep(0.2)
                waiting.add(recipe(100 + len(looks)), priority=len(looks))
            waiting.wait_for(lambda: False, 60)

    threading.Thread(target=feed, daemon=True).start()
    time.sleep(0.1)
    began = time.monotonic()
    waiting.refresh(20)
    assert time.monotonic() - began < 20
    assert len(looks) == 2
    assert looks[1] >= began
    assert waiting.take(batch_of)[0].seed == 102
    waiting.end()


def test_who_feeds_it_is_waited_for_so_long_and_not_at_all_when_it_is_over():
    waiting = backlog(recipe(0))
    began = time.monotonic()
    waiting.refresh(0.1)
    assert 0.1 <= time.monotonic() - began < 10
    waiting.end()
    waiting.refresh(60)
    assert time.monotonic() - began < 30


def test_a_failure_of_who_feeds_it_reaches_who_draws():
    waiting = backlog(recipe(0))
    waiting.end(GladError("the store is gone"))
    for ask in (waiting.leading, lambda: waiting.take(batch_of), lambda: next(iter(waiting))):
        with pytest.raises(GladError, match="the store is gone"):
            ask()


def test_what_is_taken_back_is_not_drawn_and_what_is_begun_is_not_taken_back():
    waiting = backlog(*map(recipe, range(6)))
    waiting.take(batch_of)
    assert seeds(waiting.take_back(lambda each: each.recipe.seed in (0, 4))) == [4]
    assert [seeds(group) for group in drawn(waiting)] == [[5]]


def test_the_least_urgent_go_back_first_and_what_is_overdue_last():
    waiting = backlog(recipe(0), recipe(1))
    waiting.add(recipe(2), priority=-3, overdue=True)
    waiting.add(recipe(3), priority=4)
    assert seeds(waiting.least_urgent(3)) == [1, 0, 3]


def test_iterated_it_gives_one_at_a_time_and_what_comes_meanwhile():
    waiting = backlog(recipe(0), recipe(1))
    found = []
    for each in waiting:
        found.append(each.seed)
        if each.seed == 0:
            waiting.add(recipe(5), priority=1)
            waiting.end()
    assert found == [0, 5, 1]


ARRIVALS = st.lists(
    st.tuples(
        st.integers(-2, 2),  # priority
        st.sampled_from([64, 128, 256]),
        st.sampled_from(["demo", "other"]),
        st.booleans(),  # overdue
        st.integers(0, 2),  # batches drawn before the next comes
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=150)
@given(ARRIVALS)
def test_everything_is_drawn_once_in_batches_of_one_shape_led_by_the_most_urgent(arrivals):
    waiting, groups, left = UrgentFirst(), [], {}

    def draw():
        group = waiting.take(batch_of, wait=False)
        if group:
            groups.append(group)
            leader = left[group[0]]
            assert 1 <= len(group) <= BATCH
            assert len({each.shape for each in group}) == 1
            urgent = leader[0] == max(priority for priority, _ in left.values())
            assert urgent or leader[1]  # overdue
            for each in group:
                del left[each]
        return group

    for seed, (priority, width, model, overdue, batches) in enumerate(arrivals):
        one = recipe(seed, width=width, model=model)
        waiting.add(one, priority=priority, overdue=overdue)
        left[one] = (priority, overdue)
        for _ in range(batches):
            draw()
    waiting.end()
    while draw():
        pass
    assert sorted(each.seed for group in groups for each in group) == list(range(len(arrivals)))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([64, 128, 256, 512, 1024]), min_size=1, max_size=120))
def test_none_of_equally_urgent_ones_waits_for_more_than_the_batches_that_were_before_it_and_a_few(widths):
    waiting = backlog(*(recipe(seed, width=width) for seed, width in enumerate(widths)))
    for batch, group in enumerate(drawn(waiting)):
        for each in group:
            assert batch <= each.seed + PASSED_OVER + len(set(widths))


def test_many_threads_may_add_and_ask_at_once():
    waiting, found = UrgentFirst(), []

    def add(first):
        for seed in range(first, first + 200):
            waiting.add(recipe(seed), priority=seed % 3)
            if seed % 50 == 0:
                time.sleep(0.001)

    def draw():
        while group := waiting.take(batch_of):
            found.extend(seeds(group))

    feeders = [threading.Thread(target=add, args=(first,)) for first in (0, 1000, 2000)]
    drawers = [threading.Thread(target=draw) for _ in range(2)]
    for thread in feeders + drawers:
        thread.start()
    for thread in feeders:
        thread.join()
    waiting.end()
    for thread in drawers:
        thread.join(10)
    assert len(found) == len(set(found)) == 600


def test_a_list_is_a_backlog_in_its_order_full_batches_first():
    widths = [64, 128, 64, 64, 64, 128, 64]
    listed = ListBacklog(recipe(seed, width=width) for seed, width in enumerate(widths))
    assert seeds(listed.take(batch_of)) == [0, 2, 3, 4]
    assert seeds(listed.take(batch_of, prefer=lambda each: each.width == 64)) == [6]
    assert seeds(listed.take(batch_of, wait=False)) == [1, 5]
    assert listed.take(batch_of) is None
    assert seeds(backlog_of(map(recipe, range(3)))) == [0, 1, 2]


def test_of_a_list_a_preferred_shape_is_drawn_first_and_a_stream_is_not_read_ahead():
    rest = [*(recipe(n) for n in range(4)), *(recipe(n, width=72) for n in range(4, 8))]
    waiting = ListBacklog(rest)
    assert seeds(waiting.take(batch_of, prefer=lambda each: each.width == 72)) == [4, 5, 6, 7]
    assert seeds(waiting.take(batch_of)) == [0, 1, 2, 3]
    assert waiting.take(batch_of) is None
    stream = iter(rest)
    assert seeds(ListBacklog(stream).take(batch_of, prefer=lambda each: each.width == 72)) == [0, 1, 2, 3]
    assert next(stream).seed == 4
