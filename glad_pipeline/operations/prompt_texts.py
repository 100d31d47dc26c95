"""What is to be said of a prompt's texts: what is drawn in another way than it seems to be meant, or not at all.

Puts intake's rules and the model's tokens together; what counts those is imported once there is a long text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glad_pipeline.display import first_line
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.limits import TEXT_PIECES
from glad_pipeline.prompts.syntax import text_notices
from glad_pipeline.records import NewPrompt
from glad_pipeline.weighted_text import read_weights, reasons_against_weights

if TYPE_CHECKING:
    from glad_pipeline.generation.tokens import TokenCounter


def notices_of(prompt: NewPrompt, options: EngineOptions) -> tuple[str, ...]:
    """One sentence for each thing, as these options have prompts read. Nothing is fetched for it."""
    syntax = prompt.prompt_syntax or options.prompt_syntax
    texts = {"prompt": prompt.prompt, "negative_prompt": prompt.negative_prompt}
    found = [*text_notices(*texts.values(), syntax=syntax)]
    for column, text in texts.items():
        if syntax == "a1111":
            found += [f"{column} {reason}: it will be rejected" for reason in reasons_against_weights(text)]
        if _is_of_the_settings_model(prompt, options):
            found += _too_long(column, text, syntax, options)
    return tuple(found)


def _is_of_the_settings_model(prompt: NewPrompt, options: EngineOptions) -> bool:
    """Whether its tokens can be counted here without a look at another model."""
    return prompt.model in (None, options.model)


def _too_long(column: str, text: str, syntax: str, options: EngineOptions) -> list[str]:
    """What of a text is not drawn, or that all of it is too long to be."""
    from glad_pipeline.generation.models import resolve_model
    from glad_pipeline.generation.tokens import PIECE, counter_of, fits_surely

    is_cut = options.long_prompts == "cut"
    most = 1 if is_cut else TEXT_PIECES.high
    if fits_surely(text, syntax, pieces=most):
        return []
    try:
        counter = counter_of(resolve_model(options), fetch=False)
        if counter.pieces(text, syntax=syntax) <= most:
            return []
        tokens = f"{column} has {counter.tokens(text, syntax=syntax):,} tokens"
    except GladError:  # of the model: whoever draws with it says what is wrong
        return []
    if is_cut:
        has_break = syntax == "a1111" and len(read_weights(text).sections) > 1
        end = f"first BREAK, and the first {PIECE} tokens," if has_break else f"first {PIECE}"
        return [f"{tokens}: what follows the {end} is not drawn (GLAD_LONG_PROMPTS=cut)"]
    return [f"{tokens}: it will be rejected, at most {most} pieces of {PIECE} are drawn"]


def tokens_of(prompts: Sequence[NewPrompt], options: EngineOptions) -> list[str]:
    """How long each prompt is for the model of the settings: `12, negative prompt 90 (2 pieces of 75)`.

    Where the model is not here to count them, why not.
    """
    from glad_pipeline.generation.models import resolve_model
    from glad_pipeline.generation.tokens import counter_of

    if not prompts:
        return []
    try:
        counter = counter_of(resolve_model(options), options.hash_cache)
        return [_counted(counter, prompt, prompt.prompt_syntax or options.prompt_syntax) for prompt in prompts]
    except GladError as error:
        return [f"not counted: {first_line(error, 200)}" for _ in prompts]


def _counted(counter: TokenCounter, prompt: NewPrompt, syntax: str) -> str:
    from glad_pipeline.generation.tokens import PIECE

    texts = {"": prompt.prompt, "negative prompt ": prompt.negative_prompt}
    counts = [f"{name}{counter.tokens(text, syntax=syntax):,}" for name, text in texts.items() if text]
    pieces = max(counter.pieces(text, syntax=syntax) for text in texts.values())
    return ", ".join(counts) + (f" ({pieces} pieces of {PIECE})" if pieces > 1 else "")
