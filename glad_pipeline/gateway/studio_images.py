"""The studio's pictures: looked through, one with its lineage, its file, drawn again to compare."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import APIRouter, Query, Response

from glad_pipeline.database import Connection
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.commands import run_command
from glad_pipeline.gateway.jobs import AllJobs, Tell
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here, State
from glad_pipeline.gateway.studio_answers import (
    After,
    Answer,
    IdInPath,
    Limit,
    Moment,
    Page,
    Text,
    answer,
    page,
    refusals,
)
from glad_pipeline.gateway.studio_posts import BEGUN, JobAnswer, OneImage, answer_of_job
from glad_pipeline.limits import CHARS
from glad_pipeline.operations.gallery import (
    GalleryImage,
    ImageLineage,
    ImageState,
    Wanted,
    gallery,
    lineage_of_image,
    model_of,
)
from glad_pipeline.publishing import images
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.publishing.renditions import StoredRendition, renditions_of
from glad_pipeline.rendition_plan import CONTENT_TYPES

router = APIRouter(prefix="/api/studio/images", tags=["studio: posts and pictures"])
Reader = Annotated[Caller, needs("read")]
Reviewer = Annotated[Caller, needs("review")]
SECONDS = 900.0  # of one reproduction
EQUAL, DIFFERENT = 0, 1  # exit codes of `glad reproduce`
FILES = CapacityLimiter(4)  # that are read at once: each is in memory whole
WHOLE = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": WHOLE, "description": "The picture"}}


@router.get("", response_model=Page[GalleryImage], responses=refusals())
async def list_images(
    state: Here,
    caller: Reader,
    *,
    image_state: Annotated[
        ImageState | None,
        Query(alias="state", description="unused: no prompt has it, or its prompt is drawn anew; removed: taken down"),
    ] = None,
    model: Annotated[Text | None, Query(max_length=CHARS["model"])] = None,
    category: Annotated[Text | None, Query(max_length=CHARS["category"])] = None,
    text: Annotated[Text | None, Query(min_length=1, max_length=200, description="in title or prompt")] = None,
    since: Annotated[Moment | None, Query(description="drawn then or later")] = None,
    until: Annotated[Moment | None, Query(description="drawn before")] = None,
    stale: Annotated[bool | None, Query(description="drawn by another model, or revision, than the settings'")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """Pictures of the catalogue, the newest first, each with its newest prompt."""
    of = None if stale is None else await state.blocking(model_of, state.settings)
    wanted = Wanted(
        state=image_state,
        model=model,
        category=category,
        text=text,
        since=since,
        until=until,
        stale=stale,
        of=of,
    )
    rows = await state.looking(gallery, state.database, wanted, limit=limit, before=after)
    return page(rows, limit)


@router.get("/{image_id:number}", response_model=Answer[ImageLineage], responses=refusals(404))
async def show_image(state: Here, caller: Reader, image_id: IdInPath) -> Response:
    """One picture with all that is known of it: recipe, provenance, objects, its prompts, its posts, who was told."""
    found = await state.blocking(lineage_of_image, state.database, image_id)
    if found is None:
        raise Problem(404, f"there is no picture {image_id}")
    return answer(found)


@router.get("/{image_id:number}/file", response_class=Response, responses={**_FILE, **refusals(404, 410)})
async def show_file(
    state: Here,
    caller: Reader,
    image_id: IdInPath,
    size: Annotated[
        str,
        Query(
            pattern="^(original|thumbnail|[1-9][0-9]{0,4})$",
            description="or pixels: the smallest copy that is as wide",
            examples=["800"],
        ),
    ] = "original",
) -> Response:
    """The picture itself, read from the store: also of one that no visitor may see yet."""

    def look(connection: Connection) -> tuple[CataloguedImage | None, list[StoredRendition]]:
        found = images.find(connection, str(image_id))
        return (found, renditions_of(connection, image_id)) if found and found.id == image_id else (None, [])

    image, copies = await state.blocking(state.database.read, look)
    if image is None:
        raise Problem(404, f"there is no picture {image_id}")
    if image.removed_at is not None:
        raise Problem(410, f"picture {image_id} was taken down")
    key, kind = _object_of(image, copies, size)
    body = await anyio.to_thread.run_sync(_fetched, state, key, limiter=FILES)
    if body is None and key != image.key:
        kind, body = "image/png", await anyio.to_thread.run_sync(_fetched, state, image.key, limiter=FILES)
    if body is None:
        raise Problem(404, f"the store has no object {key}: `glad audit` says what is lost")
    return Response(body, headers={"Cache-Control": "private, no-store"}, media_type=kind)


def _object_of(image: CataloguedImage, copies: list[StoredRendition], size: str) -> tuple[str, str]:
    """The key of what is shown, and its type."""
    if size == "thumbnail" and image.thumbnail_key:
        return image.thumbnail_key, "image/webp"
    if size.isdigit():
        wide = sorted((each for each in copies if each.kind == "webp"), key=lambda each: each.width)
        found = next((each for each in wide if each.width >= int(size)), None)
        if found is not None:
            return found.key, CONTENT_TYPES[found.kind]
    return image.key, image.content_type


def _fetched(state: State, key: str) -> bytes | None:
    return state.store.fetch(key)


@router.post("/reproduce", response_model=JobAnswer, responses={**BEGUN, **refusals(404, 409)})
async def reproduce_image(state: Here, caller: Reviewer, jobs: AllJobs, asked: OneImage) -> Response:
    """Draw a picture again from its record and compare, as `glad reproduce --json`. One at a time, 15 minutes at most.

    The job's `result`: `bit_equal`, or `difference` with how much, and which components are others today.
    """
    image = await state.blocking(state.database.read, lambda connection: images.find(connection, asked.image))
    if image is None:
        raise Problem(404, f"no picture has the id, key, URL or recipe hash {asked.image[:80]!r}")
    if image.removed_at is not None:
        raise Problem(409, f"picture {image.id} was taken down: there is nothing to compare with")

    def work(tell: Tell) -> Any:
        return run_command(["reproduce", str(image.id)], state.settings, tell, codes=(EQUAL, DIFFERENT))

    return answer_of_job(await jobs.begin("reproduce", caller.name, work, alone=True, seconds=SECONDS))
