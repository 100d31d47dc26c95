"""What would become of a prompt that nobody has asked for yet: whether it can be, how long its texts are, how drawn.

Changes nothing and fetches nothing. The rules are intake's and those of a run's claim.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from glad_pipeline.database import Connection, Database
from glad_pipeline.errors import GladError, UnavailableError, UsageError
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.limits import TEXT_PIECES
from glad_pipeline.operations.choices import problem_of
from glad_pipeline.operations.prompt_texts import notices_of
from glad_pipeline.prompts import intake, management
from glad_pipeline.prompts.aims import refuse_unknown_aims
from glad_pipeline.prompts.editing import with_post
from glad_pipeline.prompts.sources import refuse_beyond_limit
from glad_pipeline.prompts.spellings import understood
from glad_pipeline.prompts.validation import new_prompt, reasons_against
from glad_pipeline.publishing import blocklist
from glad_pipeline.records import FIELDS, NewPrompt, Prompt, values_of
from glad_pipeline.settings import Settings

OF_ANOTHER = "a prompt with this task_id is there already, and was not asked for with this key"
_WORD = re.compile(r"\w{1,5}|[^\w\s]")  # about what CLIP's vocabulary has as one token
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedText:
    """How long a text is for the model."""

    field: str  # prompt, or negative_prompt
    tokens: int  # of the text encoder for which it is longest
    encoders: Sequence[int]  # of each text encoder; empty: estimated
    of: int  # tokens that are read at once
    pieces: int  # of that many tokens
    most_pieces: int  # what is longer is cut, or refused
    is_estimate: bool  # the model's tokenizers are not on this machine


@dataclass(frozen=True, kw_only=True, slots=True)
class WouldBe:
    """How it would be drawn, and what would come of it."""

    becomes: Literal["post", "picture", "illustration"]
    width: int  # pixels
    height: int
    num_inference_steps: int
    guidance_scale: float
    scheduler: str
    preset: str
    model: str
    needs_approval: bool
    publish_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What there is to say of it."""

    is_possible: bool
    problems: Sequence[str]  # each reason why it would be refused
    warnings: Sequence[str]  # what is drawn in another way than it is meant, or not by this machine, or has no place
    texts: Sequence[CheckedText]
    would_be: WouldBe | None  # None: it is not possible


def check(
    database: Database,
    given: Mapping[str, Any],
    settings: Settings,
    *,
    told: Callable[[GladError], str] = str,
    sees: Callable[[str | None], bool] = lambda source: True,
) -> Checked:
    """Look at a prompt as `ask_for` would take it.

    Args:
        told: what a refusal is for who asks.
        sees: whether who asks may know of prompts of this source.
    """
    from glad_pipeline.pipeline.blog import without_place  # it brings the trial of a post with it

    syntax = str(given.get("prompt_syntax") or settings.engine.prompt_syntax)
    fields = ("prompt", "negative_prompt")
    texts = [_text(name, str(given.get(name) or ""), syntax, settings) for name in fields if given.get(name)]
    try:
        named = with_post(database, given)
        new, there = database.read(lambda connection: _new(connection, named, settings))
    except UnavailableError:
        raise
    except GladError as error:
        return _refused(_reasons(given, error, told), texts)
    if there is not None and not sees(management.sources_of(database, [there]).get(there)):
        return _refused([OF_ANOTHER], texts)
    seed = intake.chosen_seed(intake.content_hash(new)) if new.seed is None else new.seed
    prompt = Prompt(**{**values_of(new), "id": 0, "seed": seed})
    try:
        recipe = _recipe(prompt, settings)
    except UsageError as error:
        return _refused([str(error)], texts)
    if taken := database.read(lambda connection: blocklist.blocked(connection, [recipe.hash])):
        return _refused([*taken.values()], texts)
    said = (*_of_same(there), *notices_of(new, settings.engine), *_of_preset(recipe.preset, settings))
    return Checked(
        is_possible=True,
        problems=(),
        warnings=(*said, *without_place(database, prompt)),
        texts=texts,
        would_be=_would_be(new, recipe),
    )


def _new(connection: Connection, given: Mapping[str, Any], settings: Settings) -> tuple[NewPrompt, int | None]:
    """The prompt as intake makes it, and which one it is already. Raises `UsageError` as that does."""
    ids = intake.ids_of_posts(connection)
    new = new_prompt({name: given[name] for name in given if name in (*FIELDS, "size")}, zone=settings.zone, ids=ids)
    row = dict(zip(intake.WRITTEN, intake.as_row(new), strict=True))
    if (there := intake.same_prompt(connection, new, row)) is not None:
        return new, there
    if new.slug is not None:
        intake.refuse_taken_slug(connection, new)
    refuse_unknown_aims(connection, new)
    refuse_beyond_limit(connection, new.source)
    return new, None


def _of_same(there: int | None) -> list[str]:
    return [] if there is None else [f"it was asked for already, as prompt {there}: nothing would be added"]


def _of_preset(preset: str, settings: Settings) -> list[str]:
    """What this machine lacks for it. A warning: the prompt is taken all the same, and another machine may draw."""
    problem = problem_of(preset, settings)
    return [] if problem is None else [f"{problem}, and none was found on this machine"]


def _reasons(given: Mapping[str, Any], error: GladError, told: Callable[[GladError], str]) -> list[str]:
    """Each reason against the fields by themselves, or else the one that the database knows."""
    fields = {name: found for name, found in given.items() if name != "post_id"}
    return reasons_against(understood(fields)) or [told(error)]


def _refused(problems: Sequence[str], texts: Sequence[CheckedText]) -> Checked:
    return Checked(is_possible=False, problems=problems, warnings=(), texts=texts, would_be=None)


def _recipe(prompt: Prompt, settings: Settings) -> Recipe:
    """How a run would draw it. Raises `UsageError` where none could."""
    from glad_pipeline.pipeline.sdxl import Sdxl

    options = settings.engine
    try:
        return Sdxl(options=options, log=log, fetches=False).recipe(prompt)
    except UsageError:
        raise
    except GladError:  # no tokens can be counted here: a text that is cut needs no counting
        uncounted = options.model_copy(update={"long_prompts": "cut"})
        try:
            return Sdxl(options=uncounted, log=log, fetches=False).recipe(prompt)
        except UsageError:
            raise
        except GladError as error:
            raise UsageError(str(error)) from error


def _would_be(new: NewPrompt, recipe: Recipe) -> WouldBe:
    aims = new.post_id is not None or (new.task_id is not None and new.title is None)
    return WouldBe(
        becomes="picture" if new.publish == "picture" else "illustration" if aims else "post",
        needs_approval=new.needs_approval,
        publish_at=new.publish_at,
        **{name: getattr(recipe, name) for name in ("width", "height", "num_inference_steps", "guidance_scale")},
        **{name: getattr(recipe, name) for name in ("scheduler", "preset", "model")},
    )


def _text(field: str, text: str, syntax: str, settings: Settings) -> CheckedText:
    from glad_pipeline.generation.models import resolve_model
    from glad_pipeline.generation.tokens import PIECE, counter_of

    options = settings.engine
    most = 1 if options.long_prompts == "cut" else TEXT_PIECES.high
    try:
        counter = counter_of(resolve_model(options), options.hash_cache, fetch=False)
        encoders, pieces = counter.by_encoder(text, syntax=syntax), counter.pieces(text, syntax=syntax)
        tokens, is_estimate = max(encoders), False
    except GladError:
        tokens, encoders, is_estimate = len(_WORD.findall(text)), [], True
        pieces = max(1, -(-tokens // PIECE))
    return CheckedText(
        field=field,
        tokens=tokens,
        encoders=encoders,
        of=PIECE,
        pieces=pieces,
        most_pieces=most,
        is_estimate=is_estimate,
    )
