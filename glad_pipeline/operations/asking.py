"""Asking for pictures as a person does: a post may be named by its slug, and what is to be said of texts is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glad_pipeline.database import Database
from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.operations.prompt_texts import notices_of
from glad_pipeline.prompts import management
from glad_pipeline.prompts.editing import with_post
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline.prompts.management import PromptDetails
from glad_pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedFor:
    """A prompt that is in the queue."""

    id: int
    is_new: bool  # False: it was there already
    prompt: PromptDetails | None  # None: it was removed just now
    notices: Sequence[str]  # what of its texts is drawn in another way than it seems to be meant


def ask_for(database: Database, given: Mapping[str, Any], settings: Settings) -> AskedFor:
    """Put one prompt into the queue. `post_id`: a post's slug or id. Raises as `intake.add_prompt`."""
    prompt_id, is_new = add_prompt(database, with_post(database, given), zone=settings.zone)
    known = management.show_prompt(database, prompt_id)
    notices = notices_of(known, settings.engine) if known else ()
    return AskedFor(id=prompt_id, is_new=is_new, prompt=known, notices=notices)


def ask_for_each(
    database: Database, wanted: Sequence[Mapping[str, Any]], settings: Settings
) -> Iterator[tuple[int, bool] | GladError]:
    """Put prompts into the queue, each for itself: its id and whether it is new, or why it is not there."""
    for given in wanted:
        try:
            yield add_prompt(database, with_post(database, given), zone=settings.zone)
        except UnavailableError:
            raise
        except GladError as error:
            yield error
