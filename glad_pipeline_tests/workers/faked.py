"""Runs whose workers have a fake for a GPU."""

from __future__ import annotations

from typing import Any

from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.settings import load_settings
from glad_pipeline_tests.engines import TIMED


def on_workers(**changes: Any) -> SdxlResource:
    """For runs of the real job, by the settings of this process: workers whose GPU is a fake."""
    fakes = {"device": "cpu", "backend": "ray", "engine": TIMED, "gpu_batch": 4}
    return SdxlResource(**{**load_settings().engine.model_dump(), **fakes, **changes})
