"""What an error while drawing is due to: the recipe, the device, the set-up, or nobody knows."""

from __future__ import annotations

import sys
from typing import Literal

from glad_pipeline.display import first_line

# What it is due to that there is no picture: the recipe (it would be the same again every time), the device's (it has
# failed and draws nothing more), the setup's (nothing can be drawn here as it is set up), or nobody knows.
Cause = Literal["recipe", "device", "setup", "unknown"]


def cause_of(error: Exception) -> tuple[Cause, str]:
    """What an error while drawing is due to, and what to report."""
    import torch

    if isinstance(error, torch.AcceleratorError) or str(error).startswith(("CUDA error", "cuDNN error", "CUBLAS")):
        return "device", f"the GPU failed: {first_line(error)}. Look at its driver and temperature"
    if isinstance(error, torch._dynamo.exc.TorchDynamoException):
        lines = [line.strip() for line in str(error).splitlines() if "error:" in line or "cannot find" in line]
        spaced = " (torch's compiler cannot work in a path with a space)" if " " in sys.prefix else ""
        reason = "; ".join([first_line(error), *lines[:2]])
        return "setup", f"cannot compile the model{spaced}: {reason}. GLAD_COMPILE=none does without"
    return "unknown", f"drawing failed: {type(error).__name__}: {first_line(error)}"
