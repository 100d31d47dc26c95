"""Resources that run config cannot change: whoever may launch a run may not say where secrets, pictures or rows go.

Configuration of a resource in a launchpad (`{env: …}`, another endpoint) is refused before a run is made. The
values that the deployment gives are shown in the web UI as ever. Knows nothing of what the resources do.
"""

import dagster as dg
from dagster._config.pythonic_config.resource import ConfigurableResourceFactoryResourceDefinition
from dagster._core.definitions.definition_config_schema import (
    ConfiguredDefinitionConfigSchema,
    convert_user_facing_definition_config_schema,
)
from dagster._utils.cached_method import cached_method


class _Fixed(ConfiguredDefinitionConfigSchema):
    """Takes nothing from run config, and hands the resource the values it was made with."""

    @property
    def default_value_as_json_str(self) -> str:
        """What the web UI shows: those values, not the nothing that may be given."""
        assert self.parent_def.config_schema is not None  # noqa: S101 - it is a resource's
        return self.parent_def.config_schema.default_value_as_json_str


class FixedResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A `ConfigurableResource` whose values are the deployment's alone."""

    @cached_method  # Dagster knows a resource by the identity of this
    def get_resource_definition(self) -> ConfigurableResourceFactoryResourceDefinition:
        whole = super().get_resource_definition()
        nothing = convert_user_facing_definition_config_schema({})
        return ConfigurableResourceFactoryResourceDefinition(
            self.__class__,
            resource_fn=whole.resource_fn,
            config_schema=_Fixed(whole, nothing, whole.config_schema.default_value),
            description=whole.description,
            nested_resources=whole.nested_resources,
            nested_partial_resources=whole.nested_partial_resources,
        )
