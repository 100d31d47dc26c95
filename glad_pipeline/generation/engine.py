"""The SDXL engine: recipes in, pixels out, the same pixels every time.

One model, loaded on first use. Recipes are grouped by shape and drawn in buckets of one fixed size, a short
bucket filled up by repetition: the kernels a batch size picks decide the last bits, so a fixed size makes a picture
independent of its company. Torch and diffusers are imported inside the methods, never with this module.
"""

from __future__ import annotations

import importlib
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from glad_pipeline.errors import GladError
from glad_pipeline.generation.encoding import Pixels
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe, Shape, validate_recipe_fields

if TYPE_CHECKING:
    import torch

DeviceChoice = Literal["auto", "cuda", "mps", "cpu"]
# Whose fault it is that there is no picture: the recipe's (the same again every time), the device's (its memory, its
# driver), or nobody knows.
Fault = Literal["recipe", "device", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One recipe's outcome: pixels, or the reason there are none."""

    recipe: Recipe
    pixels: Pixels | None = None  # uint8, (height, width, 3), RGB
    error: str | None = None
    fault: Fault = "unknown"  # whose `error` is
    seconds: float = 0.0  # this picture's share of its bucket's wall time
    provenance: dict[str, Any]  # device, versions, dtype, bucket, slot, prompt_tokens_dropped: JSON-ready


class Engine:
    """Draws with one model on one device.

    `device`: `auto` takes CUDA, then MPS, then the CPU for the demo model only. `bucket`: pictures drawn at once,
    1..256; another bucket may change the last bits of a picture, so provenance records it.
    Not thread-safe: one engine, one thread.
    """

    def __init__(self, profile: ModelProfile, *, device: DeviceChoice = "auto", bucket: int = 4) -> None:
        if bucket < 1:
            raise ValueError(f"bucket is {bucket}: at least 1")
        self.profile = profile
        self.bucket = bucket
        self.load_seconds: float | None = None  # None until loaded
        self._device_choice: DeviceChoice = device
        self._pipeline: Any = None
        self._scheduler_config: Any = None
        self._provenance: dict[str, Any] = {}
        self._scheduler_version = ""

    def load(self) -> None:
        """Loads the model if it is not loaded yet, and sets `load_seconds` (imports included).

        Raises `GladError` when there is no device for it, or the checkpoint cannot be had or read.
        """
        if self._pipeline is not None:
            return
        started = time.perf_counter()
        import torch

        _silence()
        import diffusers
        import transformers

        device = choose_device(self._device_choice, is_demo=self.profile.is_demo)
        main = torch.bfloat16 if device == "cuda" else torch.float32
        if device == "cpu" and self.profile.is_demo:
            # So small a model gains nothing from a second thread, and on a busy machine the threads wait for one
            # another: 18 pictures took 73 s instead of 3 s.
            torch.set_num_threads(1)
        pipeline = self._open(diffusers, {"default": main, "vae": torch.float32})
        pipeline.to(device)
        pipeline.set_progress_bar_config(disable=True)
        self._scheduler_config = pipeline.scheduler.config
        self._provenance = {
            "device": torch.cuda.get_device_name() if device == "cuda" else f"{device} ({platform.machine()})",
            "dtype": str(main).removeprefix("torch."),
            "vae_dtype": "float32",
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "threads": torch.get_num_threads(),  # on a CPU another number of threads gives other last bits
            "bucket": self.bucket,
        }
        self._pipeline = pipeline
        self._scheduler_version = diffusers.__version__
        self.load_seconds = time.perf_counter() - started

    def _open(self, diffusers: Any, dtype: dict[str, Any]) -> Any:
        profile = self.profile
        try:
            return diffusers.StableDiffusionXLPipeline.from_pretrained(
                profile.source,
                revision=None if profile.is_local else profile.revision,
                variant=profile.variant,
                dtype=dtype,
                use_safetensors=True,
                add_watermarker=False,
            )
        except Exception as error:  # every library underneath raises its own
            cure = "Copy the checkpoint again, or point GLAD_MODEL at another"
            if not profile.is_local:
                cure = (
                    f"With a network, `hf download {profile.source} --revision {profile.revision}` fetches it "
                    "and HF_HUB_OFFLINE=1 then uses that copy; or set GLAD_MODEL to a local directory"
                )
            raise GladError(
                f"cannot load the model {profile.name} from {profile.source}: {_first_line(error)}. {cure}"
            ) from error

    def generate(
        self, recipes: Iterable[Recipe], *, begun: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        """Draws each recipe once and yields it as soon as its bucket is done; full buckets first, short ones last.

        `begun` is called with the recipes of each bucket just before they are drawn: should the process die of one,
        its caller knows which.

        Pulls from `recipes` only as fast as it draws, so a stream of any length takes flat memory. A recipe that
        cannot be drawn comes back with `error` and leaves its neighbours whole. Raises only what `load` raises.
        """
        self.load()
        waiting: dict[Shape, list[Recipe]] = {}
        for recipe in recipes:
            reasons = self._faults(recipe)
            if reasons:
                yield Drawn(recipe=recipe, error="; ".join(reasons), fault="recipe", provenance=dict(self._provenance))
                continue
            group = waiting.setdefault(recipe.shape, [])
            group.append(recipe)
            if len(group) == self.bucket:
                begun(group)
                yield from self._draw(waiting.pop(recipe.shape))
        for group in waiting.values():
            begun(group)
            yield from self._draw(group)

    def _faults(self, recipe: Recipe) -> list[str]:
        values = recipe.as_dict()
        model, revision, *_ = (values.pop(name) for name in ("model", "model_revision", "vae", "refiner", "lora"))
        faults = validate_recipe_fields(**values)
        if (model, revision) != (self.profile.name, self.profile.revision):
            faults.append(
                f"asks for model {model} at {revision}, loaded is {self.profile.name} at {self.profile.revision}"
            )
        return faults

    def _draw(self, recipes: Sequence[Recipe]) -> list[Drawn]:
        """1..bucket recipes of one shape. If the bucket fails, each is tried alone, to find the one at fault."""
        import torch

        started = time.perf_counter()
        fault: Fault = "unknown"
        try:
            latents = self._denoise(recipes)
            outcomes = [self._decode(latent, recipe) for latent, recipe in zip(latents, recipes, strict=False)]
        except torch.OutOfMemoryError:
            message = (
                f"the GPU's memory is too small for {self.bucket} pictures of this size at once: lower GLAD_GPU_BATCH"
            )
            torch.cuda.empty_cache()
            outcomes, fault = [message] * len(recipes), "device"
        except torch.AcceleratorError as error:
            message = f"the GPU failed: {_first_line(error)}. Look at its driver and temperature"
            outcomes, fault = [message] * len(recipes), "device"
        except Exception as error:  # noqa: BLE001 one bad request must not take its neighbours down
            if len(recipes) > 1:
                return [drawn for recipe in recipes for drawn in self._draw([recipe])]
            outcomes = [f"drawing failed: {type(error).__name__}: {_first_line(error)}"]
        share = (time.perf_counter() - started) / len(recipes)
        return [
            Drawn(
                recipe=recipe,
                pixels=None if isinstance(outcome, str) else outcome,
                error=outcome if isinstance(outcome, str) else None,
                fault=fault,
                seconds=share,
                provenance={
                    **self._provenance,
                    "scheduler": self._scheduler_told(recipe.scheduler),
                    "slot": slot,
                    "prompt_tokens_dropped": self._tokens_dropped(recipe),
                },
            )
            for slot, (recipe, outcome) in enumerate(zip(recipes, outcomes, strict=True))
        ]

    def _denoise(self, recipes: Sequence[Recipe]) -> torch.Tensor:
        """Latents of a whole bucket, (bucket, channels, height / 8, width / 8); the first ones are the recipes'."""
        import torch

        padded = [*recipes, *[recipes[-1]] * (self.bucket - len(recipes))]
        first = padded[0]
        negatives = [recipe.negative_prompt for recipe in padded] if first.negative_prompt.strip() else None
        self._pipeline.scheduler = self._new_scheduler(first.scheduler)
        result = self._pipeline(
            prompt=[recipe.prompt for recipe in padded],
            negative_prompt=negatives,
            generator=[torch.Generator("cpu").manual_seed(recipe.seed) for recipe in padded],
            width=first.width,
            height=first.height,
            num_inference_steps=first.num_inference_steps,
            guidance_scale=first.guidance_scale,
            output_type="latent",
        )
        latents: torch.Tensor = result.images
        return latents

    def _decode(self, latent: torch.Tensor, recipe: Recipe) -> Pixels | str:
        """The pixels of one latent, or why there are none. One at a time and in float32: flat memory, no overflow."""
        import torch

        vae = self._pipeline.vae
        with torch.inference_mode():
            latent = latent.unsqueeze(0).to(vae.dtype) / vae.config.scaling_factor
            if vae.config.latents_mean is not None and vae.config.latents_std is not None:
                mean, std = (
                    latent.new_tensor(each).view(1, -1, 1, 1)
                    for each in (vae.config.latents_mean, vae.config.latents_std)
                )
                latent = latent * std + mean
            image = vae.decode(latent, return_dict=False)[0][0]
            if not torch.isfinite(image).all():
                return "the model gave NaN (not a number) pixels: try another scheduler, size or number of steps"
            pixels: Pixels = (
                ((image / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
            )
        if pixels.shape != (recipe.height, recipe.width, 3):
            drawn, asked = f"{pixels.shape[1]} × {pixels.shape[0]}", f"{recipe.width} × {recipe.height}"
            return f"the model draws {drawn} pixels where {asked} was asked for: use a multiple of its own grid"
        return pixels

    def _new_scheduler(self, name: str) -> Any:
        """A fresh one per bucket, from the checkpoint's own settings: none carries state over a failure."""
        import diffusers

        kinds: dict[str, tuple[Any, dict[str, Any]]] = {
            "euler": (diffusers.EulerDiscreteScheduler, {}),
            "euler_a": (diffusers.EulerAncestralDiscreteScheduler, {}),
            "dpmpp_2m": (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
            "ddim": (diffusers.DDIMScheduler, {"clip_sample": False}),  # its default clips latents as if pixels
            "unipc": (diffusers.UniPCMultistepScheduler, {}),
        }
        kind, changes = kinds[name]
        return kind.from_config(self._scheduler_config, **changes)

    def _scheduler_told(self, name: str) -> dict[str, Any]:
        scheduler = self._new_scheduler(name)
        config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
        return {"class": type(scheduler).__name__, "version": self._scheduler_version, **config}

    def _tokens_dropped(self, recipe: Recipe) -> int:
        """How many of the prompt's tokens CLIP never saw: it reads 77, start and end included."""
        tokenizer = self._pipeline.tokenizer
        return max(0, len(tokenizer(recipe.prompt, truncation=False).input_ids) - int(tokenizer.model_max_length))


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


_CURE = (
    "install the driver and torch's CUDA build, or accept slowness with GLAD_DEVICE=cpu, or use the demo model with "
    "GLAD_MODEL=demo"
)


def _silence() -> None:
    """No progress bars and no warnings of theirs in a run's log; what matters of them is in provenance.

    transformers before diffusers: importing the latter already warns about a torchvision that nothing here needs.
    """
    for library in ("transformers", "diffusers"):
        logging = importlib.import_module(f"{library}.utils.logging")
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]
