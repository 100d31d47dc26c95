"""Whether a run is asked for now: by what is ready, by the runs under way, and by how the last ones went.

Pure decisions, the same for every door. A run that is asked for twice is harmless: these only avoid runs that would
find nothing, would have to queue behind others, or would fail as the last ones did.
"""

from __future__ import annotations

from dataclasses import dataclass

from glad_pipeline.prompts.queue_state import Readiness

EVERY_SECONDS = 5  # as Dagster's daemon does
LONGEST_PAUSE = 300.0  # seconds between runs when they keep failing


NOTHING_READY = "no prompt is pending and no picture is due"
NOTHING_OVERDUE = "no message is due"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentRuns:
    """How the newest runs of the job went."""

    in_flight: int
    starting: int  # of these: are new and have not claimed any prompt yet
    failures_in_a_row: int
    seconds_since_last: float  # since the newest run ended
    in_vain: str | None = None  # which rows they were holding, if they settled none


def skip_reason(ready: Readiness, lately: RecentRuns, drawing: int) -> str | None:
    """Why no run is asked for now, or None: ask for one. Pure: what is, and what runs, decide.

    `drawing`: how many runs may draw at once. While prompts are pending one more is asked for, so that it can begin as
    soon as one of these ends: on warm workers it is prepared and waits for a drawing slot, else it waits in the queue.
    """
    if not ready:
        return nothing_ready(ready)
    most = drawing + ready.pending
    if lately.in_flight >= most:
        return f"{lately.in_flight} of at most {most} runs are under way and will take what is pending"
    if lately.starting:
        return "a run is about to begin and will take what is pending"
    return _failing(lately)


def nothing_ready(ready: Readiness) -> str:
    """Why there is nothing to do: nothing waits, or what waits is paused."""
    return NOTHING_READY if ready.paused is None else f"what waits is paused: {ready.paused}"


def delivery_skip_reason(due: bool, lately: RecentRuns) -> str | None:
    """Why no run of `deliver_messages` is asked for now, or None: ask for one."""
    if not due:
        return NOTHING_OVERDUE
    if lately.in_flight:
        return "a run is under way and will deliver what is due"
    return _failing(lately)


def _failing(lately: RecentRuns) -> str | None:
    """Why one waits after runs that failed, or None."""
    if not lately.failures_in_a_row:
        return None
    pause = min(EVERY_SECONDS * 2.0**lately.failures_in_a_row, LONGEST_PAUSE)
    if lately.seconds_since_last >= pause:
        return None
    return (
        f"the last {lately.failures_in_a_row} runs failed: the next is asked for in "
        f"{pause - lately.seconds_since_last:.0f} s. The failed runs say what to mend"
        + (f". {lately.in_vain}" if lately.in_vain else "")
    )
