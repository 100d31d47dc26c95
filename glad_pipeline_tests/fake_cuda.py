"""A CUDA device without a GPU: torch's fake tensors, which have shape, number format and device, and no values.

What would fail on a GPU because two tensors are on different devices, or have formats or shapes that do not go together,
fails here as well, in seconds and at full size. What needs a value is answered by `FakeGpu`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode

H200 = SimpleNamespace(name="a fake H200", total_memory=139 * 2**30, major=9, minor=0, multi_processor_count=132)
CUDA, META = 1, 14  # c10::DeviceType


class _Mode(FakeTensorMode):
    avoid_device_init = True  # or small constants would be computed on the GPU, which `fake_cuda` says there is


class FakeGpu(TorchFunctionMode):
    """The host computes as ever; what is on the GPU is fake.

    Where a program asks the GPU for values: pictures are noise, every flag is set, and every number is `number`.
    """

    def __init__(self) -> None:
        self.mode = _Mode(allow_non_fake_inputs=True)
        self.number = 0  # what is read where a number is asked for
        self.to_host: list[tuple[int, ...]] = []  # shapes of the arrays that were read

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args = tuple(_with_index(each) for each in args)
        kwargs = {name: _with_index(each) for name, each in (kwargs or {}).items()}
        if args and isinstance(args[0], FakeTensor):
            tensor = args[0]
            if function in (torch.Tensor.numpy, torch.Tensor.__array__):
                assert tensor.device.type == "cpu", "a tensor on the GPU has no array: copy it to the host"
                self.to_host.append(tuple(tensor.shape))
                return np.random.default_rng(0).integers(0, 256, tuple(tensor.shape)).astype(np.uint8)
            if function in (torch.Tensor.item, torch.Tensor.__bool__, torch.Tensor.__int__):  # `tolist` asks for items
                return True if tensor.dtype is torch.bool or function is torch.Tensor.__bool__ else self.number
            if function is torch.Tensor.nonzero:
                return torch.zeros((1, tensor.ndim), dtype=torch.int64, device=tensor.device)
        if function is torch.Tensor.__getitem__ and isinstance(args[1], FakeTensor) and args[1].ndim == 0:
            args = (args[0], self.number)
        if any(_is_gpu(each) for each in (*args, *kwargs.values())):
            with self.mode:
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    def move(self, module: torch.nn.Module, change: Any) -> torch.nn.Module:
        """`Module._apply` for fake parameters, which torch's own cannot exchange."""
        with self.mode:
            for each in module.modules():
                for name, weight in each._parameters.items():
                    if weight is not None:
                        each._parameters[name] = torch.nn.Parameter(change(weight.detach()), requires_grad=False)
                for name, value in each._buffers.items():
                    if value is not None:
                        each._buffers[name] = change(value)
        return module


def _with_index(value: Any) -> Any:
    """`cuda` asks for the current device, `cuda:0` does not."""
    return torch.device("cuda:0") if isinstance(value, (str, torch.device)) and str(value) == "cuda" else value


def _is_gpu(value: Any) -> bool:
    """Or is on it, or was."""
    return str(value).startswith("cuda") if isinstance(value, (str, torch.device)) else isinstance(value, FakeTensor)


@contextmanager
def _guarded() -> Iterator[None]:
    """A build of torch without CUDA has no guard for its devices, and refuses every operation that wants one.

    Torch itself puts one that does nothing in the place of any that counts no devices, such as that of meta tensors.
    """
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    guards = (ctypes.c_void_p * (META + 1)).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    before = guards[CUDA]
    if before is None:
        guards[CUDA] = guards[META]
    torch._C._ensureCUDADeviceGuardSet()
    try:
        yield
    finally:
        guards[CUDA] = before


@contextmanager
def fake_cuda() -> Iterator[FakeGpu]:
    """Within it there is one GPU, an H200, and every tensor on it is fake."""
    answers = {
        "is_available": lambda: True,
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "get_device_name": lambda *_: H200.name,
        "get_device_capability": lambda *_: (H200.major, H200.minor),
        "get_device_properties": lambda *_: H200,
        "current_device": lambda: 0,
        "device_count": lambda: 1,
        "get_rng_state": lambda *_: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda *_: None,
    }
    with ExitStack() as stack:
        stack.enter_context(_guarded())
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        stack.enter_context(mock.patch.object(torch.version, "cuda", "13.0"))
        gpu = FakeGpu()

        def moved(module: torch.nn.Module, change: Any) -> torch.nn.Module:
            return gpu.move(module, change)

        stack.enter_context(mock.patch.object(torch.nn.Module, "_apply", moved))
        yield stack.enter_context(gpu)
