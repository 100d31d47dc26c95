"""Full-size SDXL on a GPU: pictures per second against the floor that the GPU's arithmetic sets.

    python -m benchmarks.sdxl_gpu [--minutes 25] [--only regional-16 pipeline] [--again] [--shrunken]

Builds a checkpoint with SDXL base 1.0's own configuration and random normal weights (arithmetic does not look at the
values, so nothing has to be downloaded), saves it once, and opens it with the product's own `Engine`, each case in a
fresh process:

- matmul: what the GPU reaches at a large bf16 matrix product;
- warm-up-…: loading, and the first bucket with an empty compile cache and in a second process with that cache;
- MODE-BATCH: pictures per second at 1024 × 1024, 20 and 30 steps, guidance on; mode none (eager), regional or full;
- pipeline: 256 pictures at 30 steps, uploads included, and how much of the time the GPU was busy. Under `./glad run` it
  is the job `publish_prompts` on the real PostgreSQL and S3 server; without them, the stages after the queue (drawing
  ahead, gate, encoding, storing) with a folder for a store.

What is done is kept in `benchmarks/results/sdxl_gpu.json` and not done again: stop it at will, or give it `--minutes`.
`--shrunken` runs it all on a tiny configuration, on the CPU too, to prove the script.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import report
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.recipe import Recipe

BATCHES = (16, 32, 8, 1, 4, 2)  # in the order of what one wants to know first
MODES = ("regional", "none", "full")
STEPS = (20, 30)
PIPELINE_BATCH, PIPELINE_STEPS, PIPELINE_PICTURES = 16, 30, 256
BF16 = 790e12  # FLOP/s of one H200 at a large bf16 matrix product, as published
MLPERF = 2.399  # pictures/s of one H200 at 20 steps, MLPerf Inference v5.1 closed, offline (FP8 UNet, INT8 VAE)
GOAL = 0.65  # of the bf16 floor, at 20 and 30 steps, batch ≥ 16
GOAL_BUSY = 0.97
TELLS = "figures: "

Config = dict[str, dict[str, Any]]


def configuration(*, shrunken: bool) -> Config:
    """UNet, VAE and both text encoders of SDXL base 1.0, or the same kinds of blocks with hardly anything in them."""
    unet: dict[str, Any] = {
        "sample_size": 128,
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "block_out_channels": (320, 640, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 2048,
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }
    vae: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "latent_channels": 4,
        "norm_num_groups": 32,
        "sample_size": 1024,
        "scaling_factor": 0.13025,
    }
    one: dict[str, Any] = {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "projection_dim": 768,
    }
    two = one | {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "hidden_act": "gelu",
        "projection_dim": 1280,
    }
    if shrunken:
        unet |= {"sample_size": 8, "block_out_channels": (32, 32, 64), "cross_attention_dim": 64}
        unet |= {"transformer_layers_per_block": (1, 1, 2), "attention_head_dim": (2, 2, 4)}
        unet |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 32}
        vae |= {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1, "sample_size": 64}
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        one |= small | {"projection_dim": 32}
        two |= small | {"projection_dim": 32}
    return {"unet": unet, "vae": vae, "text_encoder": one, "text_encoder_2": two}


def components(config: Config) -> dict[str, Any]:
    """The modules, with whatever weights they start with, on torch's current default device."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    return {
        "unet": UNet2DConditionModel(**config["unet"]),
        "vae": AutoencoderKL(**config["vae"]),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**config["text_encoder"])),
        "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**config["text_encoder_2"])),
    }


def build(folder: Path, config: Config, device: str) -> float:
    """Save the checkpoint unless it is there, with the demo model's tokenizer; returns the seconds it took."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

    if (folder / "model_index.json").exists():
        return 0.0
    started = time.perf_counter()
    tokenizer = CLIPTokenizer.from_pretrained(DEMO_CHECKPOINT / "tokenizer")
    marks = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = config | {name: config[name] | marks for name in ("text_encoder", "text_encoder_2")}
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            parts = components(config)
    finally:
        torch.set_default_dtype(usual)
    for module in parts.values():
        for weight in module.parameters():
            if weight.ndim > 1:  # norms and biases stay at 1 and 0; this keeps the size of what goes through
                torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    scheduler = EulerDiscreteScheduler(**noise, timestep_spacing="leading")
    pipeline = StableDiffusionXLPipeline(**parts, tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=scheduler)
    with tempfile.TemporaryDirectory(dir=folder.parent) as half:
        pipeline.save_pretrained(half)
        Path(half).rename(folder)
        Path(half).mkdir()  # for the context manager to remove
    return time.perf_counter() - started


def flop_per_picture(config: Config) -> dict[str, float]:
    """Floating-point operations of one UNet forward, one VAE decode and the texts of one picture, counted by torch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def counted(work: Callable[[], object]) -> float:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            work()
        return float(counter.get_total_flops())

    side, width = config["unet"]["sample_size"], config["unet"]["cross_attention_dim"]
    with torch.device("meta"):
        parts = components(config)
        latent, text = torch.randn(1, 4, side, side), torch.randn(1, 77, width)
        added = {
            "text_embeds": torch.randn(1, config["text_encoder_2"]["projection_dim"]),
            "time_ids": torch.ones(1, 6),
        }
        time_step, tokens = torch.ones(1), torch.zeros(1, 77, dtype=torch.long)
        return {
            "unet": counted(lambda: parts["unet"](latent, time_step, text, added_cond_kwargs=added)),
            "vae": counted(lambda: parts["vae"].decode(latent)),
            "text": 2 * counted(lambda: (parts["text_encoder"](tokens), parts["text_encoder_2"](tokens))),
        }


def recipes(folder: Path, steps: int, seeds: Iterable[int]) -> list[Recipe]:
    profile = resolve_model(str(folder), cache=folder.parent / "hashes.json")
    return [
        Recipe(
            prompt=f"a hill in a green country, number {seed}",
            seed=seed,
            width=profile.width,
            height=profile.height,
            num_inference_steps=steps,
            guidance_scale=7.0,
            scheduler="euler",
            model=profile.name,
            model_revision=profile.revision,
        )
        for seed in seeds
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a case runs."""

    folder: Path  # of the checkpoint
    device: str
    cache: Path  # of compiled kernels

    def engine(self, mode: str, batch: int) -> Any:
        from glad_pipeline.generation.engine import Engine

        return Engine(
            resolve_model(str(self.folder), cache=self.folder.parent / "hashes.json"),
            device=self.device,
            bucket=batch,
            compiling=mode,
            compile_cache=self.cache,
        )


def drawn(engine: Any, wanted: Sequence[Recipe]) -> float:
    """Seconds to draw them all. Fails if one cannot be drawn."""
    started = time.perf_counter()
    for picture in engine.generate(wanted):
        assert picture.error is None, picture.error
    return time.perf_counter() - started


def matmul(place: Place) -> dict[str, Any]:
    import torch

    side = 8_192 if place.device == "cuda" else 512
    one, two = (torch.randn(side, side, device=place.device, dtype=torch.bfloat16) for _ in range(2))

    def wait() -> float:
        if place.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    best = 0.0
    for _ in range(5):
        started, count = wait(), 20
        for _ in range(count):
            one @ two
        best = max(best, count * 2 * side**3 / (wait() - started))
    return {"flop_per_second": best}


def warm_up(mode: str, batch: int, place: Place) -> dict[str, Any]:
    engine = place.engine(mode, batch)
    engine.load()
    first = drawn(engine, recipes(place.folder, STEPS[0], range(batch)))
    return {
        "load_seconds": round(engine.load_seconds, 2),
        "warm_seconds": round(engine.warm_seconds, 2),
        "first_bucket_seconds": round(first, 2),
    }


def speed(mode: str, batch: int, place: Place) -> dict[str, Any]:
    engine = place.engine(mode, batch)
    found: dict[str, Any] = {}
    for steps in STEPS:
        drawn(engine, recipes(place.folder, steps, range(batch)))  # warm-up is told apart
        count = batch * max(1, 8 // batch)
        seconds = drawn(engine, recipes(place.folder, steps, range(1_000, 1_000 + count)))
        found[f"images_per_second_{steps}"] = round(count / seconds, 4)
    found |= {"load_seconds": round(engine.load_seconds, 2), "warm_seconds": round(engine.warm_seconds, 2)}
    return found | {"peak_gib": round(_peak(place.device), 2)}


def _peak(device: str) -> float:
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Watch:
    """When pictures came, how long they took to draw, and how busy the GPU was between the first and the last."""

    def __init__(self, device: str) -> None:
        self.came: list[float] = []
        self.took: list[float] = []
        self._samples: list[tuple[float, float]] = []
        self._sampler: subprocess.Popen[str] | None = None
        if device == "cuda":
            command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
            self._sampler = subprocess.Popen([*command, "-i", "0"], stdout=subprocess.PIPE, text=True)
            threading.Thread(target=self._read, args=(self._sampler,), daemon=True).start()

    def _read(self, sampler: subprocess.Popen[str]) -> None:
        for line in sampler.stdout or ():
            self._samples.append((time.perf_counter(), float(line)))

    def over(self, pictures: Iterator[Any]) -> Iterator[Any]:
        for picture in pictures:
            self.came.append(time.perf_counter())
            self.took.append(picture.seconds)
            yield picture

    def figures(self, batch: int) -> dict[str, Any]:
        """From the end of the first bucket (compilation is over) to the last picture."""
        if self._sampler is not None:
            self._sampler.terminate()
        began, ended = self.came[batch - 1], self.came[-1]
        busy = [percent for at, percent in self._samples if began < at < ended]
        return {
            "images_per_second": round((len(self.came) - batch) / (ended - began), 4),
            "drawing_share": round(sum(self.took[batch:]) / (ended - began), 4),
            "gpu_busy": round(sum(busy) / len(busy) / 100, 4) if busy else None,
            "gpu_busy_samples": len(busy),
        }


def pipeline(place: Place, batch: int, pictures: int) -> dict[str, Any]:
    watch = Watch(place.device)
    started = time.perf_counter()
    if "DATABASE_URL" in os.environ and "AWS_S3_BUCKET" in os.environ:
        how = "the job publish_prompts"
        _whole_job(watch, place, batch, pictures)
    else:
        how = "the stages after the queue, a folder for a store"
        _stages(watch, place, batch, pictures)
    seconds = round(time.perf_counter() - started, 2)
    return {"what": how, "pictures": pictures, "batch": batch, "seconds": seconds, **watch.figures(batch)}


def _whole_job(watch: Watch, place: Place, batch: int, pictures: int) -> None:
    from benchmarks import job
    from glad_pipeline.defs.resources import SdxlResource

    class Watched(SdxlResource):
        def generate(
            self, recipes: Iterable[Recipe], *, begun: Callable[[Sequence[Recipe]], None] = lambda recipes: None
        ) -> Iterator[Any]:
            yield from watch.over(super().generate(recipes, begun=begun))

    sdxl = Watched(
        model=str(place.folder),
        device=place.device,
        steps=PIPELINE_STEPS,
        gpu_batch=batch,
        compile_cache=str(place.cache),
        hash_cache=str(place.folder.parent / "hashes.json"),
    )
    with job.own_world():
        job.add_hills(pictures)
        job.run(sdxl, claim=pictures)


def _stages(watch: Watch, place: Place, batch: int, pictures: int) -> None:
    from glad_pipeline.defs.assets import DRAWN_AHEAD
    from glad_pipeline.defs.delivery import UPLOADERS, upload
    from glad_pipeline.generation.ahead import ahead
    from glad_pipeline.generation.encoding import contrast
    from glad_pipeline.publishing.quality import fault_of

    class Folder:
        """A store in a folder: what `S3Store` would have sent is written."""

        def put_once(self, key: str, body: bytes, **_: object) -> bool:
            file = here / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            return True

    def gate(drawing: Iterator[Any]) -> Iterator[Any]:
        for picture in drawing:
            assert picture.error is None, picture.error
            assert not fault_of(contrast(picture.pixels))
            yield picture

    engine = place.engine("auto", batch)
    wanted = recipes(place.folder, PIPELINE_STEPS, range(pictures))
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        drawing = ahead(watch.over(engine.generate(wanted)), DRAWN_AHEAD)
        with ThreadPoolExecutor(UPLOADERS) as pool:
            stored = list(pool.map(partial(upload, Folder(), "benchmark"), gate(drawing)))  # type: ignore[arg-type]
    assert len(stored) == pictures


def run_case(name: str, place: Place, *, shrunken: bool) -> dict[str, Any]:
    if name == "matmul":
        return matmul(place)
    if name == "pipeline":
        return pipeline(place, *((2, 8) if shrunken else (PIPELINE_BATCH, PIPELINE_PICTURES)))
    mode, batch = name.split("-")[-2:]
    return (warm_up if name.startswith("warm-up") else speed)(mode, int(batch), place)


def cases(*, shrunken: bool) -> list[str]:
    batches = (2,) if shrunken else BATCHES
    warm = [f"warm-up-{mode}-{batches[0]}" for mode in ("regional", "full")]
    first = [f"{mode}-{batches[0]}" for mode in MODES]
    rest = [f"{mode}-{batch}" for mode in MODES for batch in batches[1:]]
    return ["matmul", warm[0], first[0], "pipeline", *first[1:], *rest, warm[1]]


def in_a_process(name: str, place: Place, *, shrunken: bool, seconds: float) -> dict[str, Any]:
    """A case's figures, or what went wrong with it."""
    command = [sys.executable, "-m", "benchmarks.sdxl_gpu", "--case", name, "--checkpoint", str(place.folder)]
    command += ["--device", place.device, "--cache", str(place.cache), *(["--shrunken"] if shrunken else [])]
    environment = os.environ | ({"OMP_NUM_THREADS": "1"} if shrunken else {})  # nothing there for a second thread
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=environment)
    told = [line.removeprefix(TELLS) for line in done.stdout.splitlines() if line.startswith(TELLS)]
    if done.returncode or not told:
        return {"error": done.stderr.strip().splitlines()[-3:] or f"exit code {done.returncode}"}
    figures: dict[str, Any] = json.loads(told[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=600, help="begin no case that might end later")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="just these")
    parser.add_argument("--again", action="store_true", help="also what has been measured before")
    parser.add_argument("--shrunken", action="store_true")
    parser.add_argument("--device", choices=("cuda", "cpu"))
    parser.add_argument("--checkpoint", type=Path, help="where the checkpoint is, or is to be saved (7 GB)")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    args = parser.parse_args()
    import torch

    until = time.monotonic() + args.minutes * 60
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu" and not args.shrunken:
        raise SystemExit("sdxl_gpu: there is no GPU here; --shrunken proves the script on the CPU")
    size = "shrunken" if args.shrunken else "sdxl"
    folder = args.checkpoint or Path(tempfile.gettempdir()) / "glad-benchmark" / f"random-{size}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    cache = args.cache or folder.parent / f"kernels-{size}"
    place = Place(folder=folder, device=device, cache=cache)
    if args.case:
        print(TELLS + json.dumps(run_case(args.case, place, shrunken=args.shrunken)))
        return

    config = configuration(shrunken=args.shrunken)
    file = "sdxl_gpu_shrunken" if args.shrunken else "sdxl_gpu"
    found = {} if args.again and not args.only else report.read(file)
    found |= {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    found["flop"] = flop_per_picture(config)
    build_seconds = build(folder, config, device)
    if build_seconds:
        found["build_seconds"] = round(build_seconds, 1)
    results: dict[str, Any] = found.setdefault("cases", {})
    for name in args.only or cases(shrunken=args.shrunken):
        if name in results and "error" not in results[name] and not args.again:
            continue
        left = until - time.monotonic()
        if left < 60:
            print(f"time is up: {name} and what follows are left for another time")
            break
        try:
            results[name] = measure(name, place, shrunken=args.shrunken, seconds=left)
        except subprocess.TimeoutExpired:
            print(f"time is up in the middle of {name}")
            break
        report.write(file, found)
        print(f"{name}: {results[name]}", flush=True)
    tell(found, file)


def measure(name: str, place: Place, *, shrunken: bool, seconds: float) -> dict[str, Any]:
    if not name.startswith("warm-up"):
        return in_a_process(name, place, shrunken=shrunken, seconds=seconds)
    with tempfile.TemporaryDirectory() as empty:
        there = Place(folder=place.folder, device=place.device, cache=Path(empty))
        kinds = ("cold", "with_cache")
        found = {kind: in_a_process(name, there, shrunken=shrunken, seconds=seconds) for kind in kinds}
    error = next((each for each in found.values() if "error" in each), None)
    return error or found


def tell(found: dict[str, Any], file: str) -> None:
    """The table, and the ratios last."""
    flop, results = found["flop"], found["cases"]
    reached = results.get("matmul", {}).get("flop_per_second")
    print("\n| case | steps | images/s | of the bf16 floor | of this GPU's | of MLPerf | peak GiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    best: dict[int, float] = {}
    for name, figures in results.items():
        for steps in STEPS:
            rate = figures.get(f"images_per_second_{steps}")
            if rate is None:
                continue
            each = 2 * steps * flop["unet"] + flop["vae"] + flop["text"]
            of_floor = rate * each / BF16
            own = f"{rate * each / reached:.3f}" if reached else "not measured"
            mlperf = f"{rate / MLPERF:.3f}" if steps == 20 else ""
            print(f"| {name} | {steps} | {rate:.3f} | {of_floor:.3f} | {own} | {mlperf} | {figures['peak_gib']} |")
            figures[f"of_floor_{steps}"] = round(of_floor, 4)
            if int(name.split("-")[-1]) >= 16 or file != "sdxl_gpu":
                best[steps] = max(best.get(steps, 0.0), of_floor)
    report.write(file, found)
    if "gpu_busy" in results.get("pipeline", {}):
        of = results["pipeline"]
        print(f"pipeline: {of['images_per_second']} images/s, GPU busy {of['gpu_busy']} (goal ≥ {GOAL_BUSY})")
    for steps, ratio in best.items():
        print(f"sdxl_gpu: {ratio:.3g} of the bf16 floor at {steps} steps (goal ≥ {GOAL})")


if __name__ == "__main__":
    main()
