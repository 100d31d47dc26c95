"""Whether an index gives the blog's posts in the order of their pages; without one each page sorts all of them.

An index on posts that the blog has made is the blog's to make: here it is only said what makes it.
"""

from __future__ import annotations

from typing import Any

from glad_pipeline.database import Connection, value
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.publishing.post_reading import Asked, look_for_reading

MANY = 5_000  # published posts: fewer are sorted in a few milliseconds


def problem_of_order(connection: Connection) -> Diagnosis | None:
    """In the caller's transaction, whose settings it changes: what is lacking, with the statement that makes it."""
    reading = look_for_reading(connection)
    if not reading.is_possible:
        return None
    posts = value(connection, reading.plan(Asked()))[0]["Plan"]["Plan Rows"]
    if posts < MANY:
        return None
    connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    plan = value(connection, b"EXPLAIN (FORMAT JSON) " + reading.page(Asked(), 20, "first"), {})[0]["Plan"]
    if not _sorts(plan):
        return None
    return Diagnosis(
        check="blog: order",
        level=Level.WARNING,
        text=f"no index of {reading.schema.names} has the order of the blog's pages: each page of GET /api/posts sorts "
        f"about {posts:,} posts",
        cure=f"as the owner of the posts: {reading.index}",
    )


def _sorts(plan: dict[str, Any]) -> bool:
    """Whether the rows of a plan come out of a sort; what is computed for each of them does not count."""
    if plan["Node Type"] in ("Sort", "Incremental Sort"):
        return True
    return any(_sorts(each) for each in plan.get("Plans", ()) if each["Parent Relationship"] == "Outer")
