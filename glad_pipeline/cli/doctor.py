"""`glad doctor`: everything tried from end to end, a line each.

Exit codes: 0 nothing is wrong, 1 something does not work, 3 all works and something is at risk; 2 (by `UsageError`) the
request cannot be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.display import counted
from glad_pipeline.errors import GladError

if TYPE_CHECKING:
    from glad_pipeline.operations.doctor.examination import Deployment

CODES = {Level.OK: 0, Level.NOT_TESTED: 0, Level.WARNING: 3, Level.ERROR: 1}


def doctor(
    context: typer.Context,
    *,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="mend what is harmless to mend: GLAD_HOME's permissions, objects that a doctor left behind",
        ),
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="draw no picture")] = False,
    json: Json = False,
) -> int:
    """Try everything from end to end: settings, database, store, CDN, site, GPU, model, Dagster, workers."""
    from glad_pipeline.operations.doctor.checks import CHECKS
    from glad_pipeline.operations.doctor.examination import examine, worst_of

    try:
        deployment = _deployment(Runtime.of(context), fix=fix, draws=not quick)
    except GladError as error:  # of settings that cannot be: there is nothing to try them with
        found = [Diagnosis(check="settings", level=Level.ERROR, text=str(error))]
        found += [
            Diagnosis(check=each.name, level=Level.NOT_TESTED, text="it needs what is wrong above: settings")
            for each in CHECKS[1:]
        ]
        _print(found, json=json)
        return CODES[worst_of(found)]
    try:
        found = _print(examine(deployment, CHECKS), json=json)
    finally:
        deployment.close()
    return CODES[worst_of(found)]


def _deployment(runtime: Runtime, *, fix: bool, draws: bool) -> Deployment:
    """What there is to examine, with our own servers started where the settings name none."""
    from glad_pipeline.defs.instance_look import look_at_dagster
    from glad_pipeline.operations.doctor.examination import Deployment
    from glad_pipeline.operations.doctor.servers import started

    given = runtime.settings
    settings, trouble = (given, {}) if runtime.is_given else started(given)
    return Deployment(settings=settings, given=given, trouble=trouble, fix=fix, draws=draws, instance=look_at_dagster)


def _print(lines: Iterable[Diagnosis], *, json: bool) -> list[Diagnosis]:
    from glad_pipeline.operations.doctor.examination import worst_of

    if json:
        found = list(lines)
        print_json({"level": worst_of(found), "checks": [asdict(each) for each in found]})
        return found
    found = list(_told(lines))
    print(f"\n{counted(dict(_totals(found)))}")
    return found


def _totals(found: list[Diagnosis]) -> Iterator[tuple[str, int]]:
    """How many there are of each level, the worst first."""
    for level in reversed(Level):
        total = sum(one.level is level for one in found)
        is_many = total != 1 and level in (Level.WARNING, Level.ERROR)
        yield f"{level.value}s" if is_many else level.value, total


def _told(lines: Iterable[Diagnosis]) -> Iterator[Diagnosis]:
    """Each of them, once it is printed: the next may take a while."""
    for each in lines:
        cure = f"\n{'':12}→ {each.cure}" if each.cure else ""
        print(f"{_mark(each.level):12}{each.check}: {each.text}{cure}", flush=True)
        yield each


def _mark(level: Level) -> str:
    return level.value if level in (Level.OK, Level.NOT_TESTED) else level.value.upper()
