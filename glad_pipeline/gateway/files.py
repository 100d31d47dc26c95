"""`GET /images/{key}`: pictures of a volume (GLAD_STORE `volume`), for who has no web server for them.

Only keys of pictures: nothing is listed, and no path, link or other file of the folder is shown.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from glad_pipeline.gateway.post_models import NOT_MODIFIED
from glad_pipeline.gateway.problems import AGAIN, Problem, errors
from glad_pipeline.gateway.state import Here, State
from glad_pipeline.rendition_plan import CONTENT_TYPES
from glad_pipeline.storage.keys import is_of_picture
from glad_pipeline.storage.volume_shown import Answer, ShownFile, answer_of, open_shown

router = APIRouter(tags=["images"])
SHOWN_ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin"}  # the blog's pages are of another origin
PIECE = 1 << 18  # bytes of a file read at once
_BODY = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", *CONTENT_TYPES.values())}


class _Part(Response):
    """Bytes of an open file, read in threads; closed at the end, and when the visitor has gone."""

    def __init__(self, shown: ShownFile, answer: Answer, state: State) -> None:
        self._file, self._answer, self._state = shown.file, answer, state
        super().__init__(status_code=answer.status, headers={**answer.headers, **SHOWN_ANYWHERE})
        if answer.status != 304:
            self.headers["Content-Length"] = str(answer.length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left = self._answer.length if scope["method"] == "GET" else 0
            file.seek(self._answer.first)
            while left > 0 and (piece := await self._state.for_visitor(file.read, min(left, PIECE))):
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@router.get(
    "/images/{key:path}",
    summary="A picture of a volume",
    response_class=Response,
    responses={
        200: {"content": _BODY, "description": "The picture, which never changes under its key"},
        206: {"content": _BODY, "description": "The part that `Range` asks for"},
        416: {"description": "`Range` begins after the end"},
        **NOT_MODIFIED,
        **errors(404, 429, 503),
    },
)
@router.head("/images/{key:path}", include_in_schema=False)
async def image(request: Request, state: Here, key: str) -> Response:
    """`generated/ab/abcd….png`, its thumbnail and its renditions, where pictures are kept in a folder."""
    root = state.settings.volume if state.settings.store_kind == "volume" else None
    if root is None or not is_of_picture(key):
        raise Problem(404, "no picture has this address")
    try:
        shown = await state.for_visitor(open_shown, root, key)
    except OSError as error:
        raise Problem(503, "the folder of the pictures is not there", headers={"Retry-After": str(AGAIN)}) from error
    if shown is None:
        raise Problem(404, "no picture has this address")
    asked = request.headers
    answer = answer_of(
        shown,
        if_none_match=asked.get("if-none-match", ""),
        wanted=asked.get("range", ""),
        if_range=asked.get("if-range"),
    )
    return _Part(shown, answer, state)
