"""The asset `audit`: bucket and database held against each other, on its own schedule and in its own job."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from glad_pipeline.defs.assets import GROUP, OWNERS, published_posts
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.jobs import AUDIT
from glad_pipeline.defs.resources import ObjectStoreResource, PostgresResource
from glad_pipeline.operations.audit.report import BROKEN_PROMISES, FAULTS, LEFT_OVER, NOTES, Report
from glad_pipeline.operations.audit.walk import audit as look_through


class AuditConfig(dg.Config):
    """As `glad audit` takes it."""

    fix: bool = Field(default=False, description="Mend what can be mended safely.")
    deep: bool = Field(default=False, description="Read every picture whole and compare its SHA-256.")
    at_most: int | None = Field(
        default=None,
        ge=0,
        description="How many pictures and objects may be moved where that is more than a tenth of all.",
    )
    grace_seconds: int = Field(default=3_600, ge=0, description="Objects without a row that are younger are spared.")


@dg.asset(
    name=AUDIT,
    group_name=GROUP,
    kinds={"s3", "postgres"},
    owners=OWNERS,
    deps=[published_posts],
    check_specs=[
        dg.AssetCheckSpec("nothing_lost_doubled_or_dead", asset=AUDIT, description="What was promised holds."),
        dg.AssetCheckSpec("nothing_left_over", asset=AUDIT, description="No orphans, thumbnails or messages to mend."),
    ],
)
def audit(
    context: dg.AssetExecutionContext,
    config: AuditConfig,
    postgres: PostgresResource,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the bare class alone
    """Every object has its row and every row its object, every post its picture, every prompt its end.

    Changes nothing unless told to; the same as `glad audit`.
    """
    with clearly():
        report = look_through(
            postgres.database,
            object_store.store,
            grace=timedelta(seconds=config.grace_seconds),
            fix=config.fix,
            deep=config.deep,
            at_most=config.at_most,
        )
    return dg.MaterializeResult(
        metadata={
            "objects": report.objects,
            "pictures": report.pictures,
            "remaining": report.remaining(),
            **{kind: report.findings[kind].found for kind in (*FAULTS, *NOTES)},
            "report": dg.MetadataValue.md("```text\n" + str(report).replace("```", "") + "\n```"),
        },
        check_results=[
            _check("nothing_lost_doubled_or_dead", BROKEN_PROMISES, dg.AssetCheckSeverity.ERROR, report),
            _check("nothing_left_over", LEFT_OVER, dg.AssetCheckSeverity.WARN, report),
        ],
    )


def _check(name: str, kinds: tuple[str, ...], severity: dg.AssetCheckSeverity, report: Report) -> dg.AssetCheckResult:
    told = report.remaining_in_words(kinds)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not told,
        severity=severity,
        description=f"{told}: `glad audit` tells which, and the cure of each" if told else "nothing is amiss",
        metadata={kind: report.remaining(kind) for kind in kinds},
    )
