"""`glad up` with sensor and schedule switched off: nothing starts by itself, and one click does it all."""

import pytest

from glad_pipeline_tests.acceptance.conftest import running_up


@pytest.fixture(scope="module")
def machine(machine):
    machine.settings = {"GLAD_SENSOR": "false", "GLAD_SCHEDULE": "false"}
    return machine


@pytest.fixture(scope="module")
def web(machine, tmp_path_factory):
    yield from running_up(machine, tmp_path_factory.mktemp("up"))


def test_materialize_all_in_the_web_ui_is_enough_and_with_the_triggers_off_nothing_starts_before(machine, web, page):
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at dawn', 'Dawn bay') RETURNING id")
    page.wait_for_timeout(6_000)  # the sensor would look every 5 s
    page.goto(f"{web}/asset-groups")
    button = page.get_by_text("Materialize all").first
    button.wait_for()
    assert machine.sql("SELECT 1 FROM runs", database="DAGSTER_DATABASE_URL") == []
    button.click()
    machine.wait_until_published(row["id"], seconds=90)
    page.goto(f"{web}/runs")
    page.get_by_text("Manually launched").first.wait_for()
    runs = machine.sql("SELECT run_id FROM runs", database="DAGSTER_DATABASE_URL")
    started_by = machine.sql(
        "SELECT * FROM run_tags WHERE key IN ('dagster/sensor_name', 'dagster/schedule_name')",
        database="DAGSTER_DATABASE_URL",
    )
    assert (len(runs), started_by) == (1, [])
