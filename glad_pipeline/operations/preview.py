"""What prompts would be for the model of the settings, before they are in the queue."""

from __future__ import annotations

from collections.abc import Sequence

from glad_pipeline.display import first_line
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.tokens import PIECE, counter_of
from glad_pipeline.records import NewPrompt


def tokens_of(prompts: Sequence[NewPrompt], options: EngineOptions) -> list[str]:
    """How long each prompt is for the model of the settings: `12, negative prompt 90 (2 pieces of 75)`.

    Where the model is not here to count them, why not.
    """
    try:
        counter = counter_of(resolve_model(options), options.hash_cache) if prompts else None
    except GladError as error:
        return [f"not counted: {first_line(error, 200)}" for _ in prompts]
    found = []
    for prompt in prompts:
        assert counter is not None  # noqa: S101
        syntax = prompt.prompt_syntax or options.prompt_syntax
        texts = {"": prompt.prompt, "negative prompt ": prompt.negative_prompt}
        counts = [f"{name}{counter.tokens(text, syntax=syntax):,}" for name, text in texts.items() if text]
        pieces = max(counter.pieces(text, syntax=syntax) for text in texts.values())
        found.append(", ".join(counts) + (f" ({pieces} pieces of {PIECE})" if pieces > 1 else ""))
    return found
