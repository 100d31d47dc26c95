"""The matrix of the commit points where the pictures are in a folder: what concerns the store by default, all if deep."""

from __future__ import annotations

import pytest

from glad_pipeline_tests.faults import matrix

CORE = [("quarantine.before", "kill -9")]
CELLS = [pytest.param(cell, marks=[] if cell in CORE else [pytest.mark.deep]) for cell in matrix.cells()]


@pytest.fixture(scope="module")
def outcomes(request, stack, tmp_path_factory):
    """The outcome of each cell that was asked for, all run beforehand, a few at once."""
    wanted = [
        item.callspec.params["cell"]
        for item in request.session.items
        if item.fspath == request.node.fspath and hasattr(item, "callspec")
    ]
    servers = {**stack, "GLAD_STORE": "volume"}
    done = matrix.run_matrix(servers, tmp_path_factory.mktemp("matrix"), wanted, tell=lambda outcome: None)
    return dict(zip(wanted, done, strict=True))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell[0]}-{cell[1]}".replace(" ", "-"))
def test_in_a_folder_too_nothing_is_lost_or_done_twice_when_it_breaks_at(cell, outcomes):
    outcome = outcomes[cell]
    if isinstance(outcome, Exception):
        raise outcome
    assert not outcome.faults
    assert outcome.findings.published >= 1
