"""schemathesis makes requests up from the OpenAPI document, right ones and wrong ones: every answer is as documented."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glad_pipeline.callers.keys import make_key
from glad_pipeline_tests.gateway.conftest import served

# What a document cannot say (an id that is nobody's, a title without a post) is a problem of its own; no call is held open.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 410, 422]

[parameters]
"query.wait" = 0
"""


@pytest.mark.parametrize(
    ("phases", "examples", "least"),
    [
        ("fuzzing", 5, 200),
        pytest.param("examples,coverage,fuzzing,stateful", 30, 2_000, marks=pytest.mark.deep),
    ],
    ids=["some", "many"],
)
def test_whatever_is_asked_is_answered_as_the_document_says(settings, database, tmp_path, phases, examples, least):
    free = settings.model_copy(update={"gateway_rate": "off", "gateway_key_rate": "off"})
    _, key = make_key(database, "fuzz", ["admin"])
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with served(free) as address:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{address}/openapi.json"),
                *("--header", f"Authorization: Bearer {key}", "--checks", "all", "--phases", phases),
                *("--max-examples", str(examples), "--seed", os.environ.get("GLAD_FUZZ_SEED", "1"), "--no-color"),
                *("--generation-database", "none", "--continue-on-failure", "--suppress-health-check", "all"),
                *("--report", "json", "--report-json-path", str(tmp_path / "report.json")),
            ],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report is not None
    assert least
