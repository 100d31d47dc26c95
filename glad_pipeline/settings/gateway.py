"""The settings of the gateway: where it listens, who may call it, and how much."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from glad_pipeline import limits
from glad_pipeline.settings.kinds import (
    checked,
    problem_of_hosts,
    problem_of_networks,
    problem_of_origins,
    problem_of_rate,
)


class GatewaySettings(BaseModel, defer_build=True):
    """Part of `Settings`."""

    gateway: bool = Field(True, description="Whether `glad up` starts the gateway; `off` leaves it out.")
    gateway_port: Annotated[int, limits.PORT] = Field(8000, description="The gateway; if taken, the next free one.")
    gateway_hosts: Annotated[str, checked(problem_of_hosts)] | None = Field(
        None,
        description="Names, separated by commas, by which the gateway is reached, beside `localhost`. It answers no "
        "request for another.",
    )
    gateway_origins: Annotated[str, checked(problem_of_origins)] | None = Field(
        None,
        description="Origins, separated by commas, whose pages may call the gateway from a browser "
        "(`https://blog.example.com`), beside that of GLAD_SITE_URL.",
    )
    gateway_proxies: Annotated[str, checked(problem_of_networks)] | None = Field(
        None, description="For the gateway what GLAD_WEB_PROXIES is for the web UI."
    )
    gateway_rate: Annotated[str, checked(problem_of_rate)] = Field(
        "600/minute",
        description="Requests without a key from one address (of IPv6: one /64): so many at once, and then evenly as "
        "many in that time. `off`: any number.",
    )
    gateway_key_rate: Annotated[str, checked(problem_of_rate)] = Field(
        "3000/minute",
        description="Requests with one API key, and from one address with whatever keys. `off`: any number.",
    )
    gateway_body_kb: Annotated[int, limits.BODY_KB] = Field(
        1_024, description="Most kilobytes (1,024 bytes) of a request's body."
    )
    gateway_import_kb: Annotated[int, limits.BODY_KB] = Field(8_192, description="The same for a file of prompts.")
