"""What the studio's form needs: what may be chosen, and what would become of a prompt before it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response

from glad_pipeline.database import DatabaseError
from glad_pipeline.gateway.blog_reads import BlogReads, reads_of
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.post_models import Named
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import Answer, Told, answer, refusals, source_for, with_own_key
from glad_pipeline.gateway.studio_fields import PromptAsked
from glad_pipeline.operations.checking import Checked
from glad_pipeline.operations.choices import Choices
from glad_pipeline.records import values_of

router = APIRouter(prefix="/api/studio", tags=["studio: prompts"])
Asker = Annotated[Caller, needs("read", "submit")]
Submitter = Annotated[Caller, needs("submit")]


class Blog(Told):
    """What a post may be filed under; what the blog has no table for is empty."""

    categories: list[Named]
    tags: list[Named]
    authors: list[Named]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options(Choices):
    """All that a form needs."""

    blog: Blog
    dagster_url: str | None  # Dagster's web UI; None: not known
    site_url: str | None  # the blog's site; None: not known


@router.get("/options", response_model=Answer[Options], responses=refusals())
async def show_options(request: Request, state: Here, caller: Asker) -> Response:
    """The model, its presets and sizes, the limits of each field, and the blog's categories, tags and authors."""
    from glad_pipeline.operations.choices import choices

    reads, settings = reads_of(request), state.settings
    found = await reads.kept("choices", lambda: state.blocking(choices, settings))
    blog = {table: await _labels(reads, table) for table in ("categories", "tags", "authors")}
    more = {"blog": blog, "dagster_url": settings.web_url, "site_url": settings.site_url}
    return answer({**values_of(found), **more})


async def _labels(reads: BlogReads, table: str) -> list[dict[str, Any]]:
    """By name; none where the blog cannot be read: a form does without."""
    try:
        rows = await reads.rows(lambda reading: reading.labels.all(table), {})
    except (DatabaseError, Problem):
        return []
    return [{name: label[name] for name in ("id", "name", "slug")} for label in map(_read, rows)]


def _read(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row["label"])
    return found


@router.post("/prompts/check", response_model=Answer[Checked], responses=refusals())
async def check_prompt(state: Here, caller: Submitter, asked: PromptAsked) -> Response:
    """What would become of this prompt; nothing is written. 200 also where it would be refused: see `is_possible`."""
    from glad_pipeline.operations.checking import check

    given = {name: found for name, found in asked.given().items() if found is not None}
    given = {**with_own_key(caller, given), "source": source_for(caller, asked.source)}
    return answer(await state.blocking(check, state.database, given, state.settings))
