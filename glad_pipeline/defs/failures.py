"""What a person sees when a step fails: our own message, and a retry only of what a retry can mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from glad_pipeline.database import DatabaseError
from glad_pipeline.errors import GladError

# A database that restarts is back in seconds; whatever lasts longer is left to the next run.
# Not a RetryPolicy: with one, Dagster takes Ctrl-C and the UI's *Terminate* for a failure and starts the step again.
BLIP_RETRIES = 2
LAST_TRY = BLIP_RETRIES


@contextmanager
def clearly(attempt: int = LAST_TRY, tell: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Turn errors inside the block into what Dagster should do and a person should read.

    A database that does not answer asks for a retry as long as `attempt` (0: the step's first) is not the last.
    Any other `GladError` fails the step with its text at once, and `tell` gets the text too: the queue keeps it
    with the prompts that wait because of it.
    """
    try:
        yield
    except (psycopg.OperationalError, DatabaseError) as error:
        if attempt < BLIP_RETRIES:
            raise dg.RetryRequested(max_retries=BLIP_RETRIES, seconds_to_wait=2 * 2**attempt) from error
        text = str(error) if isinstance(error, GladError) else f"the database did not answer: {error}"
        tell(text)
        raise dg.Failure(description=text, allow_retries=False) from None
    except GladError as error:
        tell(str(error))
        raise dg.Failure(description=str(error), allow_retries=False) from None  # our message says it all
