"""A picture as a visitor sees it: by its public URL, with no credentials of ours."""

from __future__ import annotations

from glad_pipeline.http_client import NoAnswer, ask

SECONDS = 10


def problem_of_visit(url: str) -> str | None:
    """Why a browser would not show the picture at this http(s) URL, or None."""
    try:
        answer = ask("HEAD", url, seconds=SECONDS, redirects=True)
    except NoAnswer as error:
        return f"does not answer: {error}"
    if answer.status in (401, 403):
        return f"answers {answer.status}: visitors may not read it; allow generated/* in the bucket's policy or CDN"
    if not 200 <= answer.status < 300:
        return f"answers {answer.status}"
    kind = str(answer.headers.get("Content-Type"))
    return None if kind.startswith("image/") else f"answers with {kind}, not with a picture"
