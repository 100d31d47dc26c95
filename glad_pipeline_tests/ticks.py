"""The sensor's looks, as Dagster's daemon would have them."""

import dagster as dg

from glad_pipeline.defs.jobs import jobs
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.sensors import new_prompts
from glad_pipeline.settings import Settings


def sensor(names=None, **settings):
    names = names or Names(whole_runs=True)
    return new_prompts(names, Settings(_env_file=None, **settings), jobs(names, 60))


def tick(instance, url, cursor=None, **settings):
    """One look, which does not wait: what the sensor answers."""
    postgres = PostgresResource(url=url)
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"postgres": postgres}) as context:
        return sensor(**settings).evaluate_tick(context)


def asked(data):
    """The jobs that a look asks runs of."""
    return [request.job_name for request in data.run_requests]
