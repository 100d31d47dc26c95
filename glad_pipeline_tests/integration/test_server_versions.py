"""The oldest server that is supported and those up to the newest: migrated, published, and through PgBouncer."""

import pytest

from glad_pipeline.database import connect
from glad_pipeline.testing import temporary_pipeline
from glad_pipeline_tests.poolers import pgbouncer
from glad_pipeline_tests.server_versions import server_of


@pytest.mark.deep
@pytest.mark.parametrize("version", [14, 15, 16, 17])
def test_rows_become_posts_on_a_server_of_this_version(version, tmp_path):
    with server_of(version, tmp_path) as server, temporary_pipeline(server) as pipeline:
        pipeline.add("a quiet harbour", title="Before the boats")
        job = pipeline.definitions().resolve_job_def("publish_prompts")
        assert job.execute_in_process().success
        (post,) = pipeline.posts()
        assert post["title"] == "Before the boats"
        with pgbouncer(pipeline.database_url, "session") as url, connect(url) as connection:
            assert connection.info.server_version // 10_000 == version
            assert connection.info.parameter_status("TimeZone") == "UTC"
