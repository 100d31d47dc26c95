"""What Dagster is yet to tell: this run's posts and prompts put aside, and those of runs that died before they were.

Whether a run is over, and whether it has reported, is asked of Dagster; what there is to report is the queue's to know.
"""

from collections.abc import Collection, Sequence
from typing import Any

import dagster as dg

from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.display import ranges

PROMPT_IDS = "prompt_ids"  # metadata: of which prompts a materialization is, as ranges


def rows(ids: Sequence[int]) -> dict[str, Any]:
    """What Dagster calls the rows of a table, and which they are: who loads the asset gets these."""
    return {"dagster/row_count": len(ids), PROMPT_IDS: ranges(list(ids))}


def claimed_in_all(context: dg.OutputContext, names: Names, ids: Sequence[int]) -> None:
    """The asset `prompts` was made before this run had claimed all of these: it is made once more, of all of them.

    With the version of before, which what was made of them names: nothing is stale by it. Where another run has made
    the asset, nothing.
    """
    key = names.key("prompts")
    made = context.step_context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    for entry in made:
        if entry.dagster_event and entry.dagster_event.asset_key == key:
            tags = entry.dagster_event.step_materialization_data.materialization.tags
            context.log_event(dg.AssetMaterialization(key, metadata={"claimed": len(ids), **rows(ids)}, tags=tags))
            return


def posts_to_list(context: dg.AssetExecutionContext, ours: Resources) -> list[int]:
    """The prompts whose posts no materialization of this asset lists."""

    def is_listed(run_id: str) -> bool:
        made = context.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        return any(each.dagster_event and each.dagster_event.asset_key == context.asset_key for each in made)

    reports = ours.queue.reports(published=True)
    reports.of_the_gone(is_over=ours.queue.is_over, is_told=is_listed)
    return list(reports.waiting())


def posts_are_listed(ours: Resources, prompts: list[int]) -> None:
    """By a materialization that Dagster has."""
    ours.queue.reports(published=True).done(prompts)


def put_aside(ours: Resources) -> dict[int, str]:
    """The prompts that were rejected or failed, and that no check has named, with the reasons."""
    reports = ours.queue.reports(published=False)
    reports.of_the_gone(is_over=ours.queue.is_over)
    return {prompt_id: reason or "" for prompt_id, reason in reports.waiting().items()}


def put_aside_is_named(ours: Resources, prompts: Collection[int]) -> None:
    """By a check that Dagster has."""
    ours.queue.reports(published=False).done(prompts)
