"""The OpenAPI document tells what may come, and its process loads no more than it needs."""

import subprocess
import sys

from glad_pipeline.gateway.app import build_app
from glad_pipeline.settings import settings_of

DATABASE = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d"}


def test_every_route_tells_its_errors_as_they_come_and_what_it_is_for():
    document = build_app(settings_of(DATABASE)).openapi()
    operations = [(path, method, each) for path, item in document["paths"].items() for method, each in item.items()]
    assert len(operations) >= 7
    for path, method, operation in operations:
        assert operation["summary"], path
        assert {"403", "408", "413", "415", "422", "429", "500"} <= operation["responses"].keys(), path
        assert ("401" in operation["responses"]) >= bool(operation.get("security")), path
        assert ("503" in operation["responses"]) == (path != "/healthz"), path
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert [*answer["content"]] == ["application/problem+json"], (path, method, status)
            elif status not in ("204", "304"):
                assert answer["content"], (path, method, status)


def test_its_process_loads_neither_torch_nor_dagster_nor_what_only_runs_need():
    program = (
        "import sys, glad_pipeline.gateway.app; "
        "print([name for name in ('torch', 'diffusers', 'dagster', 'ray', 'boto3', 'PIL', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
