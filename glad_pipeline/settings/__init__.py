"""Every setting: its environment variable, type, default and meaning, in one place."""

from glad_pipeline.settings.settings import (
    Settings,
    environment_of,
    is_secret,
    load_settings,
    secret_variables,
    settings_as_far_as_right,
    settings_of,
    variables_of,
)
from glad_pipeline.settings.variables import unknown_variables, warnings_of

__all__ = [
    "Settings",
    "environment_of",
    "is_secret",
    "load_settings",
    "secret_variables",
    "settings_as_far_as_right",
    "settings_of",
    "unknown_variables",
    "variables_of",
    "warnings_of",
]
