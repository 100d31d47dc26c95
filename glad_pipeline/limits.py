"""The one table of ranges, and of the names of presets and schedulers, that a row, a setting or an option may have.

Intake, recipes, settings and the terminal check against it and quote it. CHECKs of the database repeat some of it in
SQL; `integration/test_limits.py` compares the two. Knows no other room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `low` to `high`, both included. As metadata of an `Annotated` type pydantic checks it."""

    low: int
    high: int
    step: int = 0  # only its multiples; 0: any

    __is_annotated_types_grouped_metadata__ = True

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high and not (self.step and number % self.step)

    def __iter__(self) -> Iterator[Any]:
        from annotated_types import Ge, Le, MultipleOf

        yield from (Ge(self.low), Le(self.high))
        if self.step:
            yield MultipleOf(self.step)

    def __str__(self) -> str:
        return f"{self.low:,} to {self.high:,}" + (f", a multiple of {self.step}" if self.step else "")


# A recipe
SIDE = Range(64, 4_096, step=8)  # pixels; SDXL's latents are an eighth of the picture
MAX_PIXELS = 4_096 * 2_048
STEPS = Range(1, 200)
GUIDANCE = Range(0, 30)
SEED = Range(0, 2**63 - 1)  # a PostgreSQL bigint and a torch generator both hold it
SCHEDULERS = ("euler", "euler_a", "dpmpp_2m", "ddim", "unipc", "lcm")
PROMPT_SYNTAXES = ("plain", "a1111")  # how brackets in a prompt are read: as text, or as weights (weighted_text.py)
PUBLISH = ("post", "picture")  # what a prompt becomes: a post, or a public picture alone
TEXT_PIECES = Range(1, 32)  # of 75 tokens each, that a prompt is read in; 2,400 tokens are about 10,000 letters
TEXT_WEIGHT = Range(-10, 10)  # of a part of a prompt, brackets multiplied
PREDICTIONS = ("epsilon", "v_prediction", "v_prediction_zsnr")  # of a single-file model; zsnr: zero terminal SNR
PRESETS = ("base", "fast", "refined", "cfg-cutoff", "lightning-4", "lcm-4", "fp8")  # generation/presets.py

# A row of `prompts`
CHARS = {  # by column, at most
    "prompt": 20_000,
    "negative_prompt": 20_000,
    "title": 255,
    "slug": 255,
    "excerpt": 500,
    "content": 1_000_000,
    "category": 255,
    "author": 255,
    "alt_text": 255,
    "task_id": 255,
    "model": 255,
    "lora": 500,
    "source": 64,
}
KEY_BYTES = 2_000  # of an idempotency key, in UTF-8: an index takes no longer ones
PRIORITY = Range(-(2**31), 2**31 - 1)  # a PostgreSQL integer
PUBLISH_YEARS = Range(1900, 9998)  # so that every zone's time of it is a date that Python holds
POST_NUMBER = Range(-(2**63), 2**63 - 1)  # the id of a post on a blog that numbers them: a PostgreSQL bigint
POST_ID_CHARS = 255  # of the id of a post on a blog whose ids are text
FOCUS_CHARS = 40  # of the point that a crop keeps, in words or numbers
REASON_CHARS = 500  # why a person refuses a picture or takes it down
URL_CHARS = 500  # of a picture's public address, as the blog's columns have it

# A deployment
BATCH_SIZE = Range(1, 100_000)  # prompts that one run claims
RUN_SECONDS = Range(1, 14_400)  # in which one run begins batches
LISTED = Range(1, 100_000)  # rows of one answer
ATTEMPTS = Range(1, 100)  # claims of a prompt; tries of a message
SENSOR_SECONDS = Range(0, 45)  # one look; Dagster gives it 60
EVENTS_DAYS = Range(1, 36_500)
LONGEST_WAIT_SECONDS = Range(1, 31_536_000)
LEASE_SECONDS = Range(5, 86_400)
DATABASE_PATIENCE_SECONDS = Range(0, 3_600)
STORE_PATIENCE_SECONDS = Range(0, 86_400)
SPOOL_MB = Range(0, 10_000_000)
MOST_PIXELS = Range(SIDE.low**2, MAX_PIXELS)  # that a row may ask for
RENDITION_WIDTH = Range(16, 4_096)  # pixels
GPU_BATCH = Range(1, 256)  # pictures drawn at once
WORKERS = Range(1, 10_000)
WORKER_GPUS = Range(0, 1)
WORKER_MODELS = Range(1, 64)
WORKER_START_SECONDS = Range(1, 86_400)
PORT = Range(1, 65_535)
BODY_KB = Range(1, 1_048_576)  # of one request
