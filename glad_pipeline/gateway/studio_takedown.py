"""What follows a takedown that the studio has asked for: others are told, for as long as that takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import Response
from pydantic import Field

from glad_pipeline.gateway.callers import Caller
from glad_pipeline.gateway.job_results import Job
from glad_pipeline.gateway.jobs import Jobs, Tell
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import State
from glad_pipeline.gateway.studio_answers import Told, answer

if TYPE_CHECKING:
    from glad_pipeline.operations.takedown import TakenDown


class Takedown(Told):
    """What a takedown has changed, and what has become of its messages."""

    hidden: list[str] = Field(description="slugs of posts that are drafts now")
    cleared: list[str] = Field(description="slugs of posts that stay, without the picture")
    restored: dict[str, str] = Field(description="slugs of posts, with the picture, not ours, that they show again")
    removed: list[str] = Field(description="keys of pictures that are removed and blocked")
    kept: dict[str, str] = Field(description="keys of pictures that stay, with the reason")
    prompts: list[int] = Field(description="cancelled or rejected")
    changed: bool = Field(description="false: it was so already")
    done: bool = Field(description="everybody was told; false: the outbox goes on telling")
    messages: list[dict[str, Any]]
    forgotten: list[str] = Field(description="what else was removed of our own traces")
    others_may_hold: list[str]


class TakedownAnswer(Told):
    """A takedown: of rows it is done; `meta.job` follows what others are told."""

    data: Takedown
    meta: dict[str, str | None]


async def told(state: State, jobs: Jobs, caller: Caller, taken: Sequence[TakenDown]) -> Job | None:
    """Have others told of these takedowns, which are done. None: there is nothing to tell, or too much goes on.

    Its messages are in the outbox already: whoever delivers those next tells what is not told here.
    """
    if not taken:
        return None

    from glad_pipeline.operations.follow_up import follow_up
    from glad_pipeline.operations.removal import removal_of

    def work(tell: Tell) -> list[dict[str, Any]]:
        done = []
        for number, each in enumerate(taken, 1):
            tell(lambda: f"{number} of {len(taken)} takedowns")  # noqa: B023  called at once
            removal = removal_of(state.settings, state.database)
            done.append(follow_up(state.database, state.settings, removal, each).as_dict())
        return done

    try:
        return await jobs.begin("takedown", caller.name, work)
    except Problem:
        return None


async def answer_of(state: State, jobs: Jobs, caller: Caller, taken: TakenDown) -> Response:
    """Of one takedown: 200 once all is told, 202 while that goes on."""
    from glad_pipeline.operations.follow_up import FollowUp

    job = await told(state, jobs, caller, [taken])
    if job is not None and job.state == "done":
        return answer(job.result[0], meta={"job": job.path})
    so_far = FollowUp(taken=taken, messages=[], forgotten=[], remaining=[])
    return answer({**so_far.as_dict(), "done": False}, 202, meta={"job": job and job.path})
