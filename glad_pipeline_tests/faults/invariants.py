"""What must hold after any fault, once the work is done: nothing lost, nothing twice, no dead link, no orphan.

One function, used by every test of the rig and by `benchmarks/soak.py`. It trusts no code of the product: it reads the
tables and the bucket, and fetches every published picture as a visitor would.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from glad_pipeline.database import Connection
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.protocol import ObjectStore
from glad_pipeline_tests.faults.generators import draws
from glad_pipeline_tests.faults.site import told

# what the prompts of the rig may end as, by a word in their text; every other one has to be published
ENDS = {"BLANK": ("rejected", "awaiting_approval"), "UNDRAWABLE": ("failed", "pending")}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that broke a promise, in words; all empty where all were kept."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    dead_links: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)  # what site or bucket should have been told
    audited: list[str] = field(default_factory=list)  # what `glad audit` has to say
    redrawn: int = 0  # pictures drawn once more than needed
    published: int = 0
    drawn: int = 0

    @property
    def broken(self) -> list[str]:
        """Every broken promise but `redrawn`, which a crash is allowed a bucket of."""
        return [*self.lost, *self.duplicated, *self.dead_links, *self.orphans, *self.untold, *self.audited]

    def __str__(self) -> str:
        counts = f"{len(self.lost)} lost, {len(self.duplicated)} duplicated, {len(self.dead_links)} dead links"
        return f"{counts}, {len(self.orphans)} orphans, {len(self.untold)} untold, {self.redrawn} redrawn"


def examine(
    connection: Connection,
    store: ObjectStore,
    *,
    draw_log: Path,
    site_log: Path | None = None,
    posts_before: Collection[UUID] = (),
) -> Findings:
    """Hold every row, object and link against every other.

    Args:
        connection: rows as dicts.
        draw_log: what `LoggedSdxl` has written.
        site_log: what the site has written; None: there was none.
        posts_before: posts that were there before any prompt.
    """
    prompts = connection.execute(
        "SELECT *, coalesce(publish_at > now(), false) AS not_yet FROM prompts ORDER BY id"
    ).fetchall()
    posts = {row["id"]: row for row in connection.execute("SELECT * FROM posts")}
    images = {row["id"]: row for row in connection.execute("SELECT * FROM images")}
    renditions = connection.execute(
        "SELECT r.key, r.sha256, left(i.url, -length(i.key)) || r.key AS url FROM renditions AS r"
        " JOIN images AS i ON i.id = r.image_id WHERE i.removed_at IS NULL"
    ).fetchall()
    lost = [f"prompt {p['id']} {fault}" for p in prompts if (fault := _loss(p, posts, images))]
    drawn = draws(draw_log)
    live = {image["url"]: image for image in images.values() if image.get("removed_at") is None}
    return Findings(
        lost=lost,
        duplicated=_duplicates(prompts, posts, posts_before),
        dead_links=_dead_links(posts, live | {each["url"]: each for each in renditions}),
        orphans=_orphans(prompts, images, {each["key"] for each in renditions}, store),
        untold=_untold(connection, posts, prompts, site_log),
        redrawn=sum(len(pids) - 1 for pids in drawn.values()),
        published=sum(p["status"] == "published" for p in prompts),
        drawn=len(drawn),
    )


def _loss(prompt: Mapping[str, Any], posts: Mapping[UUID, Any], images: Mapping[int, Any]) -> str | None:
    """How a prompt is lost, or None."""
    status, told = prompt["status"], prompt["last_error"]
    said = f"is {status}: {told}"
    word = next((word for word in ENDS if word in prompt["prompt"]), None)
    if word:
        return None if status in ENDS[word] and told else said
    image = images.get(prompt["image_id"])
    if status == "cancelled" and (told or "").startswith("taken down: "):
        shown = posts.get(prompt["published_post_id"], {}).get("status") == "published"
        return "is taken down and its post is not" if shown else None
    if status == "published":
        if prompt["published_post_id"] not in posts:
            return "is published and has no post"
        if image is None:
            return "is published and has no picture in the catalogue"
        post = posts[prompt["published_post_id"]]
        return None if post["featured_image_url"] == image["url"] else "has a post that shows another picture"
    if prompt["publish"] == "picture":
        return None if status == "ready" and image is not None else said
    waits = (status == "generated" and prompt["not_yet"]) or (
        status == "awaiting_approval" and prompt["needs_approval"]
    )
    return None if waits and image is not None else said


def _duplicates(
    prompts: Collection[Mapping[str, Any]], posts: Mapping[UUID, Any], posts_before: Collection[UUID]
) -> list[str]:
    owned = {p["published_post_id"] for p in prompts}
    nobodys = [f"post {post} belongs to no prompt" for post in posts if post not in owned and post not in posts_before]
    shared = Counter(p["published_post_id"] for p in prompts if p["published_post_id"] and not p["post_id"])
    return nobodys + [f"post {post} belongs to {count} prompts" for post, count in shared.items() if count > 1]


def _dead_links(posts: Mapping[UUID, Any], images: Mapping[str, Any]) -> list[str]:
    """Every link that a visitor meets, followed: each picture whole, as the catalogue has it."""
    columns = ("featured_image_url", "cover_image_url")
    shown = {post[each] for post in posts.values() if post["status"] == "published" for each in columns} - {None}
    wanted = {url: images[url]["sha256"] if url in images else None for url in shown | images.keys()}
    wanted |= {image["thumbnail_url"]: None for image in images.values() if image.get("thumbnail_url")}
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(_fault_of, wanted, wanted.values())
        return [f"{url} {fault}" for url, fault in zip(wanted, found, strict=True) if fault]


def _fault_of(url: str, sha256: str | None) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            body = answer.read()
    except (OSError, http.client.HTTPException, urllib.error.HTTPError) as error:
        return str(error)
    if sha256 is not None and hashlib.sha256(body).hexdigest() != sha256:
        return f"has {len(body)} bytes that are not the catalogue's"
    return None


def _untold(
    connection: Connection, posts: Mapping[UUID, Any], prompts: Collection[Mapping[str, Any]], site_log: Path | None
) -> list[str]:
    """Messages that did not arrive, and pages that the site was never told of."""
    waiting = connection.execute("SELECT * FROM outbox WHERE status NOT IN ('delivered', 'skipped')").fetchall()
    left = [f"message {row['id']} about {row['subject']} is {row['status']}: {row['last_error']}" for row in waiting]
    unlisted = connection.execute("SELECT prompt_id FROM run_reports WHERE published").fetchall()
    left += [f"Dagster lists no post of prompt {row['prompt_id']}" for row in unlisted]
    if site_log is None:
        return left
    known = told(site_log)
    ours = [posts[p["published_post_id"]] for p in prompts if p["published_post_id"] in posts]
    slugs = {post["slug"] for post in ours if post["status"] == "published"}
    return left + [
        f"the site was not told of the post {slug}" for slug in sorted(slugs) if f"/posts/{slug}" not in known
    ]


def _orphans(
    prompts: Collection[Mapping[str, Any]], images: Mapping[int, Any], renditions: set[str], store: ObjectStore
) -> list[str]:
    """Objects that no row knows, rows whose object is not there, and pictures that nobody asked for."""
    objects = {listed.key for listed in store.listing(PREFIX)}
    live = [image for image in images.values() if image.get("removed_at") is None]
    known = (
        renditions
        | {image["key"] for image in live}
        | {image["thumbnail_key"] for image in live if image["thumbnail_key"]}
    )
    wanted = {p["image_id"] for p in prompts}
    return [
        *(f"object {key} has no row" for key in sorted(objects - known)),
        *(f"row of {key} has no object" for key in sorted(known - objects)),
        *(f"picture {image['key']} belongs to no prompt" for image in live if image["id"] not in wanted),
    ]
