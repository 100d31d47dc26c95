"""`glad renditions make --posts`: published posts show the renditions that their pictures have by now.

Goes through the prompts in the order of their ids, a window in a transaction of its own, in which the site is told as
well; a post that is as one of today has nothing to change any more, so that one that was stopped anywhere is begun
again. What changes in a post is for `publishing/renewal.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from glad_pipeline.database import Connection, Database
from glad_pipeline.outbox.messages import tell_of_posts
from glad_pipeline.publishing.renewal import Renewed, renew

WINDOW = 500  # prompts
SHOWN = 5  # reasons kept


@dataclass(kw_only=True, slots=True)
class Posts:
    """What was done, or would be."""

    changed: int = 0
    told: int = 0  # of those: the site is told of; a draft has no page
    refused: int = 0
    reasons: dict[str, str] = field(default_factory=dict)  # post → why not; the first SHOWN


def renew_all(database: Database, *, featured: str, dry_run: bool) -> Iterator[Posts]:
    """Change what is outdated in published posts; yields how far it is. `dry_run`: only count.

    Raises `GladError` where the database does not answer, or the blog would refuse any post.
    """
    done, after = Posts(), 0
    while True:
        window = partial(_window, featured=featured, after=after, dry_run=dry_run)
        some, told = database.read(window) if dry_run else database.transact("renew_posts", window)
        if some.last is None:
            return
        after = some.last
        done.changed += len(some.posts)
        done.told += told
        done.refused += len(some.refused)
        for post, reason in some.refused.items():
            if len(done.reasons) < SHOWN:
                done.reasons[str(post)] = reason
        yield done


def _window(connection: Connection, **asked: Any) -> tuple[Renewed, int]:
    some = renew(connection, limit=WINDOW, **asked)
    told = tell_of_posts(connection, some.posts) if some.posts and not asked["dry_run"] else 0
    return some, told
