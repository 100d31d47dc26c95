"""The settings of what is made of pictures beside the original, and of what posts show."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from glad_pipeline.rendition_plan import (
    DEFAULT_FORMATS,
    DEFAULT_WIDTHS,
    Wanted,
    problem_of_featured,
    problem_of_formats,
    problem_of_widths,
    wanted_of,
)
from glad_pipeline.settings.kinds import ONE_LINE, WebAddress, checked


class PictureSettings(BaseModel):
    """Part of `Settings`."""

    renditions: Annotated[str, checked(problem_of_formats)] = Field(
        DEFAULT_FORMATS,
        description="Formats of the smaller copies that are made of each picture, beside a JPEG for social networks "
        "and a placeholder: `webp`, `avif`, or `none` of all these.",
    )
    rendition_widths: Annotated[str, checked(problem_of_widths)] = Field(
        DEFAULT_WIDTHS,
        description="Their widths in pixels; `native` is the picture's own. None is made wider than its picture.",
    )
    featured: Annotated[str, checked(problem_of_featured)] = Field(
        "original",
        description="What `featured_image_url` of posts names: `original`, or a rendition, such as `webp-1200` or "
        "`webp-native`; of a picture that has no such one its original.",
    )

    picture_credit: Annotated[str, ONE_LINE, Field(max_length=255)] | None = Field(
        None, description="Whom the blog names as the maker of its pictures (`GET /api/posts/{slug}/picture`)."
    )
    picture_license: WebAddress | None = Field(
        None, description="Address of the licence under which visitors may use the pictures. Absent: nothing is said."
    )
    picture_license_name: Annotated[str, ONE_LINE, Field(max_length=255)] | None = Field(
        None, description="Its name, such as `CC BY 4.0`."
    )
    show_prompts: bool = Field(
        False, description="Whether the gateway tells visitors the prompts of published pictures."
    )

    @property
    def wanted(self) -> Wanted:
        """What is made of every picture."""
        return wanted_of(self.renditions, self.rendition_widths)

    @model_validator(mode="after")
    def _shows_what_is_made(self) -> Self:
        if problem := problem_of_featured(self.featured, self.wanted):
            raise ValueError(f"GLAD_FEATURED is {self.featured}: {problem}")
        return self
