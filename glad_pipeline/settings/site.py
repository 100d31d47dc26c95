"""The settings of the site: blog and studio, as `glad up` serves them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from glad_pipeline import limits
from glad_pipeline.settings.kinds import checked, problem_of_hosts, problem_of_origins


class SiteSettings(BaseModel):
    """Part of `Settings`."""

    site: bool | None = Field(
        None,
        description="Whether `glad up` serves blog and studio. Absent: unless GLAD_SITE_URL names a site of your own; "
        "`on` serves them all the same, behind a proxy at that address, say.",
    )
    site_port: Annotated[int, limits.PORT] = Field(3100, description="Blog and studio; if taken, the next free one.")
    site_hosts: Annotated[str, checked(problem_of_hosts)] | None = Field(
        None,
        description="Names, separated by commas, by which blog and studio are reached, beside `localhost` and the host "
        "of GLAD_SITE_URL. They answer no request for another.",
    )
    site_name: str | None = Field(None, max_length=100, description="The blog's name, at the head of each page.")
    site_description: str | None = Field(None, max_length=300, description="What it is about, for search engines.")
    image_hosts: Annotated[str, checked(problem_of_origins)] | None = Field(
        None,
        description="Origins, separated by commas, whose pictures the blog may show (`https://cdn.example.com`), "
        "beside that at which this pipeline publishes them.",
    )
