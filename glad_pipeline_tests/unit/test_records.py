"""The list of the columns of `prompts`: who follows it, and what is made of rows that have more."""

import dataclasses

from glad_pipeline.prompts import validation
from glad_pipeline.prompts.intake import QUERIES
from glad_pipeline.records import FIELDS, NewPrompt, Prompt, records_of, values_of


def test_columns_of_a_newer_database_are_passed_over_and_absent_ones_have_their_defaults():
    (prompt,) = records_of(Prompt, [{"id": 7, "prompt": "a hill", "seed": 1, "a_later_column": "x"}])
    assert prompt == Prompt(id=7, prompt="a hill", seed=1)
    assert values_of(prompt)["attempts"] == 0
    assert "a_later_column" not in values_of(prompt)


def test_every_column_that_intake_writes_has_a_rule_and_is_in_its_statements():
    assert tuple(validation._RULES) == FIELDS == tuple(field.name for field in dataclasses.fields(NewPrompt))
    columns = ", ".join((*FIELDS, "content_hash"))
    for name in ("create_staging", "copy_staging", "insert_staged", "insert_one"):
        assert columns in QUERIES[name]
        assert "{" not in QUERIES[name]
    assert all(f"%({field})s" in QUERIES["insert_one"] for field in FIELDS)
