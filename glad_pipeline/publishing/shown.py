"""What existing posts show, and whether a prompt's picture may take its place: a picture that is not ours stays.

Ours is what ends with the key of a picture of the catalogue, whatever address it had when it was published.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.display import quoted
from glad_pipeline.records import DuePrompt, PostId, records_of

SQL = named_queries(__package__, "shown.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What one post shows."""

    id: PostId  # of the post
    url: str  # "": nothing
    is_ours: bool
    replaced: str | None  # where it is ours: what it had taken the place of, and a takedown puts back


class ShownPictures:
    """Those of these posts, which the caller has locked; kept up as they are written."""

    def __init__(self, connection: Connection, posts: Collection[PostId]) -> None:
        bound = {"ids": list(posts)}
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

    def replace(self, prompt: DuePrompt, post: PostId) -> str | None:
        """Note that the post shows this prompt's picture now. Returns what to put back when that is taken down."""
        shown = self._of[post]
        replaced = shown.replaced if shown.is_ours else shown.url or None
        if replaced is None and shown.is_ours and prompt.published_post_id == post:  # its own, drawn again
            replaced = prompt.replaced_image_url
        self._of[post] = Shown(id=post, url=prompt.image_url, is_ours=True, replaced=replaced)
        return replaced
