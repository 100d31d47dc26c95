"""A picture as a visitor sees it: by its public URL, with no credentials of ours."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

SECONDS = 10


def fault_of_visit(url: str) -> str | None:
    """Why a browser would not show the picture at this http(s) URL, or None."""
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310  the catalogue's CHECK: http(s) only
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            kind = str(answer.headers.get("Content-Type"))
            return None if kind.startswith("image/") else f"answers with {kind}, not with a picture"
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return f"answers {error.code}: visitors may not read it; allow generated/* in the bucket's policy or CDN"
        return f"answers {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error}"
