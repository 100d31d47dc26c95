"""The end of the lineage graph: published_posts → site_revalidations. Whoever has to know is told, from the outbox."""

import dagster as dg

from glad_pipeline.defs.assets import GROUP, OWNERS, published_posts
from glad_pipeline.defs.checks import check_of
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.resources import ObjectStoreResource, OutboxResource, PostgresResource
from glad_pipeline.operations import checks
from glad_pipeline.outbox.deliver import deliver


@dg.asset(group_name=GROUP, kinds={"postgres", "http"}, owners=OWNERS, deps=[published_posts])
def site_revalidations(
    context: dg.AssetExecutionContext,
    outbox: OutboxResource,
    object_store: ObjectStoreResource,
    postgres: PostgresResource,
) -> dg.MaterializeResult[None]:
    """The site made to show what has changed, and removed pictures deleted and purged from the CDN: at least once,
    in order per post. Who does not answer is told later; the posts stand.
    """
    with clearly():
        targets = outbox.targets(postgres.database, object_store.unchecked)  # a deletion looks whose bucket it is
        report = deliver(postgres.database, targets, max_attempts=outbox.max_attempts)
    for error in report.errors:
        context.log.warning("not delivered: %s", error)
    return dg.MaterializeResult(
        metadata={
            "delivered": report.delivered,
            "skipped": report.skipped,
            "will_be_tried_again": report.waiting,
            "dead": report.dead,
            **({"errors": report.errors} if report.errors else {}),
        }
    )


no_dead_message = check_of(site_revalidations, checks.no_dead_message, dg.AssetCheckSeverity.WARN)  # the posts stand
