"""The commit points by name: where something becomes true for others, and a crash just before or just after it matters.

In a product's process `reached` does nothing. A test arms a point, and the process fails or dies there; another test
compares this table with the calls in the source, so that no commit point is without its crash test.
"""

from __future__ import annotations

from collections.abc import Callable

COMMIT_POINTS = {
    "identity": "the database knows which bucket belongs to it",
    "mark_bucket": "the bucket says which database it belongs to",
    "claim": "prompts are taken out of the queue",
    "give_back": "claimed prompts that are not to be drawn now wait again",
    "begin_drawing": "a try is counted for each prompt of the batch to be drawn",
    "spool": "a drawn picture is on the local disk under its name",
    "thumbnail": "a picture's thumbnail is in the store",
    "rendition": "a rendition of a picture is in the store",
    "store": "a picture is in the store",
    "unspool": "the local copy of a stored picture is gone",
    "refund": "the tries are given back, since something else was at fault",
    "reject": "a prompt is put aside with the reason",
    "fail": "a prompt waits for another try, or has spent them",
    "catalogue": "pictures seen in the store are catalogued, and their prompts are `generated`",
    "look_again": "pictures stored a while ago are seen to be there still, or their prompts wait again",
    "hold_back": "pictures that a check finds fault with wait for a person",
    "publish": "posts, the status of their prompts and the outbox messages",
    "report": "Dagster tells of posts or prompts put aside, or another run has it tell of what one left that died",
    "take_messages": "messages of the outbox are in one deliverer's hands",
    "deliver": "a site, CDN or bucket has been told (no transaction of ours)",
    "settle_messages": "messages are delivered, wait for another try, or are dead",
    "takedown": "posts hidden, pictures removed and blocked, and the outbox messages that tell of it",
    "quarantine": "orphaned or damaged objects, whose copies are in quarantine/, are gone from generated/",
    "audit_fix": "prompts of lost pictures wait again, taken-down objects are gone, or thumbnails are back",
    "renditions": "renditions that pictures in the store lacked are recorded, or ones that are gone from it no more",
    "rewrite_urls": "some published addresses have the new base, and the outbox messages tell of their posts",
    "renew_posts": "some published posts name the renditions that there are, and the outbox messages tell of them",
    "release": "a run ends: what it did not finish waits again",
}
POINTS = tuple(f"{name}.{when}" for name in COMMIT_POINTS for when in ("before", "after"))

_armed: Callable[[str], None] | None = None


def reached(point: str) -> None:
    """This point (one of POINTS) is reached; nothing happens unless a test has armed it."""
    if _armed is not None:
        _armed(point)


def arm(action: Callable[[str], None] | None) -> None:
    """For tests: have `action` called with the name of every point that is reached; None ends that."""
    global _armed  # noqa: PLW0603  one process, one rig
    _armed = action
