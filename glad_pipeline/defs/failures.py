"""What a person sees when a step fails: our own message, and no second try by Dagster.

The database is asked again where it is used, for as long as the settings say, and the store likewise; a run that
fails all the same is left to the next one. Not a RetryPolicy: with one, Dagster takes Ctrl-C and the UI's *Terminate*
for a failure and starts the step again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from glad_pipeline.blame import reason_of
from glad_pipeline.errors import GladError


@contextmanager
def clearly(tell: Callable[[str], str | None] = lambda text: None) -> Iterator[None]:
    """Fail the step with the text of a `GladError`, or of a database that does not answer, raised inside the block.

    `tell` gets the text too: the queue keeps it with the prompts that wait because of it. What it answers is told as
    well, also of an error that nobody knows.
    """
    try:
        yield
    except (GladError, psycopg.OperationalError) as error:
        text = str(error) if isinstance(error, GladError) else f"the database did not answer: {error}"
        more = tell(text)
        told = f"{text.rstrip('.')}. {more}" if more else text
        raise dg.Failure(description=told, allow_retries=False) from None  # our message says it all
    except Exception as error:
        text = reason_of(error)
        if more := tell(text):
            raise dg.Failure(description=f"{text}. {more}", allow_retries=False) from error
        raise
