"""The end of the lineage graph: published_posts → site_revalidations. Who has to know is notified, from the outbox."""

import logging

import dagster as dg

from glad_pipeline.defs import versions
from glad_pipeline.defs.failures import as_failure
from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.outbox.deliver import LONG, Report, deliver


def site_revalidations(names: Names) -> dg.AssetsDefinition:
    @names.asset(
        "site_revalidations",
        "postgres",
        "object_store",
        "outbox",
        "image_store",
        kinds={"postgres", "http"},
        deps=[names.key("published_posts")],
        io_manager_key=names.of("queue_rows"),  # which has nothing to write
        code_version="1",
    )
    def site_revalidations(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """The site made to show what has changed, and removed pictures deleted and purged from the CDN: at least once,
        in order per post. Who does not answer is notified later; the posts stand.
        """
        report = deliver_due(names.resources(context), context.log)
        told = {"delivered": report.delivered, "skipped": report.skipped}
        seldom = {"will_be_tried_again": report.waiting, "dead": report.dead, "errors": report.errors}
        versions.tell(context, told | {what: found for what, found in seldom.items() if found})
        return dg.MaterializeResult()

    return site_revalidations


def deliver_due(ours: Resources, log: logging.Logger) -> Report:
    """Notify whoever has to know now. Returns what this run has delivered in all."""
    with as_failure():
        return deliver_some(ours, log, seconds=LONG)


def deliver_some(ours: Resources, log: logging.Logger, *, seconds: float) -> Report:
    """`deliver_due` for about so many seconds; what is not delivered is in the log."""
    database, report = ours.postgres.database, ours.ahead.told
    known = len(report.errors)
    targets = ours.outbox.targets(database, ours.object_store.unchecked)  # a deletion looks whose bucket it is
    deliver(database, targets, max_attempts=ours.outbox.max_attempts, seconds=seconds, report=report)
    for error in report.errors[known:]:
        log.warning("not delivered: %s", error)
    return report
