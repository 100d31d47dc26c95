"""Fixtures that more than one module uses."""

import pytest

pytest.register_assert_rewrite("glad_pipeline_tests.integration.store_contract")

from glad_pipeline_tests.integration.test_graph import world  # noqa: E402, F401
