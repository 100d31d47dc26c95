"""Environment variables that are named like settings and are none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from glad_pipeline.settings.settings import Settings, variables_of

# Variables that look like settings and are not: the launcher's, our own marks, what tests and boto3 read.
_NO_SETTINGS = {
    *("GLAD_TORCH_INDEX", "GLAD_EMBEDDED", "GLAD_FUZZ", "GLAD_MODEL_EXAMPLES"),
    *("AWS_S3_USE_ARN_REGION", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"),
    *("AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"),
}
_LIKE_SETTINGS = ("GLAD_", "AWS_S3", "AWS_CLOUDFRONT")
# Kubernetes sets these in every container for a service `glad…`
_OF_A_SERVICE = re.compile(r"_SERVICE_(?:HOST|PORT\w*)$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)\w*)?$")


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that have a value, are named like settings and are none: each with the setting it is nearest to, or "".

    pydantic takes a setting's name in any case, and so do we.
    """
    names = [name for field in Settings.model_fields.values() for name in variables_of(field)]
    known = {*names, *_NO_SETTINGS}
    suspects = [
        name
        for name, value in sorted(environment.items())
        if value and name.upper().startswith(_LIKE_SETTINGS) and name.upper() not in known
    ]
    return {
        name: next(iter(get_close_matches(name.upper(), names, n=1, cutoff=0.7)), "")
        for name in suspects
        if not _is_of_a_service(name, environment)
    }


def _is_of_a_service(name: str, environment: Mapping[str, str]) -> bool:
    """Whether Kubernetes has set it for a service of that name: those have a host, too."""
    service = _OF_A_SERVICE.split(name)[0]
    return service != name and f"{service}_SERVICE_HOST" in environment


def warnings_of(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each of the `unknown_variables`, without its value: that may be a secret."""
    return [
        f"{name} is no setting and changes nothing. {f'Is {nearest} meant? ' if nearest else ''}See docs/settings.md"
        for name, nearest in unknown_variables(environment).items()
    ]
