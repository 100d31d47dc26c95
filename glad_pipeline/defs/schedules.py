"""Schedules: a safety net under the sensor."""

import dagster as dg

from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.sensors import request_run
from glad_pipeline.settings import Settings


def publish_prompts_hourly(settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        job_name=JOB_NAME,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.schedule else dg.DefaultScheduleStatus.STOPPED,
        description="The same question once an hour, should the sensor be switched off.",
    )
    def publish_prompts_hourly(
        context: dg.ScheduleEvaluationContext, postgres: PostgresResource
    ) -> dg.RunRequest | dg.SkipReason:
        return request_run(context, postgres)

    return publish_prompts_hourly
