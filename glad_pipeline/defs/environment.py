"""Where Dagster's processes have their settings from: the environment that `glad` gave them, and nothing else.

Dagster's own loader (the default in dagster.yaml's place) reads `.env` once more and writes it over what is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._core.secrets.loader import SecretsLoader
from dagster._serdes import ConfigurableClass, ConfigurableClassData


class AsGiven(SecretsLoader, ConfigurableClass):
    """Adds nothing: `glad` has read `.env`, and a variable that is set wins over it."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data

    def get_secrets_for_environment(self, location_name: str | None) -> dict[str, str]:
        return {}

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> AsGiven:
        return cls(inst_data=inst_data)
