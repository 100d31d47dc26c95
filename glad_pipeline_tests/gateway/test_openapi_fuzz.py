"""schemathesis makes requests up from the OpenAPI document, right ones and wrong ones: each answer is as documented."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from glad_pipeline.callers.keys import make_key
from glad_pipeline.gateway import events as streams
from glad_pipeline.gateway import rates
from glad_pipeline_tests.gateway.conftest import served

# A document cannot say all that makes a request right (an id is nobody's, a key was used for something else), so these
# are no faults of what it calls right. A body that is too long is refused before anybody looks into it. No call waits.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 410, 422]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422]

[parameters]
"query.wait" = 0
"""
ENDS_THE_KEY = ("/api/studio/keys/rotate", "/api/studio/keys/revoke")  # with names that were read from GET /keys


def schemathesis(address, key, folder, *options):
    """How many cases there were. Fails with what was found."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{address}/openapi.json"),
            *("--header", f"Authorization: Bearer {key}", "--checks", "all", "--continue-on-failure", "--no-color"),
            *("--seed", os.environ.get("GLAD_FUZZ_SEED", "1"), "--generation-database", "none"),
            *("--suppress-health-check", "all", "--request-timeout", "60", *options),
        ],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    generated = re.search(r"([0-9,]+) generated", done.stdout)
    return int(generated[1].replace(",", ""))


@pytest.mark.parametrize(
    ("phases", "examples", "least"),
    [("fuzzing", 5, 200), pytest.param("examples,coverage,fuzzing,stateful", 10, 2_000, marks=pytest.mark.deep)],
    ids=["some", "many"],
)
def test_whatever_is_asked_is_answered_as_the_document_says(
    settings, database, tmp_path, monkeypatch, phases, examples, least
):
    monkeypatch.setattr(streams, "LONGEST", 0.5)
    monkeypatch.setattr(rates, "GUESSES", 10_000)  # it shows wrong keys, too
    free = settings.model_copy(update={"gateway_rate": "off", "gateway_key_rate": "off"})
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with served(free) as address:
        _, key = make_key(database, "fuzz", ["admin"])
        others = [option for path in ENDS_THE_KEY for option in ("--exclude-path", path)]
        many = ("--phases", phases, "--max-examples", str(examples))
        count = schemathesis(address, key, tmp_path, *many, *others)
        whose = httpx2.get(f"{address}/api/caller", headers={"Authorization": f"Bearer {key}"})
        assert whose.status_code == 200, "what was asked was refused for its key alone"
        these = [option for path in ENDS_THE_KEY for option in ("--include-path", path)]
        count += schemathesis(address, key, tmp_path, "--phases", "fuzzing", "--max-examples", str(examples), *these)
    print(f"{count:,} requests were made up")
    assert count >= least


def test_no_route_is_taken_for_another_one_of_the_same_path(client_with):
    client = client_with("admin")
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    document = client.get("/openapi.json").json()["paths"]
    asked = 0
    for path, operations in document.items():
        named = {method.upper() for method in operations} & methods
        for method in sorted(methods - named) if "{" not in path else ():
            answer = client.request(method, path)
            allowed = set(answer.headers.get("allow", "").split(", ")) - {"HEAD"}
            assert (answer.status_code, allowed) == (405, named), (method, path)
            asked += 1
    assert asked > 100
