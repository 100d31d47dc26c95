"""Fixtures that more than one module uses."""

from glad_pipeline_tests.integration.test_graph import world  # noqa: F401
