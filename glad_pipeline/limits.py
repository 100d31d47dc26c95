"""What can be drawn: the limits that intake checks, recipes obey and the engine relies on. Knows no other room."""

from __future__ import annotations

MAX_PROMPT_CHARS = 2_000
MIN_SIDE, MAX_SIDE, SIDE_STEP = 64, 4_096, 8  # pixels; SDXL's latents are an eighth of the picture
MAX_PIXELS = 4_096 * 2_048
MIN_STEPS, MAX_STEPS = 1, 200
MIN_GUIDANCE, MAX_GUIDANCE = 0.0, 30.0
MIN_SEED, MAX_SEED = 0, 2**63 - 1  # a PostgreSQL bigint and a torch generator both hold it
SCHEDULERS = ("euler", "euler_a", "dpmpp_2m", "ddim", "unipc", "lcm")
PRESETS = ("base", "fast", "refined", "cfg-cutoff", "lightning-4", "lcm-4", "fp8")  # generation/presets.py
