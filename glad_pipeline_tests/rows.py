"""Rows of the database as the product has them."""

from collections.abc import Mapping
from typing import Any, LiteralString

from glad_pipeline.database import Database
from glad_pipeline.records import Prompt, records_of


def prompt_of(row: Mapping[str, Any]) -> Prompt:
    """A row of `prompts` as a run has it."""
    (prompt,) = records_of(Prompt, [row])
    return prompt


def pages_read(database: Database, statement: LiteralString, **bound: object) -> int:
    """How many pages of tables and indexes a statement looks at, where it is planned already."""
    with database.transaction() as connection:
        for _ in range(2):
            [plan] = (
                connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", bound).fetchone().values()
            )
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
