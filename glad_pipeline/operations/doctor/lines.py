"""A line of each level, for the checks."""

from __future__ import annotations

from glad_pipeline.diagnosis import Diagnosis, Level


def right(about: str, text: str) -> Diagnosis:
    return Diagnosis(check=about, level=Level.OK, text=text)


def not_tested(about: str, text: str, cure: str | None = None) -> Diagnosis:
    return Diagnosis(check=about, level=Level.NOT_TESTED, text=text, cure=cure)


def risk(about: str, text: str, cure: str) -> Diagnosis:
    """It works, and something is lost or at risk."""
    return Diagnosis(check=about, level=Level.WARNING, text=text, cure=cure)


def wrong(about: str, text: str, cure: str | None) -> Diagnosis:
    """It does not work. `cure`: None where the text has it."""
    return Diagnosis(check=about, level=Level.ERROR, text=text, cure=cure)
