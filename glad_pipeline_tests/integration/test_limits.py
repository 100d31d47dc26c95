"""The one table of ranges, compared with what PostgreSQL enforces by itself and with what the blog's columns hold."""

import re

import pytest
from psycopg import sql
from psycopg.errors import NumericValueOutOfRange

from glad_pipeline import limits
from glad_pipeline.database import connect

BYTES_OF_A_CHARACTER = 4  # at most, in UTF-8


@pytest.fixture
def migrated(migrated_url: str) -> str:
    return migrated_url


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"(?<![\w.'-])[0-9]+(?![\w.])", text)]


def test_no_check_of_the_database_contradicts_the_table(migrated):
    with connect(migrated) as connection:
        checks = connection.execute("SELECT conname AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint")
        functions = connection.execute(
            "SELECT proname AS name, prosrc AS text FROM pg_proc WHERE proname LIKE 'prompts%'"
        )
        found = {row["name"]: row["text"] for row in (*checks, *functions)}
    assert numbers(found["images_url_check"]) == numbers(found["images_thumbnail_url_check"]) == [limits.URL_CHARS]
    years = re.findall(r"'([0-9]{4})-01-01", found["publish_at_is_a_date_of_our_calendar"])
    assert [int(year) for year in years] == [limits.PUBLISH_YEARS.low, limits.PUBLISH_YEARS.high + 1]
    assert limits.ATTEMPTS.high <= max(numbers(found["attempts_are_1000_at_most"]))
    keys, texts = map(int, re.findall(r"> ([0-9]+) THEN", found["prompts_refuse_the_unreadable"]))
    assert max(limits.CHARS["slug"], limits.CHARS["task_id"]) * BYTES_OF_A_CHARACTER <= keys
    assert sum(limits.CHARS.values()) * BYTES_OF_A_CHARACTER <= texts


def test_both_ends_of_each_range_fit_into_their_columns(migrated):
    ranges = {
        "seed": limits.SEED,
        "priority": limits.PRIORITY,
        "width": limits.SIDE,
        "num_inference_steps": limits.STEPS,
        "guidance_scale": limits.GUIDANCE,
    }
    with connect(migrated, autocommit=True) as connection:
        for column, allowed in ranges.items():
            for number in (allowed.low, allowed.high):
                insert = sql.SQL("INSERT INTO prompts (prompt, {}) VALUES ('p', %s)").format(sql.Identifier(column))
                connection.execute(insert, [number])
        seed, priority = limits.SEED.high + 1, limits.PRIORITY.low - 1
        for column, number in (("seed", seed), ("priority", priority)):
            with pytest.raises(NumericValueOutOfRange):
                connection.execute(f"INSERT INTO prompts (prompt, {column}) VALUES ('p', {number})")


def test_the_blogs_columns_hold_what_a_prompt_may_say(migrated):
    least = {
        ("posts", "title"): limits.CHARS["title"],
        ("posts", "slug"): limits.CHARS["slug"],
        ("posts", "featured_image_url"): limits.URL_CHARS,
        ("categories", "name"): limits.CHARS["category"],
        ("authors", "name"): limits.CHARS["author"],
        ("content_tasks", "task_id"): limits.CHARS["task_id"],
        ("content_tasks", "featured_image_url"): limits.URL_CHARS,
    }
    with connect(migrated) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, character_maximum_length FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        )
        most = {(row["table_name"], row["column_name"]): row["character_maximum_length"] for row in rows}
    assert {where: chars for where, chars in least.items() if chars > most[where]} == {}
