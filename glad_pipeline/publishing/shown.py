"""What existing posts show, and whether a prompt's picture may take its place: a picture that is not ours stays.

Ours is what ends with the key of a picture of the catalogue, whatever address it had when it was published.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.display import quoted
from glad_pipeline.records import DuePrompt, PostId, Replaced, records_of
from glad_pipeline.storage.keys import STEM

SQL = named_queries(__package__, "shown.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What one post shows."""

    id: PostId  # of the post
    url: str  # "": nothing
    is_ours: bool
    alt_text: str | None  # what is said of it
    replaced_image_url: str | None  # where it is ours: what it had taken the place of, and a takedown puts back
    replaced_alt_text: str | None


class ShownPictures:
    """Those of these posts, which the caller has locked; kept up as they are written.

    `alt_text_at`: where in a row of posts as JSON the alt text is; None: it is not there.
    """

    def __init__(
        self, connection: Connection, posts: Collection[PostId], alt_text_at: Sequence[str] | None = None
    ) -> None:
        bound = {"ids": list(posts), "alt_text_at": None if alt_text_at is None else list(alt_text_at), "stem": STEM}
        rows = records_of(Shown, connection.execute(SQL["shown"], bound)) if posts else []
        self._of = {each.id: each for each in rows}

    def problem_of(self, prompt: DuePrompt, post: PostId) -> str | None:
        """Why the picture that the post shows is not to be replaced, and what to do; None: it may be.

        Whose prompt says `replace`, and who has approved it (drawn, one that needs approval has it), wants it replaced.
        """
        shown = self._of[post]
        if not shown.url or shown.is_ours or prompt.replace or prompt.needs_approval:
            return None
        return (
            f"the post {post} shows a picture that is not this pipeline's, {quoted(shown.url)}: "
            f"`glad prompts approve {prompt.id}` puts the new one in its place, "
            f"`glad prompts reject {prompt.id}` keeps it. A prompt with `replace` set does not ask"
        )

    def replace(self, prompt: DuePrompt, post: PostId) -> Replaced:
        """Note that the post shows this prompt's picture now. Returns what to put back when that is taken down."""
        shown = self._of[post]
        if shown.is_ours:
            replaced = Replaced(image_url=shown.replaced_image_url, alt_text=shown.replaced_alt_text)
        else:
            replaced = Replaced(image_url=shown.url or None, alt_text=shown.alt_text or None)
        if replaced.image_url is None and prompt.published_post_id == post and prompt.replaced_image_url:
            # what it had replaced before it was drawn again is known from nowhere else
            replaced = Replaced(image_url=prompt.replaced_image_url, alt_text=prompt.replaced_alt_text)
        self._of[post] = Shown(
            id=post,
            url=prompt.image_url,
            is_ours=True,
            alt_text=None,
            replaced_image_url=replaced.image_url,
            replaced_alt_text=replaced.alt_text,
        )
        return replaced
