"""Writes a demo checkpoint's model card from what training logged and evaluation measured.

python -m training.card --checkpoint DIR --hardware "…" --log FILE
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glad_pipeline.generation.models import DEMO_CHECKPOINT
from training.evaluate import report

CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
language: en
---
# glad demo model

A tiny text-to-image model that draws landscapes, in the very layout of SDXL base: two CLIP text encoders, a UNet with
`text_time` conditioning, an `AutoencoderKL`, Euler scheduling; `StableDiffusionXLPipeline.from_pretrained` loads it
with no code of its own. It is here so that everything around it runs, and can be tested, with neither a GPU nor a
download. It is a toy: for pictures to publish, use SDXL.

Native size {side} × {side}, {steps} steps, guidance {guidance_scale}. Any multiple of 8 pixels can be drawn.

## What it knows

Sunset, dawn, day, night, storm and aurora over mountains, desert, ocean, city, forest, lake, hills, snow, canyon and
island; sun, moon, stars, clouds, birds, boats and trees; a sky in red, golden, green, teal, blue, purple or pink; a few
styles (watercolour, flat, black and white); and common synonyms of these words. Of any other word it knows nothing, and
draws one of these scenes all the same.

## Training

- Data: procedural pictures and captions of this repository (`demo_model/scenes.py`, `captions.py`), drawn from seeds.
  No photograph, no data set, no other model's weights.
- {parts}
- {stages}
- Hardware: {hardware}
- Programs: `demo_model/train.py` (preset `{preset}`, seed {seed}).
  The number of steps was set by the clock. Training by steps (`--vae-steps`, `--denoiser-steps`) is reproducible on
  like hardware.
{note}
## Measured

On {captions} held-out captions and pictures of a seed (`{held_out_seed}`) that no training used. Adherence is judged by
a small classifier that was taught on the renderer's own labels, where a caption names the thing ({counts} captions);
what it makes of real renders stands beside. Speed on {device}, {threads} thread(s).

{table}

## Limits

Pictures of {side} pixels, painterly rather than crisp: sun and moon are uneven blobs and about one in six is left out,
city windows run together, mountains look like clouds, stars and birds are hardly ever drawn. English only; one scene a
picture; no people, animals, objects or writing; counts, positions and relations in a prompt have no effect. A word that
belongs to two things confuses it ("a high sun" brings the high peaks). Sizes far from the native one repeat the scene:
at 512 × 512 an island becomes two. The loss was still falling: more training is what crispness takes.

## Hashes (SHA-256)

{hashes}

License: Apache-2.0
"""


def write_card(checkpoint: Path, logs: Sequence[Path], hardware: str, note: str = "") -> None:
    """`README.md` in the checkpoint."""
    events = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    figures = json.loads((checkpoint / "metrics.json").read_text(encoding="utf-8"))
    start = next(event for event in reversed(events) if event["event"] == "start")
    millions = start["millions_of_parameters"]
    parts = f"{sum(millions.values()):.1f} M parameters: " + ", ".join(
        f"{name.replace('_', ' ')} {count:.2f} M" for name, count in millions.items()
    )
    text = CARD.format(
        **figures,
        parts=parts,
        stages="; ".join(_stages(events)),
        hardware=hardware,
        note=f"- {note}\n" if note else "",
        counts=", ".join(f"{name} {count}" for name, count in figures["judged"].items()),
        preset=start["preset"],
        seed=start["seed"],
        table=report(figures),
        hashes="\n".join(_hashes(checkpoint)),
    )
    (checkpoint / "README.md").write_text(text, encoding="utf-8")


def _stages(events: Sequence[dict[str, Any]]) -> list[str]:
    told = {
        "vae trained": "{steps:,} steps of the autoencoder",
        "end": "{steps:,} steps of UNet and text encoders at {side} pixels in {minutes:.0f} minutes",
    }
    stages, side = [], 0
    for event in events:
        side = event["sizes"]["side"] if event["event"] == "start" else side
        if event["event"] in told:
            stages.append(told[event["event"]].format(**event, side=side))
    return stages


def _hashes(checkpoint: Path) -> list[str]:
    return [
        f"- `{file.relative_to(checkpoint).as_posix()}` {hashlib.sha256(file.read_bytes()).hexdigest()}"
        for file in sorted(checkpoint.rglob("*.safetensors"))
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the model card.")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--log", type=Path, action="append", required=True)
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--note", default="", help="what else is to be known of this training")
    given = parser.parse_args(arguments)
    write_card(given.checkpoint, given.log, given.hardware, given.note)


if __name__ == "__main__":
    main()
