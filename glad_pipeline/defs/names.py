"""What the definitions are called. With a name of its own a second pipeline lives beside the first in one project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from glad_pipeline.defs.io_managers import Ahead, S3ImageIOManager
    from glad_pipeline.defs.outbox_resource import OutboxResource
    from glad_pipeline.defs.resources import (
        ObjectStoreResource,
        PostgresResource,
        QueueResource,
        SdxlResource,
    )


@dataclass(frozen=True, kw_only=True)
class Names:
    """One pipeline's names in a Dagster project. Without `name` and `key_prefix`: those of this repository's own."""

    name: str = ""  # precedes the names of resources, jobs, sensors and schedules
    key_prefix: tuple[str, ...] = ()  # of the assets' keys
    group: str = "illustrated_posts"  # one group: the UI shows the whole graph at once
    owners: tuple[str, ...] = ("team:blog",)
    tags: Mapping[str, str] = field(default_factory=dict)
    whole_runs: bool = False  # whether every run that can take prompts is one process, also those of other jobs
    pool: str = "gpu"  # what draws at the same time shares it

    def of(self, thing: str) -> str:
        """The name of a resource, job, sensor or schedule."""
        return f"{self.name}_{thing}" if self.name else thing

    def key(self, asset: str) -> dg.AssetKey:
        return dg.AssetKey([*self.key_prefix, asset])

    def asset(self, asset: str, *resources: str, **more: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
        """`dg.asset` with what all assets have. `resources`: those that `resources()` will be asked for."""
        return dg.asset(  # type: ignore[no-any-return]
            key=self.key(asset),
            group_name=self.group,
            owners=list(self.owners),
            tags=dict(self.tags),
            required_resource_keys=set(map(self.of, resources)),
            **more,
        )

    def resources(self, context: Any) -> Resources:
        """What a step works with; each has to be among the resources that its definition names."""
        return Resources(self, context.resources)


@dataclass(frozen=True)
class Resources:
    """The resources of one step, whatever their keys are."""

    names: Names
    given: Any  # Dagster's

    @property
    def postgres(self) -> PostgresResource:
        return self._get("postgres")  # type: ignore[no-any-return]

    @property
    def queue(self) -> QueueResource:
        return self._get("queue")  # type: ignore[no-any-return]

    @property
    def object_store(self) -> ObjectStoreResource:
        return self._get("object_store")  # type: ignore[no-any-return]

    @property
    def outbox(self) -> OutboxResource:
        return self._get("outbox")  # type: ignore[no-any-return]

    @property
    def sdxl(self) -> SdxlResource:
        return self._get("sdxl")  # type: ignore[no-any-return]

    @property
    def ahead(self) -> Ahead:
        """What the run has done ahead of its steps; nothing where they are processes of their own."""
        return self.image_store.ahead

    @property
    def image_store(self) -> S3ImageIOManager:
        return self._get("image_store")  # type: ignore[no-any-return]

    def _get(self, thing: str) -> Any:
        return getattr(self.given, self.names.of(thing))
