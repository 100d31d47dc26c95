"""What Dagster does anew for each instance in memory and each resource, done once in a process: a third of what a run of
a test costs. Both are Dagster's own work, with the same result each time."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any


def remember_what_dagster_works_out() -> None:
    """For a process that has imported Dagster; without effect in one that has not, or that has done so already."""
    if "dagster" not in sys.modules:
        return
    from dagster._config.pythonic_config import config, resource
    from dagster._core.storage.event_log import in_memory as events
    from dagster._core.storage.runs import in_memory as runs

    if runs.stamp_alembic_rev is _not_stamped:
        return
    # it reads Dagster's ninety migrations, twice an instance, to note the version of tables that end with the test
    runs.stamp_alembic_rev = events.stamp_alembic_rev = _not_stamped
    config.model_fields = resource.model_fields = cache(config.model_fields)  # anew for each field of each resource
    config.infer_schema_from_config_class = resource.infer_schema_from_config_class = _once_a_class(
        config.infer_schema_from_config_class
    )


def _not_stamped(*_: object, **__: object) -> None:
    pass


def _once_a_class(infer: Callable[..., Any]) -> Callable[..., Any]:
    """The schema of a class of resources, which each of its instances works out from its fields."""
    known: dict[tuple[object, ...], Any] = {}

    def inferred(
        model_cls: type,
        description: str | None = None,
        fields_to_omit: set[str] | None = None,
        default: object = None,
    ) -> Any:
        if default is not None:
            return infer(model_cls, description, fields_to_omit, default)
        asked = (model_cls, description, frozenset(fields_to_omit or ()))
        if asked not in known:
            known[asked] = infer(model_cls, description, fields_to_omit)
        return known[asked]

    return inferred
