"""The fields of a prompt in a request's body. What they may hold in full is decided by `prompts.validation`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from glad_pipeline.gateway.studio_answers import LARGEST, Body, Text, Whole
from glad_pipeline.limits import CHARS, FOCUS_CHARS, GUIDANCE, KEY_BYTES, POST_ID_CHARS, PRIORITY, SIDE, STEPS
from glad_pipeline.records import FIELDS, NewPrompt, columns_of

TIME_CHARS = 40  # of a time in ISO 8601
SIZE_CHARS = 20
PostName = Annotated[Text, Field(max_length=POST_ID_CHARS)] | Annotated[Whole, Field(ge=-LARGEST, le=LARGEST)]
Side = Annotated[Whole, Field(ge=SIDE.low, le=SIDE.high, multiple_of=SIDE.step)]


def _chars(column: str) -> Any:
    return Field(default=None, max_length=CHARS[column])


class PromptFields(Body):
    """What may be said of a prompt; null or absent: its default."""

    prompt: Text | None = _chars("prompt")
    negative_prompt: Text | None = _chars("negative_prompt")
    prompt_syntax: Literal["plain", "a1111"] | None = None
    title: Text | None = _chars("title")
    slug: Text | None = _chars("slug")
    excerpt: Text | None = _chars("excerpt")
    content: Text | None = _chars("content")
    category: Text | None = _chars("category")
    author: Text | None = _chars("author")
    alt_text: Text | None = _chars("alt_text")
    task_id: Text | None = _chars("task_id")
    idempotency_key: Text | None = Field(default=None, max_length=KEY_BYTES)
    post_id: PostName | None = Field(default=None, description="the slug or id of a post to illustrate")
    seed: Annotated[Whole, Field(ge=-1, le=LARGEST)] | None = None
    size: Text | None = Field(default=None, max_length=SIZE_CHARS, examples=["1024x768"])
    width: Side | None = None
    height: Side | None = None
    num_inference_steps: Annotated[Whole, Field(ge=STEPS.low, le=STEPS.high)] | None = None
    guidance_scale: Annotated[float, Field(ge=GUIDANCE.low, le=GUIDANCE.high)] | None = None
    scheduler: Literal["euler", "euler_a", "dpmpp_2m", "ddim", "unipc", "lcm"] | None = None
    preset: Literal["base", "fast", "refined", "cfg-cutoff", "lightning-4", "lcm-4", "fp8"] | None = None
    model: Text | None = _chars("model")
    model_revision: Text | None = Field(default=None, max_length=40)
    lora: Text | None = _chars("lora")
    priority: Annotated[Whole, Field(ge=PRIORITY.low, le=PRIORITY.high)] | None = None
    publish_at: Text | None = Field(default=None, max_length=TIME_CHARS, examples=["2026-03-01T09:00:00+01:00"])
    needs_approval: bool | None = None
    publish: Literal["post", "picture"] | None = None
    focus: Text | None = Field(default=None, max_length=FOCUS_CHARS)
    source: Text | None = Field(
        default=None, max_length=CHARS["source"], description="who asks; absent: the name of the key"
    )
    replace: bool | None = None

    def given(self) -> dict[str, Any]:
        """Those that the request names, also where it says null."""
        return self.model_dump(exclude_unset=True)


class PromptAsked(PromptFields):
    """A prompt that somebody asks for."""

    prompt: Text = Field(
        min_length=1,
        max_length=CHARS["prompt"],
        description="what to draw",
        examples=["a quiet harbour at dawn, pink light"],
    )


Seen = Literal[(*FIELDS, "status")]  # type: ignore[valid-type]  # what an editor may have seen of a prompt
assert {*columns_of(NewPrompt), "size"} == set(PromptFields.model_fields)  # noqa: S101
