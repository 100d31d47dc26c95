"""Schedules: a safety net under the sensor, and the nightly audit."""

import dagster as dg

from glad_pipeline.defs.jobs import AUDIT_JOB, JOB_NAME
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.sensors import Watch
from glad_pipeline.settings import Settings


def publish_prompts_hourly(names: Names, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=names.of("publish_prompts_hourly"),
        job_name=names.of(JOB_NAME),
        cron_schedule="0 * * * *",
        required_resource_keys={names.of("postgres")},
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.schedule else dg.DefaultScheduleStatus.STOPPED,
        description="The sensor's question once an hour, should it be switched off.",
    )
    def publish_prompts_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return Watch(names, settings).ask_once(context)

    return publish_prompts_hourly


def audit_store_daily(names: Names, settings: Settings) -> dg.ScheduleDefinition:
    """Once a night, changing nothing."""
    return dg.ScheduleDefinition(
        name=names.of("audit_store_daily"),
        job_name=names.of(AUDIT_JOB),
        cron_schedule="30 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.audit else dg.DefaultScheduleStatus.STOPPED,
        description="Holds bucket and database against each other once a day.",
    )
