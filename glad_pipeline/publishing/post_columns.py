"""What of a prompt and its picture goes into which column of a post: the master list of the columns we write.

Pure: which of them the blog at hand has is for `posts.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from glad_pipeline.publishing.alt_text import alt_text_from
from glad_pipeline.publishing.blocklist import blocked_because
from glad_pipeline.publishing.public_picture import DATA, PublicPicture
from glad_pipeline.records import DuePrompt, Prompt

MAX_URL = 500
NO_PICTURE = dict.fromkeys(("featured_image_url", "image_s3_key", "image_file_size", DATA))  # a post without one


def title_of(prompt: Prompt) -> str:
    """The title it was given, or its prompt's first words."""
    if prompt.title:
        return prompt.title
    words = " ".join(prompt.prompt.split())
    short = words if len(words) <= 80 else words[:80].rsplit(" ", 1)[0] + "…"
    return short[:1].upper() + short[1:]


def new_post(prompt: DuePrompt, shown: PublicPicture | None = None) -> dict[str, Any]:
    """The columns of a new post that its prompt and its picture, as it is shown, decide."""
    shown = shown or PublicPicture.of(prompt)
    return {
        **picture_of(prompt, shown),
        "cover_image_url": shown.social,
        "title": title_of(prompt),
        "content": prompt.content or prompt.excerpt or prompt.prompt,
        "excerpt": prompt.excerpt,
        "status": "published",
        "seo_title": title_of(prompt),
        "seo_description": prompt.excerpt,
        "task_id": prompt.task_id,
        "published_at": prompt.publish_at or datetime.now(UTC),
        "created_at": datetime.now(UTC),
        "updated_at": datetime.now(UTC),
    }


def picture_of(prompt: DuePrompt, shown: PublicPicture) -> dict[str, Any]:
    """The columns of a post that say what it shows."""
    return {
        "featured_image_url": shown.url,
        **({DATA: {**shown.data, "alt": alt_text_of(prompt)}} if shown.data else {}),
        "image_file_size": prompt.image_bytes,
        "image_s3_key": prompt.image_key,
    }


def alt_text_of(prompt: DuePrompt) -> str:
    """What its picture shows, for who cannot see it: the row's own text, or one made of its prompt; never empty."""
    return prompt.alt_text or alt_text_from(prompt.prompt)


def metadata_of(prompt: DuePrompt) -> dict[str, Any]:
    """What is added to a post's own metadata."""
    known = {"featured_image_alt": alt_text_of(prompt), "pipeline_task_id": prompt.task_id}
    return {name: value for name, value in known.items() if value}


def problem_of(prompt: DuePrompt) -> str | None:
    """Why its picture cannot be published, or None."""
    url = prompt.image_url
    if prompt.image_removed_at is not None:
        return blocked_because(prompt.image_removed_reason or "", prompt.image_key)
    if not url.startswith(("http://", "https://")) or len(url) > MAX_URL:
        return f"the picture's URL must be http(s) and at most {MAX_URL} characters, not {url[:80]!r} ({len(url)})"
    return None
