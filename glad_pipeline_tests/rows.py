"""Rows of the database as the product has them."""

from collections.abc import Mapping
from typing import Any

from glad_pipeline.records import Prompt, records_of


def prompt_of(row: Mapping[str, Any]) -> Prompt:
    """A row of `prompts` as a run has it."""
    (prompt,) = records_of(Prompt, [row])
    return prompt
