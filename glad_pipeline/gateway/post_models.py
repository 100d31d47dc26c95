"""What the blog's front end gets, for the OpenAPI document: whatever the blog has no column for is null.

No answer is checked against it: PostgreSQL makes the JSON (`publishing/post_reading.py`).
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from glad_pipeline.gateway.problems import MEDIA_TYPE

ID = "00000000-0000-4000-8000-000000000001"
URL = "https://cdn.example.com/generated/ab/abababababababababababababababab"
POSTS = "Published posts, of the last ten minutes; null: the blog does not keep it, or they are too many to count"
Id = str | int  # a uuid, a number or a text, as the blog has it


class Shown(BaseModel):
    """For the document: built when that is asked for, not at the start."""

    model_config = ConfigDict(defer_build=True)


class Attributes(Shown):
    url: str | None = Field(description="The picture of the post; null: it has none", examples=[f"{URL}.png"])
    alternativeText: str | None = Field(examples=["Fishing boats in a harbour at dawn"])


class Data(Shown):
    attributes: Attributes


class CoverImage(Shown):
    data: Data


class Picture(Shown):
    """What `<picture>` and `<img>` need. The formats stand in the order in which a browser is to be offered them."""

    url: str = Field(examples=[f"{URL}.png"])
    width: int | None = Field(description="Pixels; null: nothing is noted of this picture")
    height: int | None
    alt: str | None = Field(description="What is to be seen, for who cannot see it")
    placeholder: str | None = Field(description="A data URI, to be shown while the picture loads")
    sizes: str = Field(description="What `sizes` may say where the page knows no better", examples=["auto, 100vw"])
    srcset: dict[str, str] = Field(
        description="By format; empty: there are no smaller copies",
        examples=[{"avif": f"{URL}-w800.avif 800w", "webp": f"{URL}-w800.webp 800w"}],
    )


class Named(Shown):
    """A category, tag or author as a post names it."""

    id: Id | None = Field(description="null: the blog has the name alone", examples=[ID])
    name: str = Field(examples=["Technology"])
    slug: str | None = Field(examples=["technology"])


class PostSummary(Shown):
    """A post without its text."""

    id: Id = Field(examples=[ID])
    title: str | None = Field(examples=["Before the boats"])
    slug: str = Field(examples=["before-the-boats"])
    excerpt: str | None
    featured_image_url: str | None
    cover_image_url: str | None = Field(description="For social networks, 1200 × 630")
    category_id: Id | None
    published_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    seo_title: str | None
    seo_description: str | None
    seo_keywords: str | None
    status: str | None = Field(examples=["published"])
    author_id: Id | None
    view_count: int | None
    coverImage: CoverImage
    picture: Picture | None
    category: Named | None
    author: Named | None


class ListedPost(PostSummary):
    """A post of the list."""

    content: str | None = Field(None, description="Markdown, as the blog has it; absent with `fields=summary`")


class Post(PostSummary):
    """A post."""

    content: str | None = Field(description="Markdown, as the blog has it")
    tags: list[Named]


class Pagination(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"page": 1, "pageSize": 20, "total": 14, "totalIsExact": True, "pageCount": 1, "next": None}]
        }
    )

    page: int | None = Field(description="From 1; null where the page was asked for by `after`")
    pageSize: int
    total: int | None = Field(description="Posts; null where the page was asked for by `after`")
    totalIsExact: bool | None = Field(
        description="Up to 1,000 posts are counted; of more the total is PostgreSQL's estimate of the last half minute"
    )
    pageCount: int | None
    next: str | None = Field(description="For `after`: the next page; null: there is none")


class PageMeta(Shown):
    pagination: Pagination


class PostsPage(Shown):
    data: list[ListedPost]
    meta: PageMeta


class PostAnswer(Shown):
    data: Post


class Label(Shown):
    id: Id
    name: str = Field(examples=["Technology"])
    slug: str | None = Field(examples=["technology"])
    description: str | None
    created_at: datetime | None
    updated_at: datetime | None
    posts: int | None = Field(description=POSTS, examples=[12])


class LabelAnswer(Shown):
    data: Label


class Labels(Shown):
    data: list[Label]


class Author(Shown):
    id: Id
    name: str = Field(examples=["Ada Writer"])
    slug: str | None
    bio: str | None
    avatar_url: str | None
    created_at: datetime | None
    posts: int | None = Field(description=POSTS, examples=[12])


class AuthorAnswer(Shown):
    data: Author


class Authors(Shown):
    data: list[Author]


class Around(Shown):
    """The neighbours of a post in the list."""

    newer: PostSummary | None = Field(description="null: it is the newest")
    older: PostSummary | None = Field(description="null: it is the oldest")


class AroundAnswer(Shown):
    data: Around


class ModelName(Shown):
    """What has drawn a picture."""

    name: str = Field(examples=["stabilityai/stable-diffusion-xl-base-1.0"])
    license: str | None = Field(description="The model's own, where it is known", examples=["CreativeML Open RAIL++-M"])


class AboutPicture(Shown):
    """What readers may want to know of a generated picture."""

    url: str = Field(examples=[f"{URL}.png"])
    width: int
    height: int
    alt: str | None
    drawn_at: datetime
    model: ModelName
    is_generated: Literal[True]
    digital_source_type: str = Field(
        description="The IPTC's word for it",
        examples=["http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"],
    )
    credit: str | None = Field(description="GLAD_PICTURE_CREDIT", examples=["Example Blog, by a model"])
    license: str | None = Field(
        description="GLAD_PICTURE_LICENSE, an address", examples=["https://creativecommons.org/licenses/by/4.0/"]
    )
    license_name: str | None = Field(description="GLAD_PICTURE_LICENSE_NAME", examples=["CC BY 4.0"])
    prompt: str | None = Field(description="null unless GLAD_SHOW_PROMPTS is on")


class AboutAnswer(Shown):
    data: AboutPicture


class ChunkEntry(Shown):
    """A part of all published posts."""

    chunk: str = Field(examples=["2026-03"])
    posts: int = Field(examples=[19_500])


class Sitemap(Shown):
    data: list[ChunkEntry] = Field(description="The oldest posts first")


class SitemapPost(Shown):
    slug: str = Field(examples=["before-the-boats"])
    updated_at: datetime | None
    picture: str | None = Field(examples=[f"{URL}.png"])


class SitemapChunk(Shown):
    data: list[SitemapPost] = Field(description="At most 20,000, the oldest first")


class ProblemAnswer(Shown):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str = Field(description="What happened, which value, what to do")


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "`If-None-Match` has the tag of the answer"}}


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says of its errors."""
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "model": ProblemAnswer,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }
