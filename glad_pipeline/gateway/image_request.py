"""What a request for a picture may say: our own columns, and the fields of the blog's older API.

Pure: what a value may be is judged by `prompts/validation.py`; here are the types, and what the older fields mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from glad_pipeline import limits
from glad_pipeline.errors import UsageError
from glad_pipeline.gateway.models import Asked
from glad_pipeline.limits import CHARS, PRESETS, PROMPT_SYNTAXES, PUBLISH, SCHEDULERS
from glad_pipeline.prompts.syntax import text_notices
from glad_pipeline.records import FIELDS
from glad_pipeline.settings import Settings

NOT_ASKED_FOR = ("source", "idempotency_key", "task_id")  # the caller, the key, see `fields_of`
_TEXT = r"^([^\x00-\x08\x0b-\x1f\x7f-\x9f]|\r\n)*$"
_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_NAME = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\s\x00-\x1f\x7f-\x9f\u2028\u2029][^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_SLUG = "^[a-z0-9]+(-[a-z0-9]+)*$"

Title = Annotated[str, Field(min_length=1, max_length=CHARS["title"], pattern=_NAME)]
Slug = Annotated[str, Field(min_length=1, max_length=CHARS["slug"], pattern=_SLUG)]
Excerpt = Annotated[str, Field(max_length=CHARS["excerpt"], pattern=_TEXT)]
Content = Annotated[str, Field(max_length=CHARS["content"], pattern=_TEXT, description="Markdown.")]
Category = Annotated[str, Field(min_length=1, max_length=CHARS["category"], pattern=_NAME)]
Author = Annotated[str, Field(min_length=1, max_length=CHARS["author"], pattern=_NAME)]
AltText = Annotated[str, Field(max_length=CHARS["alt_text"], pattern=_TEXT)]
Time = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        json_schema_extra={"format": "date-time"},
        description="Without a zone it is one of GLAD_TIMEZONE.",
    ),
]


def _enum(values: tuple[str, ...]) -> Any:
    return Field(json_schema_extra={"enum": list(values)})


class PostFields(Asked):
    """What is said of a post."""

    model_config = ConfigDict(strict=True)

    title: Title | None = None
    slug: Slug | None = None
    excerpt: Excerpt | None = None
    content: Content | None = None
    category: Category | None = None
    author: Author | None = None
    alt_text: AltText | None = None
    publish_at: Time | None = Field(None, description="Not to be published before.")


class ImageRequest(PostFields):
    """A picture to be drawn. Only `prompt` is required; docs/prompts.md has the columns."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "AI gaming NPCs futuristic", "use_generation": True, "task_id": "blog-post-123"}]
        },
    )

    prompt: Annotated[str, Field(min_length=1, max_length=CHARS["prompt"], pattern=_TEXT)]
    negative_prompt: Annotated[str, Field(max_length=CHARS["negative_prompt"], pattern=_TEXT)] | None = None
    prompt_syntax: Annotated[str, _enum(PROMPT_SYNTAXES)] | None = None
    task_id: Annotated[str, Field(min_length=1, max_length=CHARS["task_id"], pattern=_NAME)] | None = Field(
        None,
        description="The client's own name of this request: asked again with it, the same is answered. Of a request "
        "for a post it is also a task of the blog.",
    )
    post_id: Annotated[int, limits.POST_NUMBER] | Annotated[str, Field(max_length=limits.POST_ID_CHARS)] | None = Field(
        None, description="An existing post to illustrate.", examples=[None]
    )
    seed: Annotated[int, limits.SEED] | None = None
    width: Annotated[int, limits.SIDE] | None = Field(None, examples=[1024])
    height: Annotated[int, limits.SIDE] | None = Field(None, examples=[1024])
    num_inference_steps: Annotated[int, limits.STEPS] | None = None
    guidance_scale: Annotated[float, limits.GUIDANCE, Field(allow_inf_nan=False)] | None = None
    scheduler: Annotated[str, _enum(SCHEDULERS)] | None = None
    preset: Annotated[str, _enum(PRESETS)] | None = None
    model: Annotated[str, Field(min_length=1, max_length=CHARS["model"], pattern=_NAME)] | None = None
    model_revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None = None
    lora: Annotated[str, Field(min_length=1, max_length=CHARS["lora"], pattern=_NAME)] | None = None
    priority: Annotated[int, limits.PRIORITY] | None = Field(None, description="Higher first.")
    needs_approval: bool | None = None
    publish: Annotated[str, _enum(PUBLISH)] | None = Field(
        None, description="`picture`: no post until somebody asks for it. Absent: `post` if there is a title."
    )
    focus: Annotated[str, Field(min_length=1, max_length=limits.FOCUS_CHARS, pattern=_LINE)] | None = Field(
        None, description="What a crop keeps: `0.5,0.3`, `top left`.", examples=["centre"]
    )
    replace: bool | None = None

    # of the older API
    use_generation: Literal[True] | None = Field(None, description="A picture is always drawn: false is refused.")
    use_pexels: bool | None = Field(None, description="No effect: a stock photo is never given.")
    use_refinement: bool | None = Field(None, description="True: the preset `refined`. False: not that one.")
    high_quality: bool | None = Field(None, description="No effect: preset and num_inference_steps say it.")
    keywords: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=100)] | None = Field(
        None, description="No effect: they were for stock photos."
    )
    publish_to_s3: bool | None = Field(None, description="No effect: every picture is put into the store.")

    @field_validator("use_generation", mode="before")
    @classmethod
    def _always_drawn(cls, value: Any) -> Any:
        if value is False:
            raise ValueError("pictures are drawn here, and no stock photo is given in place of one: leave it out")
        return value


def fields_of(body: ImageRequest, settings: Settings) -> dict[str, Any]:
    """The columns of `prompts` that this request sets. Raises `UsageError`."""
    names = [name for name in FIELDS if name not in NOT_ASKED_FOR]
    given = {name: value for name in names if (value := getattr(body, name)) is not None}
    given.setdefault("publish", "picture" if body.title is None else "post")
    if body.task_id is not None and given["publish"] == "post":  # else it is the client's own, and names no task
        given["task_id"] = body.task_id
    if body.use_refinement and given.setdefault("preset", "refined") != "refined":
        raise UsageError(f"use_refinement is true and preset is {body.preset}: leave one out")
    if body.use_refinement is False:  # written down, since the setting may be another when it is drawn
        meant = given.setdefault("preset", "base" if settings.preset == "refined" else settings.preset)
        if meant == "refined":
            raise UsageError("use_refinement is false and preset is refined: leave one out")
    return given


def notices_of(body: ImageRequest, settings: Settings) -> list[str]:
    """What of this request has no effect, or another one than it seems."""
    said = {
        "use_pexels has no effect: no stock photo is given": bool(body.use_pexels),
        "keywords have no effect: they were for stock photos": bool(body.keywords),
        "high_quality has no effect: preset and num_inference_steps say how a picture is drawn": body.high_quality
        is not None,
        "publish_to_s3 has no effect: every picture is put into the store": body.publish_to_s3 is False,
    }
    syntax = body.prompt_syntax or settings.prompt_syntax
    texts = text_notices(body.prompt, body.negative_prompt or "", syntax=syntax)
    return [*(words for words, holds in said.items() if holds), *texts]
