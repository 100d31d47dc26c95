"""Whether the blog takes complete posts, found out before anything is claimed or drawn."""

from __future__ import annotations

from functools import partial

from glad_pipeline.database import Database
from glad_pipeline.diagnosis import require
from glad_pipeline.publishing import trial
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import ObjectStore


def require_blog(database: Database, store: ObjectStore) -> None:
    """Raises `GladError`, with each cure, where the blog would refuse posts that show this store's pictures."""
    require(database.read(partial(trial.examine, picture_url=store.url(original_key("0" * 64)))))
