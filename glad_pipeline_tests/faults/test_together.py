"""Everything that starts runs, at the same moment: `python -m glad_pipeline_tests.faults.together` does it with 1,000."""

import pytest

from glad_pipeline_tests.faults.together import together

PROMPTS = 200


@pytest.mark.deep  # a minute; the soak has three workers
def test_two_runs_two_daemons_and_a_cli_call_share_the_prompts_without_drawing_one_twice(stack, tmp_path):
    findings, asked = together(stack, tmp_path, prompts=PROMPTS)
    assert not findings.broken
    assert findings.published == findings.drawn == PROMPTS
    assert findings.redrawn == 0
    assert all(asked)
