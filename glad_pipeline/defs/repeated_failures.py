"""Runs that fail one after the other and settle no prompt: which rows they were holding.

Each run notes the rows that it claims in a tag of the run, so that they are known of a killed one too. Only Dagster's
runs are looked at here; what became of the rows is the queue's to know.
"""

from collections.abc import Collection, Mapping

import dagster as dg

TAG = "glad/holds"  # emptied once something is settled
IN_A_ROW = 3
MOST = 20  # rows that are named
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def note(instance: dg.DagsterInstance, run_id: str, ids: Collection[int]) -> None:
    """This run holds these rows and has settled none of them; empty: it has."""
    first = " ".join(map(str, sorted(ids)[:MOST]))
    if instance.has_run(run_id):
        instance.add_run_tags(run_id, {TAG: first + (f" … {len(ids)} in all" if len(ids) > MOST else "")})


def described(instance: dg.DagsterInstance, ours: Mapping[str, str], *, with_this: str | None = None) -> str | None:
    """Which rows the newest runs were holding in vain, in words, if that has happened IN_A_ROW times; else None.

    `ours`: the tags by which our runs are known. `with_this`: a run that is about to fail counts too.
    """
    before = IN_A_ROW - (with_this is not None)
    records = instance.get_run_records(dg.RunsFilter(tags=dict(ours), statuses=ENDED), limit=before)
    runs = [record.dagster_run for record in records]
    if len(runs) < before or any(run.status != dg.DagsterRunStatus.FAILURE or not run.tags.get(TAG) for run in runs):
        return None
    newest = instance.get_run_by_id(with_this) if with_this else runs[0]
    held = newest.tags.get(TAG) if newest else None
    return held and (
        f"{IN_A_ROW} runs in a row have failed and settled none of their prompts. The newest was holding {held}: "
        "`glad prompts show ID` tells what one asks for, `glad prompts cancel ID` takes it out of the way"
    )
