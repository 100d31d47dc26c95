"""Whether the blog takes complete posts, found out before anything is claimed or drawn."""

from __future__ import annotations

from functools import partial

from glad_pipeline.database import Database
from glad_pipeline.diagnosis import Diagnosis, require
from glad_pipeline.publishing import trial
from glad_pipeline.publishing.blog_schema import look
from glad_pipeline.records import Prompt
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import ObjectStore


def require_blog(database: Database, store: ObjectStore) -> None:
    """Raises `GladError`, with each cure, where the blog would refuse posts that show this store's pictures."""
    require(database.read(partial(trial.examine, picture_url=store.url(original_key("0" * 64)))))


def look_at_blog(database: Database) -> list[Diagnosis]:
    """What stands in the way of complete posts, or is lost on this blog; a post is tried and rolled back."""
    return database.read(trial.examine)


def without_place(database: Database, prompt: Prompt) -> list[str]:
    """What this prompt has that the blog has no place for, in words; it is published without."""
    return database.read(look).without_place(prompt)
