"""What a person sees when a step fails: our own message, and no second try by Dagster.

The database is asked again where it is used, for as long as the settings say, and the store likewise; a run that
fails all the same is left to the next one. Not a RetryPolicy: with one, Dagster takes Ctrl-C and the UI's *Terminate*
for a failure and starts the step again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from glad_pipeline import disk
from glad_pipeline.blame import reason_of
from glad_pipeline.embedded import trouble_at
from glad_pipeline.errors import GladError
from glad_pipeline.redaction import has_secret, redact, redacted_traceback


@contextmanager
def as_failure(tell: Callable[[str], str | None] = lambda text: None) -> Iterator[None]:
    """Fail the step with the text of a `GladError`, or of a database that does not answer, raised inside the block.

    `tell` gets the text too: the queue keeps it with the prompts that wait because of it. What it answers is added as
    well, also of an error that nobody knows; such a one comes through as it is where there is no answer, unless there
    is a secret in it: then as a failure with its redacted traceback.
    """
    try:
        yield
    except (GladError, psycopg.OperationalError) as error:
        text = str(error) if isinstance(error, GladError) else redact(f"the database did not answer: {error}")
        if not isinstance(error, GladError) and (trouble := trouble_at(os.environ.get("DATABASE_URL", ""))):
            text = redact(f"{text.rstrip()}. {trouble}")
        raise dg.Failure(description=_with(tell(text), text), allow_retries=False) from None  # our message says it all
    except Exception as error:
        if disk.is_full(error):
            text = disk.full(disk.place_of(error, os.environ.get("GLAD_HOME", "."), tempfile.gettempdir()))
            raise dg.Failure(description=_with(tell(text), text), allow_retries=False) from error
        more = tell(reason_of(error))
        if has_secret(error):  # Dagster would keep it with all its causes, and show it in the web UI
            raise dg.Failure(description=_with(more, redacted_traceback(error)), allow_retries=False) from None
        if more:
            raise dg.Failure(description=_with(more, reason_of(error)), allow_retries=False) from error
        raise


def _with(more: str | None, text: str) -> str:
    return f"{text.rstrip('.')}. {more}" if more else text
