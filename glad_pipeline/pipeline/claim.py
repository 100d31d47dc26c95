"""Claimed prompts to those that can be drawn: what never could be is rejected with the reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from glad_pipeline.blame import one_row
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
