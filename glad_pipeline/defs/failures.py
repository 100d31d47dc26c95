"""What a person sees when a step fails: our own message, and no retry of what a retry cannot mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from glad_pipeline.errors import GladError

# Blips only (a database that restarts): whatever lasts longer is left to the queue's attempts and the next run.
BLIPS = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def clearly() -> Iterator[None]:
    """Turn a `GladError` into a step failure with its text, which Dagster does not retry."""
    try:
        yield
    except GladError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
