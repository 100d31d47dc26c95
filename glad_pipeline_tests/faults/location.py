"""The product's code location with the rig's GPU, for Dagster's own processes: `dagster … -m` this module."""

import os

from glad_pipeline.definitions import build_defs
from glad_pipeline_tests.faults.generators import LoggedSdxl

defs = build_defs(resource_overrides={"sdxl": LoggedSdxl(draw_log=os.environ["RIG_DRAW_LOG"], seconds_each=0.01)})
