"""Draws prompts a blogger might write as one picture, to look at with one's own eyes.

python -m training.contact_sheet --checkpoint DIR --out sheet.webp [--count 60] [--shown 160]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from glad_pipeline.generation.models import DEMO_CHECKPOINT
from training.evaluate import Drawer

PROMPTS = (
    "a golden sunset over the mountains",
    "a quiet harbour at dawn, pink light",
    "the northern lights over snowy hills, many stars",
    "a city skyline at night with a full moon",
    "a small sailing boat on a calm blue sea, midday sun",
    "a tropical island in a turquoise ocean",
    "a dark storm over the ocean",
    "sand dunes under a bright blue sky",
    "a pine forest at dawn in soft pink light",
    "a still lake at sunset, purple sky",
    "green rolling hills on a sunny day with white clouds",
    "a red canyon at sunset",
    "fresh snow at night under a crescent moon",
    "a red sunset over the city",
    "a watercolour of a lake at dawn",
    "purple aurora over the forest",
    "mountains at night with stars and a moon",
    "an island with palm trees at a red sunset",
    "a flat illustration of a golden sunset over the sea",
    "a black and white photo of a city at night",
    "first light on the alps",
    "a teal morning at the lake",
    "a desert at night, a sky full of stars",
    "a meadow in the afternoon, birds in the sky",
    "my weekend trip to the mountains",
    "skyscrapers at dusk, violet sky",
    "a thunderstorm over the countryside",
    "waves at sunset with seagulls",
    "a canyon under a blue midday sky",
    "winter morning, snow and fir trees, golden light",
    "a lonely tree on a hill at sunset",
    "the sea at night, moonlight on the water",
    "rain over the city",
    "a mountain lake on a bright summer day",
    "a green aurora over a fjord",
    "a pink sunset over the desert",
    "a poster of mountains at dawn",
    "a beach at noon, palms",
    "the forest after dark with a bright moon",
    "a vineyard at golden hour",
    "red sky over the sea in the morning",
    "a purple night over the city",
    "an island in a storm",
    "snowy mountains under a clear blue sky",
    "a ship at sea at sunrise, golden sky",
    "hills in the evening, orange light, soft clouds",
    "a teal night at the lake with stars",
    "a watercolor painting of green hills and trees",
    "sunrise in the canyon, a low sun",
    "a city at dawn in pink and golden light",
    "a woman drinking coffee in Paris",
    "a red fox in the snow",
    "ten tips for better sleep",
    "an old castle by a lake at night",
    "jungle in the rain",
    "a blue evening by the sea, a small boat",
    "noir, a harbour at night",
    "the sahara at sunset with a big sun",
    "spring fields under a pink sky",
    "a frozen lake under the aurora borealis",
)


def sheet(
    drawer: Drawer, prompts: Sequence[str], *, columns: int, seed: int = 0, shown: int | None = None
) -> Image.Image:
    """The prompts' pictures row by row, each `shown` pixels wide; picture number n has seed `seed` + n."""
    side = shown or drawer.side
    pictures = drawer.draw(prompts, [seed + place for place in range(len(prompts))])
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * (side + 4) - 4, rows * (side + 4) - 4), "white")
    for place, picture in enumerate(pictures):
        image = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        whole.paste(image, (place % columns * (side + 4), place // columns * (side + 4)))
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw a contact sheet.")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=len(PROMPTS))
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shown", type=int, help="pixels of a picture on the sheet; as drawn if not given")
    given = parser.parse_args(arguments)
    drawer = Drawer(given.checkpoint, steps=given.steps, guidance=given.guidance)
    sheet(drawer, PROMPTS[: given.count], columns=given.columns, seed=given.seed, shown=given.shown).save(
        given.out, quality=88
    )


if __name__ == "__main__":
    main()
