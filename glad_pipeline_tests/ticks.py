"""The sensor's looks, as Dagster's daemon would have them."""

import time

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
    with by_the_daemon(instance, cursor, {"postgres": postgres}) as context:
        return sensor(**settings).evaluate_tick(context)


def by_the_daemon(instance, cursor, resources):
    """The context of a tick of the daemon's. Without the time at which the sensor began, it is the UI's preview."""
    return dg.build_sensor_context(
        instance=instance, cursor=cursor, resources=resources, last_sensor_start_time=time.time()
    )


def asked(data):
    """The jobs that a look asks runs of."""
    return [request.job_name for request in data.run_requests]
