"""What decides how pictures are drawn: the settings of it, and the options that an engine gets.

The settings are listed once, here. `Settings` reads them from the environment, the Dagster resource shows them, and
`EngineOptions` carries them to an engine, in this process or in a worker. None of them is a secret: workers on other
machines get all of them. Knows no engine.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from glad_pipeline import limits
from glad_pipeline.limits import PREDICTIONS, PRESETS, PROMPT_SYNTAXES, SCHEDULERS

DeviceChoice = Literal["auto", "cuda", "mps", "cpu"]
CompileChoice = Literal["auto", "none", "regional", "full"]


def _one_of(names: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"it has to be one of {', '.join(names)}")
        return value

    return AfterValidator(check)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _patterns(text: str) -> str:
    for pattern in filter(None, map(str.strip, text.split(","))):
        if not re.match(r"/|[\w*?\[]", pattern) or "/../" in f"{pattern}/":
            raise ValueError(f"{pattern!r} has to begin with / (a path) or be a hub id's pattern, without `..` in it")
    return text


class EngineSettings(BaseModel, defer_build=True):  # most are used as a part of `Settings` alone
    """What a deployment may set of drawing. The variable of each is GLAD_ and its name, unless `Settings` says so."""

    model: str = Field(
        "demo",
        description="`demo`, a directory in diffusers layout, an SDXL `.safetensors` file, a hub id such as "
        "`stabilityai/stable-diffusion-xl-base-1.0`, or `owner/name/file.safetensors@commit`.",
    )
    model_revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit (40 hex digits) of a hub model. SDXL base 1.0 has a pinned default.",
    )
    checkpoint_config: str | None = Field(
        None,
        description="Configuration and tokenizers of a single-file model: a directory in diffusers layout or "
        "`owner/name@commit`. Absent: SDXL base's, pinned.",
    )
    prediction: Annotated[str, _one_of(PREDICTIONS)] | None = Field(
        None,
        description="What a single file predicts that does not say so: `epsilon`, `v_prediction` or "
        "`v_prediction_zsnr` (zero terminal SNR). Absent: as its keys, metadata or configuration say.",
    )
    vae: str | None = Field(
        None,
        description="Another VAE: a directory, `owner/name@commit`, or `none` for the model's own. Absent: for SDXL "
        "base the fp16-fix VAE, pinned; else the model's own.",
    )
    refiner: str | None = Field(
        None,
        description="What draws the last steps in the preset `refined`: a directory or `owner/name@commit`. Absent: "
        "for SDXL base its own, pinned.",
    )
    lora: str | None = Field(
        None,
        description="LoRA, separated by commas: a `.safetensors` file or `owner/name/file.safetensors@commit`, each "
        "with `*WEIGHT` behind it if that is not 1.",
    )
    few_step_lora: str | None = Field(
        None,
        description="LoRA of the few-step presets, or `none` if the model is a few-step one already. Absent: for a hub "
        "model the preset's own, pinned.",
    )
    allow_partial_lora: bool = Field(
        False,
        description="Use what fits the model of a LoRA of which not all layers do. Absent: such a LoRA is refused.",
    )
    allowed_models: Annotated[str, AfterValidator(_patterns)] | None = Field(
        None,
        description="Models and LoRA that rows may name beside the settings' own: patterns, separated by commas, of "
        "hub ids (`owner/*`, `owner/name@commit`), `demo` or paths (`/srv/models/*`).",
    )
    most_pixels: Annotated[int, limits.MOST_PIXELS] = Field(
        4_194_304, description="Most pixels, width × height, that a row may ask for."
    )
    most_steps: Annotated[int, limits.STEPS] = Field(100, description="Most denoising steps that a row may ask for.")
    device: DeviceChoice = Field(
        "auto", description="`auto` takes the GPU; without one only the demo model runs on the CPU."
    )
    width: Annotated[int, limits.SIDE] | None = Field(None, description="Pixels. Absent: the model's own size.")
    height: Annotated[int, limits.SIDE] | None = Field(None, description="Pixels. Absent: the model's own size.")
    steps: Annotated[int, limits.STEPS] | None = Field(
        None, description="Denoising steps. Absent: 30 (demo model: 20)."
    )
    guidance_scale: Annotated[float, limits.GUIDANCE] | None = Field(None, description="Absent: 7.0 (demo model: 3.0).")
    scheduler: Annotated[str, _one_of(SCHEDULERS)] | None = Field(
        None, description=f"{_listed(SCHEDULERS)}. Absent: the preset's, else `euler`."
    )
    preset: Annotated[str, _one_of(PRESETS)] = Field(
        "base", description=f"How prompts are drawn that name no preset: {_listed(PRESETS)}."
    )
    prompt_syntax: Annotated[str, _one_of(PROMPT_SYNTAXES)] = Field(
        "plain",
        description="How prompts without a `prompt_syntax` are read: `plain`, or `a1111`, with AUTOMATIC1111's "
        "weights, such as `(red:1.4)`, and `BREAK`.",
    )
    long_prompts: Literal["whole", "cut"] = Field(
        "whole",
        description="Prompts of more than 75 tokens: read `whole`, in pieces of 75, or `cut` after the first 75, as in "
        "pictures of earlier versions.",
    )
    gpu_batch: Annotated[int, limits.GPU_BATCH] | None = Field(
        None,
        description="Pictures drawn at once, a fixed size. Absent: by GPU memory and picture size; 4 on a CPU.",
    )
    gpu_small_batch: Annotated[int, limits.GPU_BATCH] | None = Field(
        None,
        description="A second, smaller batch for what is left over, so that a lone picture is done sooner. Its last "
        "bits may differ from the large batch's. Absent: what is left over is filled up.",
    )
    compiling: CompileChoice = Field(
        "auto",
        description="`torch.compile`: block by block (`regional`), whole networks (`full`) or `none`. `auto`: regional "
        "on CUDA, else none.",
    )
    backend: Literal["auto", "process", "ray"] = Field(
        "auto",
        description="What draws: the run's own `process`, or `ray`: workers that stay warm between runs. `auto`: "
        "workers where `glad workers up` has started some or GLAD_RAY_ADDRESS names a cluster.",
    )
    ray_address: str | None = Field(
        None,
        pattern=r"^(ray://)?[^\s/@]+:\d+$",
        description="A Ray cluster's `host:port`, or `ray://host:10001` from a machine that is no node of it. Absent: "
        "the workers of this machine.",
    )
    workers: Annotated[int, limits.WORKERS] | None = Field(
        None,
        description="Most workers. Absent: as many as fit on the GPUs found; without GPUs one a machine, on all cores.",
    )
    worker_gpus: Annotated[float, limits.WORKER_GPUS] | None = Field(
        None, description="GPU share of a worker, up to 1. Absent: 1 where there are GPUs, else 0."
    )
    worker_cpus: float = Field(1.0, gt=0, le=1_024, description="CPU share of a worker, for Ray's planning.")
    worker_models: Annotated[int, limits.WORKER_MODELS] = Field(1, description="Models that a worker keeps loaded.")
    worker_idle_seconds: float = Field(
        3_600.0,
        ge=0,
        description="After so long without work a worker ends and frees its GPU; the next run starts it again. "
        "0: never.",
    )
    worker_start_seconds: Annotated[float, limits.WORKER_START_SECONDS] = Field(
        600.0,
        description="How long a run waits for a first worker, for instance while a cluster adds machines.",
    )
    ray_host: str = Field(
        "127.0.0.1",
        description="Where the Ray of `glad workers up` listens. Its ports let whoever reaches them run any program.",
    )
    ray_exposed: bool = Field(False, description="That GLAD_RAY_HOST may be an address that others can reach.")

    @model_validator(mode="after")
    def _the_small_batch_is_smaller(self) -> EngineSettings:
        if (self.gpu_small_batch or 1) > (self.gpu_batch or limits.GPU_BATCH.high):
            raise ValueError(
                f"GLAD_GPU_SMALL_BATCH is {self.gpu_small_batch}: at most GLAD_GPU_BATCH, which is {self.gpu_batch}"
            )
        return self

    @property
    def model_patterns(self) -> list[str]:
        """What rows may name beside what the settings name."""
        return [pattern for pattern in map(str.strip, (self.allowed_models or "").split(",")) if pattern]


class EngineOptions(EngineSettings):
    """What an engine is made with, and whoever makes one: all settings of drawing, and this machine's folders.

    Another `gpu_batch` may change the last bits of a picture, so provenance records it.
    """

    model_config = ConfigDict(frozen=True)

    home: str = Field(".glad", description="Where this machine's Ray, its token and certificates are.")
    compile_cache: str | None = Field(
        None, description="Folder that keeps compiled kernels for the next process. Absent: a temporary one."
    )
    hash_cache: str | None = Field(None, description="File that remembers the hashes of local weights.")
    engine: str = Field("glad_pipeline.generation.engine:Engine", description="The class that draws: module:class.")

    @property
    def drawing(self) -> tuple[object, ...]:
        """What decides pixels or time; not where files are kept, nor what a row's recipe says."""
        return (
            self.device,
            self.gpu_batch,
            self.gpu_small_batch,
            self.compiling,
            self.engine,
            self.allow_partial_lora,
        )

    @property
    def keeping(self) -> tuple[object, ...]:
        """How long a worker and its models stay."""
        return self.worker_models, self.worker_idle_seconds
