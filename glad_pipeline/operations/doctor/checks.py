"""All that the doctor looks at, in the order in which it is told; what needs another is left out where that fails."""

from __future__ import annotations

from collections.abc import Iterator

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.operations.doctor import (
    of_database,
    of_drawing,
    of_machine,
    of_public,
    of_settings,
    of_site,
    of_store,
)
from glad_pipeline.operations.doctor.examination import Check, Deployment
from glad_pipeline.operations.doctor.lines import not_tested


def dagster(deployment: Deployment) -> Iterator[Diagnosis]:
    """Dagster's storage and daemon work, runs queue, and the sensor and the schedules are on."""
    if deployment.instance is None:
        yield not_tested("dagster", "it was not looked at")
    else:
        yield from deployment.instance(deployment)


CHECKS = (
    Check(name="settings", look=of_settings.settings),
    Check(name="web", look=of_settings.web_ui),
    Check(name="home", look=of_machine.home),
    Check(name="database", look=of_database.database),
    Check(name="schema", look=of_database.schema, needs=("database",)),
    Check(name="queue", look=of_database.queue, needs=("schema",)),
    Check(name="store", look=of_store.store, needs=("settings",), seconds=60.0),
    Check(name="together", look=of_store.together, needs=("schema", "store")),
    Check(name="blog", look=of_database.blog, needs=("schema", "store")),
    Check(name="spool", look=of_machine.spool, needs=("store",)),
    Check(name="public", look=of_public.public, needs=("schema", "store", "together"), seconds=90.0),
    Check(name="cdn", look=of_public.cdn),
    Check(name="site", look=of_site.site),
    Check(name="images", look=of_site.images, needs=("schema", "store", "public", "site")),
    Check(name="clock", look=of_machine.clock, needs=("database",)),
    Check(name="workers", look=of_drawing.workers, seconds=60.0),
    Check(name="dagster", look=dagster, needs=("database",), seconds=60.0),
    Check(name="model", look=of_drawing.model, seconds=300.0),
    Check(name="drawing", look=of_drawing.drawing, needs=("model",), seconds=330.0, early=True),
)
