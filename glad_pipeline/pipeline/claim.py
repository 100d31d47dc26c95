"""A run's claim: what never could be drawn is rejected; tries that failed for another cause are given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import psycopg

from glad_pipeline.blame import is_the_deployments, one_row
from glad_pipeline.database import DatabaseError
from glad_pipeline.errors import GladError
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.prompts.validation import reasons_against
from glad_pipeline.records import Prompt, kind_of, values_of


def reject_invalid(prompts: Sequence[Prompt], claim: Claim) -> list[Prompt]:
    """The prompts whose values are valid; the others are rejected, each with what is wrong with it."""
    bad: dict[int, str] = {}
    for prompt in prompts:
        with one_row(partial(bad.__setitem__, prompt.id)):
            if problems := reasons_against(values_of(prompt), ids=kind_of(prompt.post_id)):
                bad[prompt.id] = "; ".join(problems)
    claim.reject(bad)
    return [prompt for prompt in prompts if prompt.id not in bad]


@contextmanager
def refunding(claim: Callable[[], Claim | None]) -> Iterator[None]:
    """Give the claim's tries back for an error inside that is the store's, the database's or the GPU's.

    What nobody knows stays counted: should a row have caused it, its tries are spent one day.
    """
    try:
        yield
    except Exception as error:
        ours = claim()
        if ours is not None and (isinstance(error, GladError) or is_the_deployments(error)):
            with suppress(psycopg.Error, DatabaseError):
                ours.refund()
        raise
