"""What Dagster loads: this repository's own pipeline, by the environment's settings.

Loads without torch and a network.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from glad_pipeline.defs.names import Names
from glad_pipeline.defs.wiring import definitions
from glad_pipeline.redaction import at_every_door
from glad_pipeline.settings import Settings, load_settings, warnings_of


def build_defs(settings: Settings | None = None, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The graph with these settings (the environment's if None) and, for tests, some resources replaced."""
    settings = settings or load_settings()
    ours = definitions(settings, Names(pool=settings.pool, whole_runs=True), resource_overrides)
    whole = dg.Definitions(
        executor=dg.in_process_executor,  # for *Materialize*; the jobs have it anyway
        # Dagster's own default, without the folder that run config may name there
        resources={"io_manager": dg.FilesystemIOManager().get_resource_definition().configured({}, config_schema={})},
    )
    return dg.Definitions.merge(ours, whole)


at_every_door()
for warning in warnings_of(os.environ):
    logging.getLogger(__name__).warning(warning)
defs = build_defs()
