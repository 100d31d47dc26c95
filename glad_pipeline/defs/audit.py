"""The asset `audit`: bucket and database held against each other, on its own schedule and in its own job."""

from datetime import timedelta
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from glad_pipeline.defs.failures import as_failure
from glad_pipeline.defs.jobs import AUDIT
from glad_pipeline.defs.names import Names
from glad_pipeline.operations.audit.addresses import look_at_addresses, visits_of
from glad_pipeline.operations.audit.report import BROKEN_PROMISES, LEFT_OVER, NOTES, PROBLEMS, Report
from glad_pipeline.operations.audit.walk import audit as look_through

PROMISES = "nothing_lost_doubled_or_dead"
LEFT_OVERS = "nothing_left_over"


class Visited(Enum):
    """Which published pictures are visited by their addresses: a choice, since free text in run config may name a
    variable of the environment."""

    all = "all"
    sample = "sample"
    none = "none"


class AuditConfig(dg.Config):
    """As `glad audit` takes it."""

    fix: bool = Field(default=False, description="Mend what can be mended safely.")
    deep: bool = Field(default=False, description="Read every picture whole and compare its SHA-256.")
    at_most: int | None = Field(
        default=None,
        ge=0,
        description="How many pictures and objects may be moved where that is more than a tenth of all.",
    )
    urls: Visited | None = Field(
        default=None,
        description="Visit published pictures by their addresses: all, sample or none. Absent: a sample, or none where "
        "GLAD_PUBLIC_CHECK is off.",
    )
    grace_seconds: int = Field(default=3_600, ge=0, description="Objects without a row that are younger are spared.")


def audit(names: Names) -> dg.AssetsDefinition:
    key = names.key(AUDIT)

    @names.asset(
        AUDIT,
        "postgres",
        "object_store",
        kinds={"s3", "postgres"},
        deps=[names.key("published_posts")],
        io_manager_key=names.of("queue_rows"),  # which has nothing to write
        check_specs=[
            dg.AssetCheckSpec(PROMISES, asset=key, description="What was promised holds."),
            dg.AssetCheckSpec(LEFT_OVERS, asset=key, description="No orphans, thumbnails or messages to mend."),
        ],
    )
    def audit(context: dg.AssetExecutionContext, config: AuditConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Every object has its row and every row its object, every post its picture, every prompt its end.

        Changes nothing unless asked to; the same as `glad audit`.
        """
        ours = names.resources(context)
        with as_failure():
            visits = visits_of(config.urls and config.urls.value, ours.object_store.public_check)
            database, store = ours.postgres.database, ours.object_store.store
            report = look_through(
                database,
                store,
                grace=timedelta(seconds=config.grace_seconds),
                fix=config.fix,
                deep=config.deep,
                at_most=config.at_most,
            )
            look_at_addresses(database, store, report, visits=visits)
        return dg.MaterializeResult(
            metadata=_figures(report),
            check_results=[
                _check(PROMISES, BROKEN_PROMISES, dg.AssetCheckSeverity.ERROR, report),
                _check(LEFT_OVERS, LEFT_OVER, dg.AssetCheckSeverity.WARN, report),
            ],
        )

    return audit


def _figures(report: Report) -> dict[str, Any]:
    return {
        "objects": report.objects,
        "pictures": report.pictures,
        "remaining": report.remaining(),
        **{kind: report.findings[kind].found for kind in (*PROBLEMS, *NOTES)},
        "report": dg.MetadataValue.md("```text\n" + str(report).replace("```", "") + "\n```"),
    }


def _check(name: str, kinds: tuple[str, ...], severity: dg.AssetCheckSeverity, report: Report) -> dg.AssetCheckResult:
    remaining = report.remaining_in_words(kinds)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not remaining,
        severity=severity,
        description=f"{remaining}: `glad audit` tells which, and the cure of each" if remaining else "nothing is amiss",
        metadata={kind: report.remaining(kind) for kind in kinds},
    )
