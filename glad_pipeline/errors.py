"""The one base class of every error this product raises on purpose.

A message says what happened, which value, and what to do. The CLI prints it without a stack trace;
the Dagster layer turns it into a step failure with that text. No message has a secret in it, whatever it was made of.
"""

from __future__ import annotations

from glad_pipeline.redaction import redact


class GladError(Exception):
    """Something a person can mend: the message is for them, and the exit code of a command is 1."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message))


class UnavailableError(GladError):
    """Something that is needed does not answer: no request of anybody's is the cause."""


class NoSuchError(GladError):
    """What somebody has named is not there."""


class NotAllowedError(GladError):
    """It is for somebody else to do."""


class UsageError(GladError):
    """What was asked for cannot be right (a bad value, a bad file, a bad option): exit code 2."""

    exit_code = 2
