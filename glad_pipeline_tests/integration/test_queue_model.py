"""The queue and publishing against a small model of themselves, in random interleavings, on a real PostgreSQL.

Several workers claim, give back, draw, fail, publish, lose their lock, their lease, or the answer to a commit, and die,
while people cancel, retry, approve, reject, edit, pause, resume, ask for posts and discard pictures. After every step
each row is what the model says. CI runs the same interleavings
each time; `GLAD_MODEL_EXAMPLES=5000` looks at so many new ones.
"""

import hashlib
import os
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from glad_pipeline import failpoints
from glad_pipeline.database import Database
from glad_pipeline.errors import GladError
from glad_pipeline.operations import takedown
from glad_pipeline.pipeline import publish
from glad_pipeline.prompts import editing, hold, management, queue, sources
from glad_pipeline.prompts.queue import Claim, ClaimLost, NothingLeft
from glad_pipeline.prompts.queue_state import live_workers
from glad_pipeline.publishing import images
from glad_pipeline.publishing.images import CatalogueEntry
from glad_pipeline.storage.keys import original_key

THEIRS = "https://example.com/by-hand.png"
EXAMPLES = int(os.environ.get("GLAD_MODEL_EXAMPLES", "0"))
MAX_ATTEMPTS = 2
LONGEST_WAIT = timedelta(hours=36)
PUBLISHED_AT_ONCE = 2
WORKED_ON = ("claimed", "generated", "awaiting_approval", "published", "ready")
SAYS = {  # in which state a prompt is when that was the last to happen to it
    **dict.fromkeys(("claimed", "drawing"), "claimed"),
    **dict.fromkeys(("stored", "approved", "asked_to_publish"), "generated"),
    **dict.fromkeys(("retried", "returned", "paused", "edited"), "pending"),
    **dict.fromkeys(("cancelled", "discarded", "taken_down"), "cancelled"),
    **{state: state for state in ("awaiting_approval", "published", "ready", "rejected", "failed")},
}
ENDED = ("published", "ready", "rejected", "failed", "cancelled")
SLOTS = st.integers(0, 1)  # workers at once
SOME = st.lists(st.integers(0, 5), min_size=2, max_size=6)  # prompts, by their place among those in question


@dataclass
class Prompt:
    """What the model knows of a row."""

    id: int
    priority: int
    needs_approval: bool
    publish_at: datetime | None
    slug: str | None
    source: str
    publish: str
    old: bool  # it has waited for longer than LONGEST_WAIT
    status: str = "pending"
    token: int | None = None
    attempts: int = 0
    expired: bool = False  # the lease, if it is held
    post: bool = False  # it has one
    hidden: bool = False  # which was taken down
    text: int = 0  # how often what decides its picture was edited
    theirs: bool = False  # a person has put a picture of their own on its post

    def move(self, status, token=None):
        self.status, self.token, self.expired = status, token, False


@dataclass
class Worker:
    """A claim, and what the model knows of it."""

    claim: Claim
    token: int
    locked: bool = True
    attempts: dict[int, int] = field(default_factory=dict)  # of prompts when they were claimed
    begun: set[int] = field(default_factory=set)
    had: set[int] = field(default_factory=set)  # what it was given and has not given back: `more` leaves it to others
    known: set[int] = field(default_factory=set)  # every prompt it ever had in hand: it does not know which it lost
    texts: dict[int, int] = field(default_factory=dict)  # of prompts when they were claimed: it draws those


class QueueMachine(RuleBasedStateMachine):
    """`database` is set by the test: one for all interleavings, emptied before each."""

    database: Database

    def __init__(self):
        super().__init__()
        self.prompts: dict[int, Prompt] = {}
        self.workers: dict[int, Worker] = {}
        self.locked: set[int] = set()  # tokens whose lock is held
        self.lost: str | None = None  # the point where an answer will be lost
        self.armed: str | None = None  # the same, until a rule has seen that it was
        self.opened = 0
        self.paused: set[str] = set()  # sources, and `*`

    @initialize(count=st.integers(2, 6))
    def begin(self, count):
        with self.database.transaction() as connection:
            connection.execute("TRUNCATE prompts, images, posts, outbox, barred_recipes RESTART IDENTITY CASCADE")
            connection.execute("DELETE FROM prompt_sources WHERE source <> '*'")
            connection.execute("UPDATE prompt_sources SET paused_since = NULL, pause_reason = NULL, turns = '{}'")
        for _ in range(count):
            self.add(0, False, 0, False, "", "post", False)

    def teardown(self):
        failpoints.arm(None)
        for worker in self.workers.values():
            self.end(worker)

    def end(self, worker):
        """The process is gone: no word to anybody, its connection closes, and the server has noticed."""
        worker.claim._stop.set()
        worker.claim._heart.join()
        self.locked.discard(worker.token)
        self.unlocked(worker.token)

    def unlocked(self, token):
        is_locked = f"SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 1735156068 AND objid = {token}"
        while True:
            with self.database.transaction() as connection:
                if connection.execute(is_locked).fetchone() is None:
                    return

    # ---- rows

    @precondition(lambda self: len(self.prompts) < 8)
    @rule(
        priority=st.integers(0, 1),
        needs_approval=st.booleans(),
        days=st.sampled_from([None, None, -1, 1]),
        asks_slug=st.booleans(),
        source=st.sampled_from(["", "a", "b"]),
        picture=st.sampled_from(["post", "post", "picture"]),
        old=st.booleans(),
    )
    def add(self, priority, needs_approval, days, asks_slug, source, picture, old):
        publish_at = datetime.now(UTC) + timedelta(days=days) if days else None
        columns = (priority, needs_approval, publish_at, "the-one" if asks_slug else None, source, picture)
        with self.database.transaction() as connection:
            row = connection.execute(
                "INSERT INTO prompts (prompt, title, priority, needs_approval, publish_at, slug, source, publish, created_at)"
                " VALUES ('a hill', 'A hill', %s, %s, %s, %s, %s, %s, now() - make_interval(days => %s)) RETURNING id",
                (*columns, 2 * old),
            ).fetchone()
        # one whose time came yesterday has waited for a day
        self.prompts[row["id"]] = Prompt(row["id"], *columns, old and days is None)

    def of(self, places, known=None):
        """The prompts at these places among those that a worker has known, or among all."""
        found = [prompt for prompt in self.prompts.values() if known is None or prompt.id in known]
        return (
            list({found[place % len(found)].id: found[place % len(found)] for place in places}.values())
            if found
            else []
        )

    # ---- workers

    def worker(self, slot):
        """The worker in this slot; a new one where there is none."""
        if slot not in self.workers:
            self.opened += 1
            claim = Claim(
                self.database,
                worker=f"run-{self.opened}",
                lease=timedelta(hours=1),
                max_attempts=MAX_ATTEMPTS,
                longest_wait=LONGEST_WAIT,
            ).open()
            self.workers[slot] = Worker(claim=claim, token=claim._token)
            self.locked.add(claim._token)
        return self.workers[slot]

    @rule(slot=SLOTS, batch=st.integers(1, 3), named=st.none() | SOME)
    def claim(self, slot, batch, named):
        worker = self.worker(slot)
        wanted = self.of(named) if named else []
        worker.claim._look_for_overdue = 0.0
        taken = worker.claim.take(batch, ids=[prompt.id for prompt in wanted])
        self.answered("claim")
        self.return_abandoned()
        held = self.held(worker)
        for prompt in wanted:
            if prompt.status in ENDED and not self.is_paused(prompt):
                prompt.move("pending")
                prompt.attempts, prompt.old = 0, False
        among = wanted if named and wanted else None
        new = [each.id for each in taken if each.id not in held]
        self.claimed(worker, new, batch, among, fairly=among is None)
        assert [each.id for each in taken] == self.in_order(worker, self.held(worker))

    @rule(slot=SLOTS, count=st.integers(1, 3), above=st.none() | st.integers(-1, 1))
    def claim_more(self, slot, count, above):
        worker = self.worker(slot)
        worker.claim._look_for_overdue = 0.0
        taken = [each.id for each in worker.claim.more(count, above=above)]
        if self.lost is None:
            self.answered("claim")
        among = [p for p in self.prompts.values() if p.id not in worker.had and (above is None or p.priority > above)]
        self.claimed(worker, taken, count, among, fairly=not any(p.id in worker.had for p in self.waiting()))
        assert taken == self.in_order(worker, taken)

    def held(self, worker):
        return {p.id for p in self.prompts.values() if (p.status, p.token) == ("claimed", worker.token)}

    def is_paused(self, prompt):
        return bool(self.paused & {"*", prompt.source})

    def in_order(self, worker, ids):
        """What is overdue, then by priority, then by turns of the sources."""
        seen, turns = {}, {}
        for prompt in (self.prompts[i] for i in sorted(ids)):
            turns[prompt.id] = seen[prompt.priority, prompt.source] = seen.get((prompt.priority, prompt.source), -1) + 1
        found = [self.prompts[i] for i in ids]
        found.sort(key=lambda p: (p.id not in worker.claim.overdue, -p.priority, turns[p.id], p.source, p.id))
        return [prompt.id for prompt in found]

    def claimed(self, worker, ids, batch, among=None, *, fairly=True):
        """These were claimed now, and rightly so: as many as may be, the most urgent, by turns of their sources."""
        waiting = self.waiting(among)
        taken = [self.prompts[i] for i in ids]
        assert len(set(ids)) == len(ids) == min(batch, len(waiting))
        assert {p.id for p in taken} <= {p.id for p in waiting}
        overdue = [p for p in taken if p.id in worker.claim.overdue]
        assert len(overdue) <= 1
        assert all(p.old for p in overdue)
        by_turns = [p for p in taken if p not in overdue]
        left = [p for p in waiting if p not in taken]
        for prompt in by_turns:
            assert not [p.id for p in left if p.priority > prompt.priority]
            assert not [p.id for p in left if key_of(p) == key_of(prompt) and p.id < prompt.id]
        if fairly:
            counts = {key_of(p): sum(key_of(p) == key_of(other) for other in by_turns) for p in [*by_turns, *left]}
            for p in left:  # who has more waiting was served as often as the others of its priority, or once less
                peers = [count for (priority, _), count in counts.items() if priority == p.priority]
                assert counts[key_of(p)] >= max(peers) - 1
        for prompt in taken:
            self.take(worker, prompt)

    def waiting(self, among=None):
        """The prompts that may be claimed."""
        found = self.prompts.values() if among is None else among
        return [p for p in found if p.status == "pending" and not self.is_paused(p)]

    @rule(source=st.sampled_from(["*", "", "a"]), again=st.booleans())
    def pause(self, source, again):
        for _ in range(1 + again):
            assert (sources.pause(self.database, source) is not None) is (source in self.paused)
            self.paused.add(source)

    @rule(source=st.sampled_from(["*", "*", "", "a"]))
    def resume(self, source):
        assert (sources.resume(self.database, source) is not None) is (source in self.paused)
        self.paused.discard(source)

    @rule(slot=SLOTS, places=SOME)
    def give_back(self, slot, places):
        worker = self.worker(slot)
        chosen = self.of(places, worker.known)
        worker.claim.give_back([p.id for p in chosen], reason="paused")
        if any(p.id not in worker.begun for p in chosen):
            self.answered("give_back")
        worker.had -= {p.id for p in chosen} - worker.begun
        for prompt in chosen:
            if prompt.id not in worker.begun and (prompt.status, prompt.token) == ("claimed", worker.token):
                prompt.move("pending")

    @staticmethod
    def take(worker, prompt):
        prompt.move("claimed", worker.token)
        worker.attempts[prompt.id] = prompt.attempts
        worker.begun.discard(prompt.id)
        worker.known.add(prompt.id)
        worker.had.add(prompt.id)
        worker.texts[prompt.id] = prompt.text

    def return_abandoned(self):
        for prompt in self.prompts.values():
            if prompt.status == "claimed" and (prompt.expired or prompt.token not in self.locked):
                prompt.move("failed" if prompt.attempts >= MAX_ATTEMPTS else "pending")

    @rule(batch=st.integers(1, 3))
    def claim_at_the_same_moment(self, batch):
        """Who gets which is for the database; that nobody gets another's, and none is left, is not."""
        pair = [self.worker(0), self.worker(1)]
        tokens = {worker.token for worker in pair}
        if not tokens <= self.locked or any(p.expired and p.token in tokens for p in self.prompts.values()):
            return  # one would lose to the other what it is just told to have: nothing but the fence helps there
        self.lost = self.armed = None
        self.return_abandoned()
        before = {
            worker.token: {p.id for p in self.prompts.values() if (p.status, p.token) == ("claimed", worker.token)}
            for worker in pair
        }
        waiting = {p.id for p in self.waiting()}
        taken = {}
        barrier = threading.Barrier(2)

        def work(worker):
            barrier.wait()
            taken[worker.token] = {each.id for each in worker.claim.take(batch)} - before[worker.token]

        threads = [threading.Thread(target=work, args=(worker,)) for worker in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one, two = taken.values()
        assert not one & two
        assert one | two <= waiting
        assert len(one | two) <= min(len(waiting), 2 * batch)
        for worker in pair:
            for prompt_id in taken[worker.token]:
                self.take(worker, self.prompts[prompt_id])

    @rule(slot=SLOTS, places=SOME)
    def begin_drawing(self, slot, places):
        worker = self.worker(slot)
        chosen = [p for p in self.of(places, worker.known) if p.id not in worker.begun]
        held = any((p.status, p.token) == ("claimed", worker.token) for p in self.prompts.values())
        is_lost = bool(chosen) and not held
        others = [p for p in chosen if p.status in WORKED_ON and p.token != worker.token]
        with pytest.raises(ClaimLost if others else NothingLeft) if is_lost else nullcontext():
            worker.claim.begin_drawing([p.id for p in chosen])
        if chosen:
            self.answered("begin_drawing")
        if is_lost:
            return
        for prompt in chosen:
            worker.begun.add(prompt.id)
            if (prompt.status, prompt.token) == ("claimed", worker.token):
                prompt.attempts = worker.attempts[prompt.id] + 1

    @rule(slot=SLOTS)
    def refund(self, slot):
        worker = self.worker(slot)
        worker.claim.refund()
        self.answered("refund")
        for prompt_id in worker.begun:
            prompt = self.prompts[prompt_id]
            if (prompt.status, prompt.token) == ("claimed", worker.token):
                prompt.attempts = worker.attempts[prompt_id]
        worker.begun.clear()

    @rule(slot=SLOTS, places=SOME)
    def catalogued(self, slot, places):
        worker = self.worker(slot)
        chosen = self.of(places, worker.known)
        if not chosen:
            return

        def work(connection):
            hashes = {p.id: recipe_hash(p.id, worker.texts[p.id]) for p in chosen}
            ids = images.record(connection, [entry(each) for each in sorted(set(hashes.values()))])
            return worker.claim.generated(connection, {i: ids[each] for i, each in hashes.items()})

        states = self.database.transact("catalogue", work)
        self.answered("catalogue")
        before = {p.id for p in chosen if p.status in ("ready", "awaiting_approval")}  # they may have this very picture
        ours = [p for p in chosen if p.token == worker.token and p.status in ("claimed", "generated")]
        for prompt in ours:
            if prompt.publish == "picture":
                prompt.move("ready")
            elif prompt.needs_approval:
                prompt.move("awaiting_approval")
            else:
                prompt.status = "generated"
        assert {p.id for p in ours} <= states.keys() <= {p.id for p in ours} | before
        assert states == {p.id: p.status for p in chosen if p.id in states}

    @rule(slot=SLOTS, places=SOME)
    def fail(self, slot, places):
        worker = self.worker(slot)
        chosen = self.of(places, worker.known)
        worker.claim.fail({p.id: "NaN" for p in chosen})
        if chosen:
            self.answered("fail")
        for prompt in chosen:
            if (prompt.status, prompt.token) == ("claimed", worker.token):
                prompt.attempts += prompt.id not in worker.begun
                prompt.move("failed" if prompt.attempts >= MAX_ATTEMPTS else "pending")

    @rule(slot=SLOTS, places=SOME)
    def reject(self, slot, places):
        worker = self.worker(slot)
        chosen = self.of(places, worker.known)
        worker.claim.reject({p.id: "blank" for p in chosen})
        if chosen:
            self.answered("reject")
        for prompt in chosen:
            if prompt.token == worker.token and prompt.status in ("claimed", "generated"):
                prompt.move("rejected")

    @rule(slot=SLOTS)
    def publish(self, slot):
        worker = self.worker(slot)
        self.database.transact("publish", partial(publish.publish_some, worker.claim))
        for _ in range(2 if self.answered("publish") == "after" else 1):  # its answer lost, it publishes the next too
            self.published(worker)

    def published(self, worker):
        far = datetime.max.replace(tzinfo=UTC)
        due = [
            p
            for p in self.prompts.values()
            if p.status == "generated"
            and (p.publish_at is None or p.publish_at <= datetime.now(UTC))
            and (p.token in (None, worker.token) or p.expired or p.token not in self.locked)
        ]
        due.sort(key=lambda p: (p.publish_at is not None, p.publish_at or far, p.id))
        for prompt in due[:PUBLISHED_AT_ONCE]:
            if not prompt.post and prompt.slug and any(p.post and p.slug for p in self.prompts.values()):
                prompt.move("rejected")
            elif prompt.theirs and not prompt.needs_approval:
                prompt.needs_approval = True
                prompt.move("awaiting_approval")
            else:
                prompt.post, prompt.hidden, prompt.theirs = True, False, False
                prompt.move("published")

    @rule(slot=SLOTS, places=SOME, again=st.booleans())
    def work_off(self, slot, places, again):
        """What a run does that nothing befalls; `again`, also with what had ended."""
        self.claim(slot, 3, places if again else None)
        self.begin_drawing(slot, places)
        self.catalogued(slot, places)
        self.publish(slot)

    @rule(slot=SLOTS, places=SOME, refunded=st.booleans())
    def draw_in_vain(self, slot, places, refunded):
        """The tries of a bucket are spent, or given back, and the same worker takes the prompts again."""
        self.claim(slot, 3, None)
        self.begin_drawing(slot, places)
        if refunded:
            self.refund(slot)
        self.fail(slot, places)
        self.claim(slot, 3, None)
        self.fail(slot, places[:1])

    # ---- what befalls workers

    @rule(slot=SLOTS, what=st.sampled_from(["the lease ends", "the lock is lost"]))
    def taken_over(self, slot, what):
        """The other takes what this one claimed, and this one does not know."""
        self.claim(slot, 3, None)
        self.befalls(slot, what)
        self.claim(1 - slot, 3, None)

    @rule(slot=SLOTS)
    def the_heart_beats(self, slot):
        worker = self.worker(slot)
        if worker.token not in self.locked:
            self.the_lock_is_back(worker)
        with self.database.transaction() as connection:
            connection.execute(queue.SQL["renew"], {"token": worker.token, "lease": timedelta(hours=1)})
        for prompt in self.prompts.values():
            if prompt.token == worker.token:
                prompt.expired = False

    @rule(slot=SLOTS, what=st.sampled_from(["the lease ends", "the lock is lost", "the worker dies"]))
    def befalls(self, slot, what):
        worker = self.worker(slot)
        if what == "the lease ends":
            self.the_lease_ends(worker)
        elif what == "the lock is lost":
            self.the_lock_is_lost(worker)
        else:
            del self.workers[slot]
            self.end(worker)

    def the_lease_ends(self, worker):
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE prompts SET lease_expires_at = now() - interval '1 second' WHERE claim_token = %s",
                [worker.token],
            )
        for prompt in self.prompts.values():
            prompt.expired = prompt.expired or prompt.token == worker.token

    def the_lock_is_lost(self, worker):
        """The claim does not know; it goes on."""
        with self.database.transaction() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND classid = 1735156068 AND objid = %s",
                [worker.token],
            )
        self.locked.discard(worker.token)

    def the_lock_is_back(self, worker):
        self.end(worker)
        worker.claim._stop = threading.Event()
        connection = self.database.connect(autocommit=True, application_name=f"glad-hold {worker.claim._worker}")
        assert Claim._lock(connection, worker.token)
        worker.claim._heart = threading.Thread(target=worker.claim._beat, args=(connection,), daemon=True)
        worker.claim._heart.start()
        self.locked.add(worker.token)

    @rule(slot=SLOTS)
    def close(self, slot):
        if (worker := self.workers.pop(slot, None)) is None:
            return
        worker.claim.close()
        self.locked.discard(worker.token)
        self.unlocked(worker.token)
        if self.answered("release") == "before":  # a claim that ends does not ask twice
            return
        for prompt in self.prompts.values():
            if (prompt.status, prompt.token) == ("claimed", worker.token):
                prompt.move("failed" if prompt.attempts >= MAX_ATTEMPTS else "pending")
            elif prompt.token == worker.token:
                prompt.move(prompt.status)

    @rule(
        point=st.sampled_from(
            ["claim", "give_back", "begin_drawing", "refund", "reject", "fail", "catalogue", "publish", "release"]
        ),
        when=st.sampled_from(["before", "after"]),
    )
    def an_answer_will_be_lost(self, point, when):
        """The next transaction of that name loses its connection, just before or just after it is committed."""
        self.lost = self.armed = f"{point}.{when}"

        def lose(reached):
            if reached == self.lost:
                self.lost = None
                raise psycopg.OperationalError("the connection is lost")

        failpoints.arm(lose)

    def answered(self, point):
        """When the transaction that just ran lost its answer: `before` or `after` its commit; None if it did not."""
        if self.armed is None or self.lost is not None:
            return None
        name, _, when = self.armed.partition(".")
        self.armed = None
        return when if name == point else None

    # ---- people

    @rule(what=st.sampled_from(["cancel", "retry", "approve", "reject", "discard"]), places=SOME)
    def a_person(self, what, places):
        allowed, status = {
            "cancel": (management.CANCELLABLE, "cancelled"),
            "retry": (management.RETRIABLE, "pending"),
            "approve": (management.REVIEWABLE, "generated"),
            "reject": (management.REVIEWABLE, "rejected"),
            "discard": (management.DISCARDABLE, "cancelled"),
        }[what]
        chosen = self.of(places)
        words = {"reason": "no"} if what in ("reject", "discard") else {}
        changes = getattr(management, what)(self.database, [prompt.id for prompt in chosen], **words)
        moved = [prompt for prompt in chosen if prompt.status in allowed]
        assert list(changes.changed) == [prompt.id for prompt in moved]
        for prompt in moved:
            prompt.move(status)
            if what == "retry":
                prompt.attempts, prompt.old = 0, False

    @rule(places=SOME)
    def edit(self, places):
        """What decides their pictures: none is published, by whichever run, that was drawn from what was before."""
        for prompt in self.of(places):
            text = {"prompt": f"hill {prompt.text + 1}"}
            if prompt.status == "published" or (prompt.post and not prompt.hidden):
                with pytest.raises(GladError, match="is published"):
                    editing.edit_prompt(self.database, prompt.id, text)
                continue
            done = editing.edit_prompt(self.database, prompt.id, text)
            assert done.redrawn is (prompt.status in ("claimed", "generated", "awaiting_approval", "ready"))
            prompt.text += 1
            if done.redrawn:
                prompt.move("pending")
            if prompt.status == "pending":
                prompt.attempts = 0

    @rule(places=SOME, publish=st.sampled_from(["post", "picture"]))
    def ask_for(self, places, publish):
        """A post of what was to be a picture alone, or no post of what was to be one."""
        for prompt in self.of(places):
            is_shown = prompt.post and not prompt.hidden and prompt.publish != publish
            if prompt.status == "published" or is_shown:
                with pytest.raises(GladError, match="is published"):
                    editing.edit_prompt(self.database, prompt.id, {"publish": publish})
                continue
            done = editing.edit_prompt(self.database, prompt.id, {"publish": publish})
            assert done.changed == (() if prompt.publish == publish else ("publish",))
            prompt.publish = publish
            if publish == "picture" and prompt.status in ("generated", "awaiting_approval"):
                prompt.move("ready")
            elif publish == "post" and prompt.status == "ready":
                prompt.move("generated")

    @rule(place=st.integers(0, 5))
    def show_another_picture(self, place):
        """A person's choice, which stays until a person approves the next one."""
        chosen = [prompt for prompt in self.prompts.values() if prompt.post]
        if not chosen:
            return
        prompt = chosen[place % len(chosen)]
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE posts SET featured_image_url = %s FROM prompts"
                " WHERE prompts.id = %s AND posts.id = prompts.published_post_id",
                [THEIRS, prompt.id],
            )
        prompt.theirs = True

    @rule(place=st.integers(0, 5))
    def unpublish(self, place):
        chosen = [prompt for prompt in self.prompts.values() if prompt.post]
        if not chosen:
            return
        prompt = chosen[place % len(chosen)]
        with self.database.transaction() as connection:
            found = "SELECT published_post_id AS post FROM prompts WHERE id = %s"
            post = connection.execute(found, [prompt.id]).fetchone()["post"]
        taken = takedown.unpublish(self.database, str(post), reason="asked for", keep_picture=True)
        assert bool(taken.hidden) is not prompt.hidden
        prompt.hidden = True
        if prompt.status in (*management.CANCELLABLE, "published", "ready"):
            prompt.move("cancelled")

    # ---- after every step

    @invariant()
    def every_row_is_what_the_model_says(self):
        with self.database.transaction() as connection:
            rows = connection.execute(
                "SELECT id, status, claim_token, attempts, image_id, published_post_id, last_error,"
                " lease_expires_at < now() AS expired,"
                " (SELECT recipe_hash FROM images WHERE images.id = image_id) AS drawn FROM prompts ORDER BY id"
            ).fetchall()
            posts = {row["id"]: row["status"] for row in connection.execute("SELECT id, status FROM posts")}
            found = connection.execute("SELECT id FROM posts WHERE featured_image_url = %s", [THEIRS])
            theirs = {row["id"] for row in found}
            told = {row["subject"] for row in connection.execute("SELECT subject FROM outbox")}
            alive = live_workers(connection)
            last = "SELECT DISTINCT ON (prompt_id) prompt_id, event FROM prompt_events ORDER BY prompt_id, id DESC"
            said = {row["prompt_id"]: SAYS[row["event"]] for row in connection.execute(last)}
        assert {r["id"]: said.get(r["id"], "pending") for r in rows} == {r["id"]: r["status"] for r in rows}
        assert {r["id"]: (r["status"], r["claim_token"], r["attempts"], bool(r["expired"])) for r in rows} == {
            p.id: (p.status, p.token, p.attempts, p.expired) for p in self.prompts.values()
        }
        assert {r["id"] for r in rows if r["published_post_id"]} == {p.id for p in self.prompts.values() if p.post}
        assert sorted(posts) == sorted(r["published_post_id"] for r in rows if r["published_post_id"])
        assert all(r["published_post_id"] for r in rows if r["status"] == "published")
        assert {posts[r["published_post_id"]] for r in rows if r["status"] == "published"} <= {"published"}
        hidden = {r["published_post_id"] for r in rows if self.prompts[r["id"]].hidden}
        assert {post for post, status in posts.items() if status == "draft"} == hidden
        assert theirs == {r["published_post_id"] for r in rows if self.prompts[r["id"]].theirs}
        assert told == {f"post:{post}" for post in posts}
        for row in rows:
            if row["status"] in ("generated", "awaiting_approval", "published", "ready"):
                assert row["drawn"] == recipe_hash(row["id"], self.prompts[row["id"]].text)
        assert all(r["attempts"] <= MAX_ATTEMPTS for r in rows)
        assert all(r["last_error"] for r in rows if r["status"] in ("failed", "rejected"))
        assert len(alive) == len(self.locked)


def key_of(prompt):
    return prompt.priority, prompt.source


def recipe_hash(prompt_id, text):
    """Two prompts share a picture."""
    return hashlib.sha256(f"{prompt_id // 2}.{text}".encode()).hexdigest()


def entry(found):
    return CatalogueEntry(
        key=original_key(found),
        recipe_hash=found,
        recipe={},
        model="demo",
        model_revision="0" * 40,
        url=f"https://pictures.example/{original_key(found)}",
        sha256=found,
        bytes=1,
        width=8,
        height=8,
        content_type="image/png",
        seconds=None,
        contrast=None,
        provenance={},
        pixels_sha256=None,
        thumbnail_key=None,
        thumbnail_url=None,
    )


def test_the_queue_and_publishing_are_what_their_model_is(migrated_url, monkeypatch):
    monkeypatch.setattr(hold, "GRACE", 0.0)
    monkeypatch.setattr(hold, "PING", 3_600.0)  # hearts beat where the model says
    monkeypatch.setattr(publish, "POSTS_PER_TRANSACTION", PUBLISHED_AT_ONCE)
    with Database(migrated_url, patience=30) as database:
        monkeypatch.setattr(QueueMachine, "database", database, raising=False)
        run_state_machine_as_test(
            QueueMachine,
            settings=settings(
                max_examples=EXAMPLES or 60,
                stateful_step_count=50,
                derandomize=not EXAMPLES,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
            ),
        )
