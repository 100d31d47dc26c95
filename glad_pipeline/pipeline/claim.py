"""A run's claim: what never could be drawn is rejected, and tries that were nobody's fault are given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psycopg

from glad_pipeline.blame import is_the_deployments, one_row
from glad_pipeline.database import DatabaseError
from glad_pipeline.errors import GladError
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.prompts.validation import reasons_against

Row = Mapping[str, Any]


def reject_invalid(rows: Sequence[Row], claim: Claim) -> list[Row]:
    """The rows whose values are valid; the others are rejected, each with what is wrong with it."""
    bad: dict[int, str] = {}
    for row in rows:
        with one_row(partial(bad.__setitem__, row["id"])):
            if faults := reasons_against(row):
                bad[row["id"]] = "; ".join(faults)
    claim.reject(bad)
    return [row for row in rows if row["id"] not in bad]


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
