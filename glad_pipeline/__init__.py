"""Rows in `prompts` become pictures in an object store and posts on a blog, each exactly once.

A room is a folder of this package. Doors are the rooms by which people come in, side by side: `cli` (terminal); `defs`
with `definitions` and `component` (Dagster); an HTTP door (posts as JSON, say) would be a room `gateway` beside them.
All of them call `operations` and `pipeline`, which bring the stages together.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`GladPipeline`, the Dagster component: imported when asked for, so that `glad` starts without Dagster."""
    if name == "GladPipeline":
        return import_module(f"{__name__}.component").GladPipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "GladPipeline"]
