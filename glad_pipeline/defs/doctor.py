"""The checks of `glad doctor` in the UI: a group of asset checks on the asset `audit`, once a day with it."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import dagster as dg

from glad_pipeline.defs.instance_look import REPOSITORY_TAG, look_at_instance
from glad_pipeline.defs.jobs import AUDIT
from glad_pipeline.defs.names import Names
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.operations.doctor.checks import CHECKS
from glad_pipeline.operations.doctor.examination import Deployment, examine, worst_of
from glad_pipeline.settings import Settings

SHOWN = [each for each in CHECKS if each.name != "drawing"]  # which would take the GPU from a run
PASSED = (Level.OK, Level.NOT_TESTED)


def doctor_checks(names: Names, settings: Settings) -> dg.AssetChecksDefinition:
    """One step for all of them. A check that fails fails no run.

    The step does not wait for the asset, as `dg.multi_asset_check` would have it: where something is wrong the audit
    itself may fail, and they tell what it is. Each can be executed alone.
    """
    key = names.key(AUDIT)
    specs = [dg.AssetCheckSpec(f"doctor_{each.name}", asset=key, description=_about(each.look)) for each in SHOWN]

    @dg.op(
        name="__".join([*key.path, "doctor"]),
        out={spec.get_python_identifier(): dg.Out(dg.Nothing, is_required=False) for spec in specs},
        required_resource_keys=set(map(names.of, ("postgres", "object_store"))),
    )
    def doctor(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        ours = names.resources(context)
        deployment = Deployment(
            settings=settings,
            own_database=ours.postgres.database,
            own_store=ours.object_store.unchecked.with_patience(0.0),
            instance=partial(look_at_instance, context.instance, names, context.run.tags.get(REPOSITORY_TAG)),
            draws=False,
        )
        found = list(examine(deployment, SHOWN))
        wanted = {each.name for each in context.selected_asset_check_keys}
        for each in SHOWN:
            if f"doctor_{each.name}" not in wanted:
                continue  # looked at all the same, since others need it
            own = [one for one in found if one.check.partition(":")[0] == each.name]
            worst = worst_of(own)
            yield dg.AssetCheckResult(
                check_name=f"doctor_{each.name}",
                passed=worst in PASSED,
                severity=dg.AssetCheckSeverity.ERROR if worst is Level.ERROR else dg.AssetCheckSeverity.WARN,
                description=_in_lines(own),
            )

    checks: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        keys_by_input_name={},
        node_def=doctor,
        check_specs_by_output_name={spec.get_python_identifier(): spec for spec in specs},
        can_subset=True,
    )
    return checks


def _about(look: object) -> str:
    return (look.__doc__ or "").partition("\n")[0]


def _in_lines(found: Sequence[Diagnosis]) -> str:
    """What is wrong, or else all of it, as a list in markdown; the UI puts plain lines together to one."""
    wrong = [each for each in found if each.level not in PASSED]
    lines = [f"- {_part_of(each)}{each.in_words()}" for each in wrong or found]
    return "\n".join(re.sub(r"([<*`])", r"\\\1", line) for line in lines)


def _part_of(found: Diagnosis) -> str:
    part = found.check.partition(": ")[2]
    not_tested = "not tested: " if found.level is Level.NOT_TESTED else ""
    return f"{part}: {not_tested}" if part else not_tested
