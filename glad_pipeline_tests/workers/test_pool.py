"""Drawing with workers: every recipe is answered once, whoever dies; what is in flight at most is drawn again."""

import importlib.util
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import psutil
import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra `ray` is not installed: warm workers are left out", allow_module_level=True)

from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.local.processes import session_members
from glad_pipeline.pipeline.backlog import UrgentFirst
from glad_pipeline.workers import batch_sizes, jobs, turns
from glad_pipeline.workers import members as members_module
from glad_pipeline.workers import pool as pool_module
from glad_pipeline.workers.cluster import import_ray
from glad_pipeline.workers.members import members
from glad_pipeline.workers.remote import RemoteEngine
from glad_pipeline.workers.worker import Worker
from glad_pipeline_tests.faults.generators import draws
from glad_pipeline_tests.faults.processes import eventually
from glad_pipeline_tests.workers.conftest import DEMO, options_of, recipes

BATCH = 4


def drawn_twice(home, some):
    """How many of these recipes were drawn more than once."""
    log = draws(home / "draws")
    return sum(len(log.get(recipe.hash, ())) - 1 for recipe in some if recipe.hash in log)


def workers_pids(pool):
    import ray

    return [ray.get(member.handle.state.remote())["pid"] for member in pool.open(DEMO)]


def test_every_recipe_is_answered_once_by_all_workers_and_nothing_is_drawn_twice(pool_of, ray_home):
    wanted = recipes(42, "for 0.3 s")
    pool = pool_of()
    RemoteEngine(DEMO, pool).warm_up(recipes(1)[0])
    drawn = list(RemoteEngine(DEMO, pool).generate(wanted))
    assert sorted(d.recipe.hash for d in drawn) == sorted(r.hash for r in wanted)
    assert all(d.pixels is not None for d in drawn)
    assert len({d.provenance["pid"] for d in drawn}) == 3
    assert drawn_twice(ray_home, wanted) == 0


def test_what_is_ready_first_comes_first(pool_of):
    slow = recipes(4, "for 3 s", width=72)
    fast = recipes(12)
    pool = pool_of(GLAD_WORKERS=2)
    RemoteEngine(DEMO, pool).warm_up(recipes(1)[0])
    order = [d.recipe for d in RemoteEngine(DEMO, pool).generate([*slow, *fast])]
    assert set(order[:8]) <= set(fast)  # a third batch of them may wait behind the slow one


def test_no_more_is_begun_than_workers_can_hold(pool_of):
    begun, under_way = [], []
    stream = RemoteEngine(DEMO, pool_of(GLAD_WORKERS=2)).generate(
        recipes(80, "for 0.2 s", width=88), on_batch_start=begun.extend
    )
    for answered, _ in enumerate(stream):
        under_way.append(len(begun) - answered)
    assert BATCH * turns.AT_A_WORKER < max(under_way) <= 2 * BATCH * turns.AT_A_WORKER


def test_a_stream_that_is_closed_draws_no_more_than_what_was_being_drawn(pool_of, ray_home):
    pool = pool_of(GLAD_WORKERS=1)
    wanted = recipes(40, "for 0.3 s")
    stream = RemoteEngine(DEMO, pool).generate(wanted)
    next(stream)
    stream.close()
    later = list(RemoteEngine(DEMO, pool).generate(recipes(1)))  # behind whatever is still in the queue
    assert len(later) == 1
    log = draws(ray_home / "draws")
    assert sum(recipe.hash in log for recipe in wanted) <= 2 * BATCH


def test_a_worker_killed_in_the_middle_costs_what_it_was_drawing_and_comes_back(pool_of, ray_home):
    pool = pool_of()
    victim = workers_pids(pool)[0]
    wanted = recipes(200, "for 0.1 s")
    answered, begun = [], []
    for drawn in RemoteEngine(DEMO, pool).generate(wanted, on_batch_start=begun.extend):
        answered.append(drawn)
        if len(answered) == 60:
            os.kill(victim, signal.SIGKILL)
    assert len(begun) == len(set(begun)) == 200  # a try is counted once
    assert sorted(d.recipe.hash for d in answered) == sorted(r.hash for r in wanted)
    assert all(d.pixels is not None for d in answered)
    assert drawn_twice(ray_home, wanted) <= BATCH
    assert victim not in workers_pids(pool)


def test_a_picture_that_kills_whoever_draws_it_is_answered_as_failed_and_its_company_is_drawn(pool_of, caplog):
    poison = recipes(1, "POISON")
    good = recipes(11)
    drawn = {d.recipe: d for d in RemoteEngine(DEMO, pool_of()).generate([*good[:2], *poison, *good[2:]])}
    assert all(drawn[recipe].pixels is not None for recipe in good)
    told = drawn[poison[0]]
    assert (told.pixels, told.cause) == (None, "unknown")
    assert "2 workers were lost" in told.error
    assert sum("was lost with" in record.getMessage() for record in caplog.records) == 2


def test_a_gpu_that_fails_is_given_a_new_process_and_its_batch_is_drawn_elsewhere(pool_of):
    bad = recipes(1, "DEVICE FAILS")
    good = recipes(15)
    pool = pool_of(GLAD_WORKERS=2)
    before = set(workers_pids(pool))
    drawn = {d.recipe: d for d in RemoteEngine(DEMO, pool).generate([*good[:1], *bad, *good[1:]])}
    assert all(drawn[recipe].pixels is not None for recipe in good)
    assert drawn[bad[0]].error
    assert before != set(workers_pids(pool))


def test_a_worker_that_hangs_while_it_draws_is_replaced_and_its_batch_drawn_elsewhere(pool_of, monkeypatch):
    monkeypatch.setattr(members_module, "SILENCE", 3.0)
    pool = pool_of(GLAD_WORKERS=2)
    victim = workers_pids(pool)[0]
    wanted = recipes(32, "for 0.2 s")
    answered = []
    for drawn in RemoteEngine(DEMO, pool).generate(wanted):
        answered.append(drawn)
        if len(answered) == 12:
            os.kill(victim, signal.SIGSTOP)
    assert sorted(d.recipe.hash for d in answered) == sorted(r.hash for r in wanted)
    assert all(d.pixels is not None for d in answered)
    eventually(lambda: not psutil.pid_exists(victim), 30, what="the end of the worker that hung")


@pytest.mark.deep
def test_a_worker_that_hung_before_it_was_asked_is_replaced(pool_of, monkeypatch):
    monkeypatch.setattr(members_module, "SILENCE", 3.0)
    pool = pool_of(GLAD_WORKERS=1)
    [victim] = workers_pids(pool)
    os.kill(victim, signal.SIGSTOP)
    assert len(list(RemoteEngine(DEMO, pool).generate(recipes(5)))) == 5
    eventually(lambda: not psutil.pid_exists(victim), 30, what="the end of the worker that hung")


@pytest.mark.deep
def test_a_gpu_that_fails_again_and_again_is_left_alone(pool_of, caplog):
    wanted = recipes(800, "for 0.5 s DEVICE OF worker-0 FAILS")  # more than the other can draw meanwhile
    stream = RemoteEngine(DEMO, pool_of(GLAD_WORKERS=2)).generate(wanted)
    drawn = []
    while "worker-0: its device failed 3 times in a row" not in caplog.text:
        drawn.append(next(stream))
    drawn += [next(stream) for _ in range(3 * BATCH)]
    stream.close()
    assert sum(d.pixels is None for d in drawn) <= 1  # one on its own may come to the broken one twice
    assert caplog.text.count("worker-0 is replaced") == 2


def test_when_no_gpu_works_the_run_is_told(pool_of):
    stream = RemoteEngine(DEMO, pool_of(GLAD_WORKERS=1)).generate(recipes(24, "DEVICE OF worker-0 FAILS"))
    with pytest.raises(GladError, match="no worker can draw: worker-0: its device failed 3 times in a row: the GPU"):
        list(stream)


@pytest.mark.deep
def test_another_run_s_poison_costs_this_run_s_pictures_nothing(pool_of, monkeypatch):
    monkeypatch.setattr(jobs, "LOSSES", 1)
    pool = pool_of(GLAD_WORKERS=1)
    RemoteEngine(DEMO, pool).load()
    others, under_way = RemoteEngine(DEMO, pool_of(GLAD_WORKERS=1)), threading.Event()
    poison = recipes(3, "for 2 s POISON")
    theirs = threading.Thread(target=lambda: list(others.generate(poison, on_batch_start=lambda some: under_way.set())))
    theirs.start()
    under_way.wait(60)
    wanted = recipes(16, "for 0.1 s")  # behind it
    drawn = list(RemoteEngine(DEMO, pool).generate(wanted))
    theirs.join()
    assert sorted(d.recipe.hash for d in drawn) == sorted(r.hash for r in wanted)
    assert all(d.pixels is not None for d in drawn)


def test_a_shape_stays_with_the_worker_that_has_drawn_it_also_in_the_next_run(pool_of):
    pool = pool_of(GLAD_WORKERS=2)
    RemoteEngine(DEMO, pool).warm_up(recipes(1, width=80)[0])
    first = RemoteEngine(DEMO, pool).generate([*recipes(4, "for 1 s", width=96), *recipes(4, "for 1 s", width=104)])
    home_of = {d.recipe.width: d.provenance["pid"] for d in first}
    assert len(set(home_of.values())) == 2
    again = RemoteEngine(DEMO, pool).generate([*recipes(4, "for 0.2 s", width=104), *recipes(4, "for 0.2 s", width=96)])
    assert all(d.provenance["pid"] == home_of[d.recipe.width] for d in again)


def test_an_engine_s_own_error_is_told_and_the_workers_live_on(pool_of):
    pool = pool_of(GLAD_WORKERS=1)
    with pytest.raises(GladError, match="worker-0 cannot draw: ZeroDivisionError: what no engine should raise"):
        list(RemoteEngine(DEMO, pool).generate(recipes(1, "CRASH")))
    assert len(list(RemoteEngine(DEMO, pool).generate(recipes(1)))) == 1


def test_workers_of_other_settings_draw_nothing_for_these(pool_of):
    list(RemoteEngine(DEMO, pool_of(GLAD_WORKERS=1)).generate(recipes(1)))
    with pytest.raises(GladError, match=r"started with other settings.*workers down"):
        list(RemoteEngine(DEMO, pool_of(GLAD_WORKERS=1, batch=2)).generate(recipes(1)))


def test_workers_of_another_version_draw_nothing_for_this_one(pool_of, monkeypatch):
    list(RemoteEngine(DEMO, pool_of(GLAD_WORKERS=1)).generate(recipes(1)))
    monkeypatch.setattr(pool_module, "__version__", "0.0.9")
    with pytest.raises(GladError, match=r"started by another version than this one, 0\.0\.9.*workers down"):
        list(RemoteEngine(DEMO, pool_of(GLAD_WORKERS=1)).generate(recipes(1)))


def test_a_gpu_that_is_asked_for_and_not_there(pool_of):
    with pytest.raises(GladError, match=r"Ray finds none on this machine.*GLAD_WORKER_GPUS=0"):
        RemoteEngine(DEMO, pool_of(GLAD_WORKER_GPUS=1)).load()


def test_a_cluster_that_is_started_again_draws_the_rest(pool_of, ray_home):
    from glad_pipeline.workers.cluster import Cluster

    wanted = recipes(60, "for 0.1 s")
    answered = []
    restarted = threading.Thread(target=lambda: (cluster.stop(), cluster.start(cpus=2)))
    cluster = Cluster(options_of(ray_home))
    for drawn in RemoteEngine(DEMO, pool_of(GLAD_WORKERS=2)).generate(wanted):
        answered.append(drawn)
        if len(answered) == 8:
            restarted.start()
    restarted.join()
    assert sorted(d.recipe.hash for d in answered) == sorted(r.hash for r in wanted)
    assert all(d.pixels is not None for d in answered)
    assert drawn_twice(ray_home, wanted) <= 2 * BATCH


@pytest.mark.deep
def test_a_cluster_that_goes_for_good_is_said_to_have_gone(pool_of, ray_home, monkeypatch):
    from glad_pipeline.workers.cluster import Cluster

    monkeypatch.setattr(pool_module, "CLUSTER_PATIENCE", 2.0)
    pool = pool_of(GLAD_WORKERS=1)
    cluster = Cluster(options_of(ray_home))
    engine = RemoteEngine(DEMO, pool)
    stream = engine.generate(recipes(40, "for 0.1 s"))
    next(stream)
    cluster.stop()
    try:
        with pytest.raises(UnavailableError, match=r"went away and did not come back in 2 s: ./glad workers up starts"):
            list(stream)
        engine.close()
        pool.close()
    finally:
        cluster.start(cpus=2)


def test_a_worker_draws_on_while_the_head_does_not_answer(pool_of, ray_home):
    from glad_pipeline.workers.cluster import Cluster

    pool = pool_of(GLAD_WORKERS=1)
    stream = RemoteEngine(DEMO, pool).generate(recipes(16, "for 0.2 s"))
    first = next(stream)
    told = Cluster(options_of(ray_home)).describe()
    [head] = [p for p in session_members(told["pid"]) if "gcs_server" in p.name()]
    head.suspend()
    resumed = threading.Timer(6, head.resume)
    resumed.start()
    drawn = [first, *stream]
    resumed.join()
    assert len(drawn) == 16
    assert all(d.pixels is not None for d in drawn)


class Coming:
    """A backlog to which recipes come while it is drawn from."""

    def __init__(self, *some):
        self.waiting = list(some)
        self.taken = []
        self.over = False
        self.comes = {}  # by how many batches were taken: what comes at the last moment before the next is

    def refresh(self, seconds):
        self.waiting[:0] = self.comes.pop(len(self.taken), [])

    def take(self, batch_of, *, prefer=lambda recipe: False, wait=True):
        while wait and not self.waiting and not self.over:
            time.sleep(0.01)
        if not self.waiting:
            return None if self.over else []
        group = self.waiting[: batch_of(self.waiting[0])]
        self.waiting = self.waiting[len(group) :]
        self.taken.append((time.monotonic(), group))
        return group

    def __iter__(self):
        while group := self.take(lambda recipe: 1):
            yield from group


def test_a_recipe_that_comes_while_a_batch_is_drawn_is_in_the_next_one(fresh_pool_of):
    """Of a shape whose batches are known to take 1.5 s: the next is asked for when this one is nearly done."""
    pool = fresh_pool_of(GLAD_WORKERS=1)
    list(RemoteEngine(DEMO, pool).generate(recipes(1, "for 1.5 s")))  # the worker knows now
    backlog = Coming(*recipes(BATCH * 4, "for 1.5 s"))
    urgent = recipes(1, "for 1.5 s")
    stream = RemoteEngine(DEMO, pool).generate(backlog)
    threading.Timer(2.0, lambda: backlog.waiting.insert(0, urgent[0])).start()  # in the middle of the first or second
    order = [next(stream).recipe for _ in range(BATCH * 4)]
    backlog.over = True
    order += [drawn.recipe for drawn in stream]
    assert len(order) == BATCH * 4 + 1
    assert order.index(urgent[0]) < 3 * BATCH
    asked = [at for at, _ in backlog.taken]
    assert all(0.9 < later - earlier < 3 for earlier, later in pairwise(asked[1:-1]))


def test_a_recipe_that_comes_a_moment_before_the_next_batch_is_chosen_is_in_it(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=1)
    list(RemoteEngine(DEMO, pool).generate(recipes(1, "for 0.5 s")))  # the worker knows now
    backlog, urgent = Coming(*recipes(BATCH * 3, "for 0.5 s")), recipes(1, "for 0.5 s")
    backlog.comes[1], backlog.over = urgent, True
    assert len(list(RemoteEngine(DEMO, pool).generate(backlog))) == BATCH * 3 + 1
    assert urgent[0] in backlog.taken[1][1]


def test_a_worker_tells_how_long_a_batch_waited_for_it_or_it_for_the_batch(fresh_pool_of):
    import ray

    [member] = fresh_pool_of(GLAD_WORKERS=1).open(DEMO)
    ray.get(member.handle.load.remote(DEMO))

    def sent(name):
        member.handle.expect.remote(name)
        return member.handle.draw.remote(DEMO, recipes(1, "for 2 s"), name)

    _, second = ray.get([sent("first"), sent("second")])
    time.sleep(1)
    third = ray.get(sent("third"))
    assert 1.5 < second.early < 2.5  # as long as the first was drawn
    assert -3 < third.early < -0.9


def test_the_next_batches_come_later_once_it_is_known_how_long_a_handover_takes(fresh_pool_of, monkeypatch):
    monkeypatch.setattr(turns, "FIRST_LEAD", 0.8)
    pool, backlog = fresh_pool_of(GLAD_WORKERS=1), Coming(*recipes(BATCH * 6, "for 1 s"))
    backlog.over = True
    list(RemoteEngine(DEMO, pool).generate(recipes(1, "for 1 s")))
    engine = RemoteEngine(DEMO, pool)
    stream = engine.generate(backlog)
    drawn = [next(stream) for _ in range(BATCH * 6)]
    [member] = engine._members
    assert len(drawn) == BATCH * 6
    assert len(member.leads) == 5  # the first followed none
    assert all(0 <= needed < 1 for needed in member.leads)
    # two are sent by FIRST_LEAD: of the second's handover nothing is known before it is drawn
    *_, third, fourth, fifth, _ = (at for at, _ in backlog.taken)
    assert fourth - third > fifth - fourth + 0.3
    assert list(stream) == []


class Late(Coming):
    """Its second batch comes when it was asked for six times."""

    def __init__(self, first, second):
        super().__init__(*first)
        self.late = second
        self.asked = self.looks = 0

    def refresh(self, seconds):
        self.looks += 1

    def take(self, batch_of, *, prefer=lambda recipe: False, wait=True):
        if not self.waiting:
            self.asked += 1
            if self.asked == 6 or wait:
                self.waiting, self.late, self.over = self.late, [], True
        return super().take(batch_of, prefer=prefer, wait=wait)


def test_while_nothing_is_there_it_is_looked_once_and_the_wait_counts_for_no_handover(fresh_pool_of, monkeypatch):
    monkeypatch.setattr(turns, "FIRST_LEAD", 1.5)
    pool = fresh_pool_of(GLAD_WORKERS=1)
    list(RemoteEngine(DEMO, pool).generate(recipes(1, "for 2 s")))  # the worker knows now
    backlog, engine = Late(recipes(BATCH, "for 2 s"), recipes(BATCH, "for 2 s")), RemoteEngine(DEMO, pool)
    assert len(list(engine.generate(backlog))) == 2 * BATCH
    assert backlog.asked >= 6
    assert backlog.looks == 2  # before the second, and before it is found that there is no third
    assert list(engine._members[0].leads) == []


# --- on workers of their own ------------------------------------------------------------------------------------------


@pytest.mark.deep
def test_a_batch_that_never_ends_costs_two_workers_and_is_answered_as_failed(fresh_pool_of, monkeypatch):
    monkeypatch.setattr(members_module, "SILENCE", 2.0)
    monkeypatch.setattr(members_module, "STUCK", 2.0)
    wanted = [*recipes(1, "for 1000 s"), *recipes(8)]
    drawn = {d.recipe: d for d in RemoteEngine(DEMO, fresh_pool_of(GLAD_WORKERS=2, batch=1)).generate(wanted)}
    assert "2 workers were lost while they drew it" in drawn[wanted[0]].error
    assert all(drawn[recipe].pixels is not None for recipe in wanted[1:])


def test_a_run_takes_no_more_workers_than_it_needs_and_those_that_are_warm_for_it(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=3, GLAD_WORKER_MODELS=2)
    [wide] = RemoteEngine(DEMO, pool, wanted=lambda: recipes(1)).generate(recipes(1, width=72))
    for _ in range(3):
        like = recipes(1, width=72)
        [again] = RemoteEngine(DEMO, pool, wanted=partial(list, like)).generate(like)
        assert again.provenance["pid"] == wide.provenance["pid"]
    assert len(members()) == 1


def test_workers_that_found_no_room_are_not_wanted_any_more_when_the_run_is_over(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=3, GLAD_WORKER_CPUS=1.5)  # of the 2 there are
    assert len(list(RemoteEngine(DEMO, pool).generate(recipes(30)))) == 30
    assert len(members()) == 1


def test_a_worker_keeps_as_many_models_as_set_and_forgets_what_it_drew_with_others(fresh_pool_of):
    import ray

    pool = fresh_pool_of(GLAD_WORKERS=1, GLAD_WORKER_MODELS=2)
    for name in ("one", "two", "three"):
        profile = replace(DEMO, name=name, source=f"/models/{name}", is_demo=False, is_local=False)
        assert len(list(RemoteEngine(profile, pool).generate(recipes(1, model=name)))) == 1
    state = ray.get(members()[0].handle.state.remote())
    assert state["models"] == ["two", "three"]
    assert [shape.split()[0] for shape in state["shapes"]] == ["three", "two"]


def test_an_idle_worker_ends_and_the_next_run_starts_it_anew(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=1, GLAD_WORKER_IDLE_SECONDS=1.0)
    [victim] = workers_pids(pool)
    eventually(lambda: not psutil.pid_exists(victim), 30, what="the idle worker's end")
    wanted = recipes(3)
    assert {d.recipe for d in RemoteEngine(DEMO, pool).generate(wanted)} == set(wanted)
    assert workers_pids(pool) != [victim]


def test_a_worker_at_work_is_not_idle(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=1, GLAD_WORKER_IDLE_SECONDS=0.5)
    drawn = list(RemoteEngine(DEMO, pool).generate(recipes(8, "for 1.5 s")))
    assert len({d.provenance["pid"] for d in drawn}) == 1


def test_workers_that_give_no_version_draw_nothing(fresh_pool_of, monkeypatch):
    class Earlier(Worker):
        """As it was before a worker gave its version: it answered a batch with a tuple."""

        def load(self, profile, sample=None):
            given = super().load(profile, sample)
            names = ("node", "load_seconds", "options", "shapes")
            return SimpleNamespace(**{name: getattr(given, name) for name in names})

        def draw(self, profile, recipes, job):
            done = super().draw(profile, recipes, job)
            return done.pictures, done.warm, done.seconds

    with monkeypatch.context() as before:
        before.setattr(pool_module, "Worker", Earlier)
        workers_pids(fresh_pool_of(GLAD_WORKERS=1))
    with pytest.raises(GladError, match=r"worker-0: it was started by another version.*workers down"):
        list(RemoteEngine(DEMO, fresh_pool_of(GLAD_WORKERS=1)).generate(recipes(1)))


def test_workers_that_find_no_room_are_told_of_with_what_the_cluster_has(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=1, GLAD_WORKER_CPUS=500, GLAD_WORKER_START_SECONDS=2)
    with pytest.raises(GladError, match=r"no worker came up in 2 s .*each wants 0 GPUs and 500 CPUs"):
        RemoteEngine(DEMO, pool).load()


def test_while_nothing_is_ready_the_caller_may_end_it(fresh_pool_of):
    class Enough(Exception):
        pass

    def on_batch_start(some):
        if not some:
            raise Enough

    started = time.monotonic()
    with pytest.raises(Enough):
        list(
            RemoteEngine(DEMO, fresh_pool_of(GLAD_WORKERS=1)).generate(
                recipes(1, "for 30 s"), on_batch_start=on_batch_start
            )
        )
    assert time.monotonic() - started < 20


def test_more_workers_are_asked_for_when_more_comes(fresh_pool_of):
    pool = fresh_pool_of(GLAD_WORKERS=2)
    backlog = Coming(*recipes(1, "for 0.5 s"))
    stream = RemoteEngine(DEMO, pool, wanted=lambda: backlog.waiting).generate(backlog)
    drawn, come = [next(stream)], 1
    assert len(members()) == 1
    while len({each.provenance["pid"] for each in drawn}) < 2 and come < BATCH * 60:
        if len(backlog.waiting) < BATCH * 4:
            backlog.waiting += recipes(BATCH * 4, "for 0.5 s")
            come += BATCH * 4
        drawn.append(next(stream))
    backlog.over = True
    drawn += stream
    assert len(drawn) == come
    assert len({each.provenance["pid"] for each in drawn}) == 2


def test_a_backlog_is_free_while_a_worker_is_asked_for_its_batches(fresh_pool_of, monkeypatch):
    backlog, free = UrgentFirst(), []
    for recipe in recipes(9):
        backlog.add(recipe)
    backlog.end()

    class Watched:
        def get(self, asked, timeout):
            looking = threading.Thread(target=backlog.priorities)
            looking.start()
            looking.join(5)
            free.append(not looking.is_alive())
            return import_ray().get(asked, timeout=timeout)

    monkeypatch.setattr(batch_sizes, "import_ray", Watched)
    engine = RemoteEngine(DEMO, fresh_pool_of(GLAD_WORKERS=1, batch=None), wanted=lambda: recipes(9))
    assert len(list(engine.generate(backlog))) == 9
    assert free == [True]
