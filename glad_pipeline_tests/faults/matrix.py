"""Every commit point, broken in every way: what is done, what is broken, and what must be true afterwards.

    python -m glad_pipeline_tests.faults --write docs/reliability.md

runs the whole matrix on servers of its own and writes the outcomes into the document, between its marks. The tests run
the same cells (`test_failpoints.py`). A commit point that `SCENARIOS` does not name is reached by the plain run.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import psycopg

from glad_pipeline import cli, failpoints
from glad_pipeline.database import Database
from glad_pipeline.media import gates
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.storage.keys import original_key
from glad_pipeline.testing.generator import BATCH
from glad_pipeline_tests.faults.cells import side_by_side
from glad_pipeline_tests.faults.document import write_between
from glad_pipeline_tests.faults.invariants import Findings
from glad_pipeline_tests.faults.processes import Child
from glad_pipeline_tests.faults.stores import KIND, KINDS
from glad_pipeline_tests.faults.world import POSTS_BEFORE, World, shorten_grace
from glad_pipeline_tests.own import forget_the_persons, own_settings

Mode = Literal["exception", "lost answer", "kill -9"]
MODES: tuple[Mode, ...] = ("exception", "lost answer", "kill -9")
BEFORE = "00000000-0000-4000-8000-000000000001"  # a post that was there first


class Injected(RuntimeError):
    """The exception of the rig: nothing in the product knows it."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Work that reaches a commit point. Each function is called in a process that has the world in its environment."""

    prepare: Callable[[World], object]
    act: Callable[[World], str | None]  # what is interrupted; returns why it failed, or None
    recover: Callable[[World], Sequence[str | None]] = World.recover
    patient: bool = True  # whether a lost answer must not fail it; a person's command asks once
    redraws: int = 0  # pictures that have to be drawn again
    expect: Callable[[World], str | None] = lambda world: None  # what else must be true: what is wrong, or None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one cell."""

    point: str
    mode: Mode
    hit: bool
    ended: str | None  # the interrupted work: None if it succeeded all the same, else why it failed, or how it died
    recovery: Sequence[str | None]  # each run of the recovery: None, or why it failed
    findings: Findings

    @property
    def faults(self) -> list[str]:
        """Everything that should not be."""
        faults = list(self.findings.broken)
        if not self.hit:
            faults.append(f"the point was not reached: {self.ended}")
        faults += [f"recovery failed: {reason}" for reason in self.recovery if reason]
        if self.findings.redrawn > BATCH + scenario_of(self.point).redraws:
            faults.append(f"{self.findings.redrawn} pictures were redrawn, more than the batch of {BATCH}")
        if self.mode == "lost answer" and self.ended and scenario_of(self.point).patient:
            faults.append(f"a lost answer failed the work: {self.ended}")
        if self.mode == "kill -9" and self.ended != "killed":
            faults.append(f"it was not killed: {self.ended}")
        return faults


# --- scenarios -------------------------------------------------------------------------------------------------------


def a_dozen(world: World) -> None:
    """Prompts of every kind: plain, equal, blank, impossible, for an existing post, to be approved, for later."""
    world.sql(
        "INSERT INTO posts (id, title, slug, content, status) VALUES (%s, 'Before', 'before', 'text', 'published')",
        BEFORE,
    )
    for n in range(5):
        world.add(f"a hill {n}", title=f"Hill {n}", seed=n, category="Land", author="Ada")
    for n in range(2):
        world.add("a twin", title=f"Twin {n}", seed=7)
    world.add("a BLANK one", title="Blank", seed=8)
    world.add("an UNDRAWABLE one", title="Undrawable", seed=9)
    world.add("for a post", post_id=BEFORE, seed=10)
    world.add("to be approved", title="Approve me", seed=11, needs_approval=True)
    world.add("a picture alone", title="Alone", seed=13, publish="picture")
    world.add("for later", title="Later", seed=12, publish_at="2100-01-01")


def a_post_to_hide(world: World) -> None:
    a_dozen(world)
    assert world.run() is None


def a_bucket_in_disorder(world: World) -> None:
    """An object gone, one damaged, and one that nobody knows."""
    a_post_to_hide(world)
    gone, damaged = [row["key"] for row in world.sql("SELECT key FROM images ORDER BY id LIMIT 2")]
    world.store.delete([gone, damaged])
    for key, body in ((damaged, b"not a picture"), (original_key("ab" * 32), b"nobody's")):
        world.store.put_once(key, body, content_type="image/png", metadata={})


def pictures_of_yesterday(world: World) -> None:
    """Drawn and due, one of them no longer in the bucket."""
    a_post_to_hide(world)
    world.sql("UPDATE prompts SET publish_at = now() WHERE title = 'Later'")
    world.sql("UPDATE prompts SET status = 'generated' WHERE title = 'Approve me'")
    world.sql("UPDATE images SET verified_at = now() - interval '1 day'")
    [image] = world.sql("SELECT key FROM images JOIN prompts ON image_id = images.id WHERE title = 'Later'")
    world.store.delete([image["key"]])


def without_the_gate(world: World) -> str | None:
    """A blank picture comes as far as the check before publishing."""
    gates.problem_of = lambda pixels: None
    return world.run()


def claim_and_give_back(world: World) -> str | None:
    """What a run does with prompts that it is not to begin, a pause having come."""
    with Database(os.environ["DATABASE_URL"], patience=30) as database:
        claim = Claim(database, worker="gives back", lease=timedelta(seconds=60), max_attempts=3).open()
        with claim:
            mine = claim.take(6)
            claim.begin_drawing([mine[0].id])
            claim.give_back([each.id for each in mine], reason="all is paused")
    return None


def is_held(world: World) -> str | None:
    [row] = world.sql("SELECT status, last_error FROM prompts WHERE title = 'Blank'")
    is_held = row["status"] == "awaiting_approval" and "blank" in (row["last_error"] or "")
    return None if is_held else f"the blank one is {row}"


def glad(*words: str) -> str | None:
    """A command by a person: None, or why it failed."""
    said = io.StringIO()
    with redirect_stderr(said):
        code = cli.main([*words])
    return None if code == 0 else f"exit {code}: {said.getvalue()}"


def unpublish(world: World) -> str | None:
    return glad("posts", "unpublish", HIDDEN, "--reason", "not ours to show")


def mend(world: World) -> str | None:
    return glad("audit", "--fix", "--deep", "--grace", "0s", "--at-most", "10")


def is_hidden(world: World) -> str | None:
    [post] = world.sql("SELECT status, featured_image_url FROM posts WHERE slug = %s", HIDDEN)
    return None if (post["status"], post["featured_image_url"]) == ("draft", None) else f"the post is {post}"


def with_renditions(world: World) -> str | None:
    os.environ.update(RENDITIONS)
    return world.run()


def make_renditions(world: World) -> str | None:
    os.environ.update(RENDITIONS)
    return glad("renditions", "make")


def have_renditions(world: World) -> str | None:
    lacking = world.sql("SELECT key FROM images WHERE id NOT IN (SELECT image_id FROM renditions)")
    return f"without renditions: {lacking}" if lacking else None


def pictures_without_renditions(world: World) -> None:
    """Posts of before, whose pictures have renditions since."""
    a_post_to_hide(world)
    assert make_renditions(world) is None


def renew_posts(world: World) -> str | None:
    os.environ.update(RENDITIONS)
    return glad("renditions", "make", "--posts")


def show_renditions(world: World) -> str | None:
    left = world.sql("SELECT id FROM posts WHERE status = 'published' AND NOT metadata ? 'featured_image_data'")
    return f"posts without renditions: {left}" if left else None


RENDITIONS = {"GLAD_RENDITIONS": "webp", "GLAD_RENDITION_WIDTHS": "native"}


def a_cdn_that_is_gone(world: World) -> None:
    """All that is published is shown by an address that is no more."""
    a_post_to_hide(world)
    now = world.store.url("").rstrip("/")
    world.sql("UPDATE images SET url = replace(url, %s, %s)", now, GONE)
    world.sql(
        "UPDATE posts SET featured_image_url = replace(featured_image_url, %s, %s),"
        " cover_image_url = replace(cover_image_url, %s, %s)",
        *(now, GONE) * 2,
    )


def rewrite(world: World) -> str | None:
    return glad("urls", "rewrite", "--from", GONE, "--to", world.store.url(""), "--yes")


def shows_nothing_gone(world: World) -> str | None:
    left = world.sql("SELECT id FROM posts WHERE strpos(to_jsonb(posts)::text, %s) > 0", GONE)
    return f"posts show the old address: {left}" if left else None


GONE = "http://gone.example/pictures"
HIDDEN = "hill-0"
TAKEDOWN = Scenario(
    prepare=a_post_to_hide,
    act=unpublish,
    recover=lambda world: [unpublish(world), *world.recover()],
    patient=False,
    expect=is_hidden,
)
MENDING = Scenario(
    prepare=a_bucket_in_disorder,
    act=mend,
    recover=lambda world: [mend(world), *world.recover()],
    patient=False,
    redraws=2,
)
PLAIN_RUN = Scenario(prepare=a_dozen, act=World.run)
WHILE_DRAWING = Scenario(prepare=a_dozen, act=lambda world: world.run(world.sdxl(seconds_each=0.1)))
SCENARIOS: dict[str, Scenario] = {  # by commit point
    "give_back": Scenario(prepare=a_dozen, act=claim_and_give_back),
    "refund": Scenario(prepare=a_dozen, act=lambda world: world.run(world.sdxl(breaks_after=6)), patient=False),
    "catalogue": WHILE_DRAWING,
    "publish": WHILE_DRAWING,
    "look_again": Scenario(prepare=pictures_of_yesterday, act=World.run, redraws=1),
    "hold_back": Scenario(
        prepare=a_dozen,
        act=without_the_gate,
        recover=lambda world: [without_the_gate(world), *world.recover()],
        expect=is_held,
    ),
    "quarantine": MENDING,
    "audit_fix": MENDING,
    "takedown": TAKEDOWN,
    "rendition": Scenario(
        prepare=a_dozen,
        act=with_renditions,
        recover=lambda world: [*world.recover(), make_renditions(world)],
        expect=have_renditions,
    ),
    "renditions": Scenario(
        prepare=a_post_to_hide,
        act=make_renditions,
        recover=lambda world: [make_renditions(world), *world.recover()],
        patient=False,
        expect=have_renditions,
    ),
    "rewrite_urls": Scenario(
        prepare=a_cdn_that_is_gone,
        act=rewrite,
        recover=lambda world: [rewrite(world), *world.recover()],
        expect=shows_nothing_gone,
    ),
    "renew_posts": Scenario(
        prepare=pictures_without_renditions,
        act=renew_posts,
        recover=lambda world: [renew_posts(world), *world.recover()],
        expect=show_renditions,
    ),
    "thumbnail": Scenario(prepare=a_dozen, act=lambda world: world.run(world.sdxl(side=300))),
}
# which time it is reached; else the first
OCCURRENCE = {
    "begin_drawing.before": 2,
    "begin_drawing.after": 2,
    "spool.before": 3,
    "spool.after": 3,
    "store.after": 2,
    "rewrite_urls.before": 3,  # that of the posts, after images and prompts
    "rewrite_urls.after": 3,
}
# commit points of other things than the database
NO_TRANSACTION = {"mark_bucket", "spool", "thumbnail", "rendition", "store", "unspool", "deliver", "quarantine"}


def scenario_of(point: str) -> Scenario:
    return SCENARIOS.get(point.rpartition(".")[0], PLAIN_RUN)


# --- one cell --------------------------------------------------------------------------------------------------------


def interrupted(point: str, mode: Mode, mark: str) -> tuple[str | None, Sequence[str | None], Findings] | None:
    """In a process of its own: work, broken at the point; then, if it still lives, recovery and the invariants."""
    times = itertools.count(1)

    def action(name: str) -> None:  # on any thread
        if name != point or next(times) != OCCURRENCE.get(point, 1):
            return
        Path(mark).touch()
        if mode == "kill -9":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "lost answer":
            raise psycopg.OperationalError("the connection was lost, says the rig")
        raise Injected(point)

    world = World()
    scenario = scenario_of(point)
    scenario.prepare(world)
    failpoints.arm(action)
    try:
        ended = scenario.act(world)
    except Exception as error:
        ended = f"{type(error).__name__}: {error}"
    finally:
        failpoints.arm(None)
    shorten_grace()
    return ended, *_recovered(scenario, world)


def recovered(point: str) -> tuple[Sequence[str | None], Findings]:
    """In a process of its own: recovery and the invariants."""
    shorten_grace()
    return _recovered(scenario_of(point), World())


def _recovered(scenario: Scenario, world: World) -> tuple[list[str | None], Findings]:
    recovery = [*scenario.recover(world)]
    return [*recovery, scenario.expect(world)], world.examine()


def cell(point: str, mode: Mode, environment: Mapping[str, str], folder: Path) -> Outcome:
    """Break `point` in this way in a fresh world; `environment` names its database and bucket."""
    mark = folder / "hit"
    environment = {
        **environment,
        POSTS_BEFORE: BEFORE,
        "GLAD_DATABASE_PATIENCE_SECONDS": "10",
    }
    log = folder / "log"
    child = Child(interrupted, point, mode, str(mark), environment=environment, log=log)
    first = child.wait()
    if first.result is not None:
        ended, recovery, findings = first.result
    else:
        ended = "killed" if first.killed else f"exit {first.exitcode}: {first.log}"
        second = Child(recovered, point, environment=environment, log=log).wait()
        assert second.result is not None, f"the recovery died:\n{second.log}"
        recovery, findings = second.result
    return Outcome(point=point, mode=mode, hit=mark.exists(), ended=ended, recovery=recovery, findings=findings)


# --- the whole matrix ------------------------------------------------------------------------------------------------


def cells() -> list[tuple[str, Mode]]:
    """Every point in every way. An answer can be lost after a commit only."""
    return [
        (point, mode)
        for point in failpoints.POINTS
        for mode in MODES
        if mode != "lost answer" or (point.endswith(".after") and point.removesuffix(".after") not in NO_TRANSACTION)
    ]


def run_matrix(
    stack: Mapping[str, str], folder: Path, wanted: Sequence[tuple[str, Mode]], *, tell: Callable[[Outcome], object]
) -> list[Outcome | Exception]:
    """Run these cells on the servers of `stack`; `tell` hears of each as it ends."""

    def run(wanted: tuple[str, Mode], environment: dict[str, str], own: Path) -> Outcome:
        outcome = cell(*wanted, environment, own)
        tell(outcome)
        return outcome

    return side_by_side(stack, folder, wanted, run)


# --- the document ----------------------------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as Markdown: a row for each commit point and side of it."""
    by_cell = {(o.point, o.mode): o for o in outcomes}
    lines = [
        "| commit point | what becomes true there | " + " | ".join(MODES) + " |",
        "|---|---|" + "---|" * len(MODES),
    ]
    for point in failpoints.POINTS:
        name, _, when = point.rpartition(".")
        told = failpoints.COMMIT_POINTS[name] if when == "before" else ""
        row = [_words(by_cell.get((point, mode))) for mode in MODES]
        lines.append(f"| `{point}` | {told} | {' | '.join(row)} |")
    return "\n".join(lines)


def _words(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    if outcome.faults:
        return "**" + "; ".join(outcome.faults)[:200].replace("|", "/").replace("\n", " ") + "**"
    redrawn = f", {outcome.findings.redrawn} redrawn" if outcome.findings.redrawn else ""
    return ("went on" if outcome.ended is None else "next run finished") + redrawn


def documented(document: Path) -> list[str]:
    """The points that the document's table names."""
    return re.findall(r"^\| `(\w+\.(?:before|after))` \|", document.read_text(encoding="utf-8"), flags=re.MULTILINE)


def main() -> None:
    from glad_pipeline.local import stack

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT")
    parser.add_argument("--only", default="", help="points that contain this")
    parser.add_argument("--store", choices=KINDS, default="s3", help="what keeps the pictures")
    args = parser.parse_args()
    forget_the_persons()
    wanted = [(point, mode) for point, mode in cells() if args.only in point]
    with tempfile.TemporaryDirectory(prefix="glad-matrix-") as folder:
        settings = own_settings(Path(folder) / "home")
        try:
            servers = {**stack.ensure(settings, foreground=True), KIND: args.store}
            done = run_matrix(servers, Path(folder) / "cells", wanted, tell=_tell)
        finally:
            stack.stop(settings)
    outcomes = [outcome for outcome in done if isinstance(outcome, Outcome)]
    for error in [outcome for outcome in done if isinstance(outcome, Exception)]:
        print(f"a cell could not be run: {error}")
    if args.write:
        write_between(args.write, "failpoints", "python -m glad_pipeline_tests.faults", table(outcomes))
    good = sum(not outcome.faults for outcome in outcomes)
    print(f"{len(done)} cells, {len(done) - good} broken")
    sys.exit(good < len(done))


def _tell(outcome: Outcome) -> None:
    print(
        f"{outcome.point:24} {outcome.mode:16} {outcome.findings}  {'; '.join(outcome.faults)[:300] or 'ok'}",
        flush=True,
    )
