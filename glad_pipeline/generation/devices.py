"""The device that draws: which one, in which numbers, how many pictures fit, and what to record of it.

Torch's switches that change a picture's last bits are set here on purpose, once, and recorded in provenance.
"""

from __future__ import annotations

import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glad_pipeline.engine_options import DeviceChoice
from glad_pipeline.errors import GladError

if TYPE_CHECKING:
    import torch

BATCHES = (32, 16, 8, 4, 2, 1)
# An estimate from published peak memory of SDXL at 1024 × 1024 with guidance; out of memory halves the batch anyway.
BYTES_PER_PIXEL = 1.5 * 2**30 / 1024**2
_threads = 0
_CURE = (
    "install the driver and torch's CUDA build, or accept slowness with GLAD_DEVICE=cpu, or use the demo model with "
    "GLAD_MODEL=demo"
)


def choose_device(asked: DeviceChoice, *, is_demo: bool) -> str:
    """`cuda`, `mps` or `cpu`. Raises `GladError` where that would be a silent fall back to the slow CPU."""
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked != "auto":
        if not present[asked]:
            raise GladError(f"GLAD_DEVICE={asked}, but torch {torch.__version__} finds no {asked} device: {_CURE}")
        return asked
    for device in ("cuda", "mps"):
        if present[device]:
            return device
    if is_demo:
        return "cpu"
    raise GladError(f"no GPU found for the model, and on the CPU one picture takes many minutes: {_CURE}")


def number_format(device: str) -> torch.dtype:
    """What weights and activations are computed in: bfloat16 on CUDA, else float32."""
    import torch

    return torch.bfloat16 if device == "cuda" else torch.float32


def set_switches(device: str, *, is_demo: bool) -> None:
    """The same numbers every time: no algorithm chosen by a race, no TF32 in what is meant to be float32."""
    import torch

    global _threads  # noqa: PLW0603  torch's own choice for this machine, before we ever changed it
    _threads = _threads or torch.get_num_threads()
    # So small a model as the demo's gains nothing from a second thread, and on a busy machine the threads wait for one
    # another: 18 pictures took 73 s instead of 3 s.
    torch.set_num_threads(1 if device == "cpu" and is_demo else _threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def attention(device: str) -> AbstractContextManager[Any]:
    """The attention kernels, the first that can: FlashAttention for the UNet, others where it does not apply."""
    if device != "cuda":
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kernels = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    context: AbstractContextManager[Any] = sdpa_kernel(kernels, set_priority=True)
    return context


def automatic_batch(device: str, pixels: int, weights: int) -> int:
    """How many pictures of so many pixels to draw at once beside `weights` bytes of weights.

    By the device's whole memory, not by what happens to be free: the batch decides last bits and must not change
    from run to run on the same machine.
    """
    if device == "cpu":
        return 4
    if device == "mps":
        return 1
    import torch

    room = 0.9 * torch.cuda.get_device_properties(0).total_memory - weights
    return next((batch for batch in BATCHES if batch * pixels * BYTES_PER_PIXEL <= room), 1)


def described(device: str) -> dict[str, Any]:
    """What decides last bits beside the recipe: device, driver, library versions, switches. JSON-ready."""
    import diffusers
    import torch
    import transformers

    cuda = device == "cuda"
    cudnn = torch.backends.cudnn.version() if cuda else None  # type: ignore[no-untyped-call]
    return {
        "device": torch.cuda.get_device_name() if cuda else f"{device} ({platform.machine()})",
        "cpu": f"{_cpu_name()}, {torch.backends.cpu.get_cpu_capability()}",
        "driver": _driver_version() if cuda else None,
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": cudnn,
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a class of torch's own: who reads it pickled would import torch
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),  # on a CPU another number of threads gives other last bits
        "attention": "flash, efficient, math" if cuda else "torch's default",
        "tf32": False,
        "deterministic": True,
    }


def in_use() -> dict[str, Any]:
    """The device that this process draws on and, on a GPU, the megabytes that torch holds. JSON-ready."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {"device": "cpu"}
    return {"device": torch.cuda.get_device_name(), "gpu_memory_mb": round(torch.cuda.memory_reserved() / 1e6)}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _driver_version() -> str | None:
    try:
        return Path("/sys/module/nvidia/version").read_text(encoding="utf-8").strip()
    except OSError:
        return None
