"""Whether the blog takes complete posts, found out before anything is claimed or drawn."""

from __future__ import annotations

from functools import partial

from glad_pipeline.database import Connection, Database
from glad_pipeline.diagnosis import Diagnosis, Level, require
from glad_pipeline.pipeline import identity
from glad_pipeline.publishing import trial
from glad_pipeline.publishing.blog_schema import look
from glad_pipeline.records import Prompt
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import ObjectStore


def require_blog(database: Database, store: ObjectStore, *, renditions: bool) -> None:
    """Raises `GladError`, with each cure, where the blog would refuse posts that show this store's pictures.

    A post is tried only where something that decides about it has changed since one went through: what triggers do
    outside of the database is not rolled back. `renditions`: whether pictures have any.
    """
    url = store.url(original_key("0" * 64))
    if mark := database.read(partial(mark_to_remember, url=url, renditions=renditions)):
        identity.remember_blog(database, mark)


def mark_to_remember(connection: Connection, *, url: str, renditions: bool = True) -> str | None:
    """The mark to be remembered of a blog that takes posts; None: it is, or no post could be tried.

    Raises `GladError`, with each cure, where it takes none.
    """
    schema = look(connection)
    require(trial.seen(schema, url))
    mark = trial.mark_of(connection, schema, url, renditions=renditions)
    if mark == identity.blog_mark(connection):
        return None
    found = trial.try_post(connection, schema, url, renditions=renditions)
    require(found)
    return None if any(each.level is Level.NOT_TESTED for each in found) else mark


def look_at_blog(database: Database, store: ObjectStore | None, *, renditions: bool) -> list[Diagnosis]:
    """What stands in the way of complete posts, or is lost on this blog; a post is tried and rolled back.

    `store`: whose pictures it shows; None: not known yet. `renditions`: whether pictures have any.
    """
    url = store.url(original_key("0" * 64)) if store else trial.URL
    return database.read(partial(trial.examine, picture_url=url, renditions=renditions))


def without_place(database: Database, prompt: Prompt) -> list[str]:
    """What this prompt has that the blog has no place for, in words; it is published without."""
    schema = database.read(look)
    return schema.without_place(prompt) if prompt.post_id is None else schema.picture_without_place(prompt)
