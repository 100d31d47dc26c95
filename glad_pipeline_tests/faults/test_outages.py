"""Connections that break in every way, at a few moments of a run, on the database's and on the store's side."""

from __future__ import annotations

import pytest

from glad_pipeline_tests.faults.cells import side_by_side
from glad_pipeline_tests.faults.outages import FAULTS, Outage, suffer
from glad_pipeline_tests.faults.processes import call

MOMENTS = {
    "database": [("claim.before", 1), ("begin_drawing.before", 3), ("publish.before", 1)],
    "store": [("claim.after", 1), ("begin_drawing.after", 4)],
}
SHORT = [
    Outage(side=side, fault=fault, at=at, occurrence=occurrence)
    for side, moments in MOMENTS.items()
    for place, fault in enumerate(FAULTS)
    if side == "store" or fault not in ("overloaded", "full")
    for at, occurrence in [moments[place % len(moments)]]
]
LONG = [
    Outage(side="database", fault="refused", at="begin_drawing.before", occurrence=3, seconds=None),
    Outage(side="database", fault="refused", at="publish.before", seconds=None),
    Outage(side="store", fault="refused", at="begin_drawing.after", occurrence=3, seconds=None),
]


@pytest.fixture(scope="module")
def survived(request, stack, tmp_path_factory):
    """What became of each outage that was asked for, all run beforehand, a few at once."""
    wanted = [
        item.callspec.params["outage"]
        for item in request.session.items
        if item.fspath == request.node.fspath and hasattr(item, "callspec")
    ]

    def run(outage, environment, folder):
        patience = "20" if outage.seconds else "1"
        own = {"GLAD_DATABASE_PATIENCE_SECONDS": patience, "GLAD_STORE_PATIENCE_SECONDS": patience}
        return call(suffer, outage, environment={**environment, **own}, log=folder / "log")

    done = side_by_side(stack, tmp_path_factory.mktemp("outages"), wanted, run)
    return dict(zip(wanted, done, strict=True))


def healed(outcome):
    """Nothing is lost, and nothing was drawn twice: no process died."""
    if isinstance(outcome, Exception):
        raise outcome
    assert outcome.hit
    assert not any(outcome.recovery)
    assert not outcome.findings.broken
    assert outcome.findings.published == 30
    return outcome


@pytest.mark.few(6)
@pytest.mark.parametrize("outage", SHORT, ids=str)
def test_a_run_lives_through_an_outage_shorter_than_its_patience(outage, survived):
    outcome = healed(survived[outage])
    assert outcome.ended is None
    assert outcome.findings.redrawn == 0
    assert outcome.attempts == 1


@pytest.mark.few(1)
@pytest.mark.parametrize("outage", LONG, ids=str)
def test_a_longer_outage_fails_the_run_in_plain_words_and_the_next_run_finishes(outage, survived):
    outcome = healed(survived[outage])
    assert outcome.ended is not None
    assert "Traceback" not in outcome.ended
    assert ("PostgreSQL" if outage.side == "database" else "bucket") in outcome.ended
    assert outcome.findings.redrawn == 0
