"""Takedown: posts hidden, pictures removed from store and CDN, their recipes blocked, each for a reason that is kept.

All that rows can say is one transaction, which no publishing runs beside (`blocklist`); what others have to know
goes through the outbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg

from glad_pipeline.database import Connection, Database, first_words, named_queries, value
from glad_pipeline.errors import GladError, NoSuchError, UnavailableError, UsageError
from glad_pipeline.limits import REASON_CHARS
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.prompts.management import NOT_SAID
from glad_pipeline.publishing import blocklist, images
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.publishing.post_columns import NO_PICTURE
from glad_pipeline.publishing.posts import Blog
from glad_pipeline.publishing.tasks import clear_tasks
from glad_pipeline.records import PostId, Replaced, records_of

SQL = named_queries(__package__, "takedown.sql")


@dataclass(kw_only=True)
class TakenDown:
    """What a takedown has changed; empty lists: it was so already."""

    hidden: list[str] = field(default_factory=list)  # slugs of posts that were visible or open to be so
    cleared: list[str] = field(default_factory=list)  # slugs of posts that stay and lost the picture
    restored: dict[str, str] = field(default_factory=dict)  # slug → the picture, not ours, that its post shows again
    removed: list[str] = field(default_factory=list)  # keys of pictures that are removed and blocked
    pictures: list[str] = field(default_factory=list)  # keys of all that are to be gone, the removed ones too
    kept: dict[str, str] = field(default_factory=dict)  # key → why a picture stays
    prompts: list[int] = field(default_factory=list)  # cancelled or rejected
    subjects: list[str] = field(default_factory=list)  # of the messages that tell of it
    messages_after: int = 0  # they have higher ids

    @property
    def changed(self) -> bool:
        return bool(self.hidden or self.cleared or self.restored or self.removed or self.prompts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """A recipe that may be drawn again."""

    recipe_hash: str
    was_blocked: bool
    prompts: tuple[int, ...]  # that could be retried now


def unpublish(database: Database, post: str, *, reason: str, keep_picture: bool = False) -> TakenDown:
    """Hide the post with this id or slug; its prompts are cancelled, and its pictures removed and blocked.

    A picture that another published post shows stays, as all do with `keep_picture`. Raises `GladError` if there is
    no such post, or the blog cannot have it hidden or without a picture; `UsageError` for a reason that is empty or
    over 500 characters.
    """
    return database.transact("takedown", partial(_unpublish, post, _checked(reason), keep_picture))


def delete_image(database: Database, image: str, *, reason: str) -> TakenDown:
    """Remove and block the picture with this id, key, URL or recipe hash.

    Posts made with it are hidden, posts that it illustrated stay without it, or with the picture that it replaced.
    Raises as `unpublish`.
    """
    return database.transact("takedown", partial(_delete_image, image, _checked(reason)))


def discard(database: Database, prompt_id: int, *, reason: str, seen: int | None = None) -> TakenDown:
    """Put aside a prompt whose picture is ready, and remove and block its picture.

    One that was discarded before loses its picture too. `seen`: the picture (images.id) that a person has looked at.
    Raises `GladError` if there is no such prompt, it is neither, its picture is another one, or another prompt has the
    picture; `UsageError` as `unpublish`.
    """
    return database.transact("takedown", partial(_discard, prompt_id, _checked(reason), seen))


def discard_each(
    database: Database, ids: Iterable[int], *, reason: str, seen: Mapping[int, int] = NOT_SAID
) -> Iterator[tuple[int, TakenDown | str]]:
    """`discard` one after the other: each prompt with what was taken down, or why it stays as it is."""
    for prompt_id in dict.fromkeys(ids):
        try:
            yield prompt_id, discard(database, prompt_id, reason=reason, seen=seen.get(prompt_id))
        except UnavailableError:
            raise
        except GladError as error:
            yield prompt_id, str(error)


def allow(database: Database, image: str) -> Allowed:
    """Unblock the picture with this id, key, URL or recipe hash: it may be drawn again.

    Raises `GladError` if there is no such picture, or its objects are still to be deleted.
    """
    return database.transact("takedown", partial(_allow, image))


def _checked(reason: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
    if not 1 <= len(text) <= REASON_CHARS:
        raise UsageError(f"the reason must have 1 to {REASON_CHARS} characters, not {len(text)}")
    return text


def _unpublish(post: str, reason: str, keep_picture: bool, connection: Connection) -> TakenDown:
    taken = _alone(connection)
    found = connection.execute(SQL["find_post"], {"post": post}).fetchone() if post.isprintable() else None
    if found is None:
        raise NoSuchError(f"no post has the id or slug {post[:80]!r}")
    blog = Blog(connection)
    if not blog.schema.writes("status"):
        raise GladError(
            f"the post {found['slug']} cannot be hidden: the blog's {blog.schema.names} has no status that could be "
            "written. `glad images delete IMAGE` takes its picture down; the post itself has to be deleted in the blog"
        )
    going = []
    rows = connection.execute(SQL["pictures_of"], {"post": found["id"]}).fetchall()
    for row, image in zip(rows, records_of(CataloguedImage, rows), strict=True):
        if keep_picture:
            taken.kept[image.key] = "as asked for"
        elif row["elsewhere"]:
            taken.kept[image.key] = f"the post {row['elsewhere']} shows it too"
        else:
            going.append(image)
    _lock_prompts(connection, [found["id"]], [image.id for image in going])
    _hide(connection, blog, [found["id"]], reason, taken)
    if not keep_picture:
        taken.pictures += [row["key"] for row in connection.execute(SQL["removed_of"], {"post": found["id"]})]
    for image in going:
        _remove(connection, blog, image, reason, taken)
    return taken


def _delete_image(image: str, reason: str, connection: Connection) -> TakenDown:
    taken = _alone(connection)
    found = images.find(connection, image)
    if found is None:
        raise NoSuchError(f"no picture has the id, key or URL {image[:120]!r}")
    posts = connection.execute(SQL["posts_with"], {"image": found.id}).fetchall()
    made = [row["id"] for row in posts if row["made"]]
    _lock_prompts(connection, made, [found.id])
    blog = Blog(connection)
    _hide(connection, blog, made, reason, taken)
    _remove(connection, blog, found, reason, taken)
    return taken


def _discard(prompt_id: int, reason: str, seen: int | None, connection: Connection) -> TakenDown:
    taken = _alone(connection)
    image_id = _discardable(connection, prompt_id)
    _lock_prompts(connection, [], [image_id])
    # what it was before is not what is locked
    if _discardable(connection, prompt_id) != image_id or seen not in (None, image_id):
        raise GladError("its picture is another one by now: look at that one first")
    if other := connection.execute(SQL["other_user"], {"id": prompt_id, "image": image_id}).fetchone():
        raise GladError(
            f"its picture is that of prompt {other['id']} too, which is {other['status']}: discard it without "
            f"--delete-picture, or take it down for both with `glad images delete {image_id} --reason TEXT`"
        )
    image = images.find(connection, str(image_id))
    assert image is not None  # noqa: S101  a foreign key
    connection.execute(SQL["discard"], {"id": prompt_id, "reason": f"discarded: {reason}"})
    taken.prompts.append(prompt_id)
    _remove(connection, Blog(connection), image, reason, taken)
    return taken


def _discardable(connection: Connection, prompt_id: int) -> int:
    """The picture of a prompt that is ready, or was discarded before. Raises `GladError`."""
    row = connection.execute(SQL["ready_or_discarded"], {"id": prompt_id}).fetchone()
    if row is None or not row["is_fit"]:
        state = f"it is {row['status']}: only what is ready can be discarded" if row else "there is no such prompt"
        raise GladError(f"{state} (`glad prompts list --status ready`)")
    return int(row["image_id"])


def _alone(connection: Connection) -> TakenDown:
    blocklist.take_down_alone(connection)
    return TakenDown(messages_after=value(connection, SQL["last_message"]))


def _lock_prompts(connection: Connection, posts: Sequence[PostId], images: Sequence[int]) -> None:
    """Prompts before posts, as those do who publish."""
    connection.execute(SQL["lock_prompts"], {"posts": list(posts), "images": list(images)})


def _hide(connection: Connection, blog: Blog, posts: Sequence[PostId], reason: str, taken: TakenDown) -> None:
    """Make posts drafts, if the blog has states; cancel the prompts that are behind them or aim at them."""
    versions = blog.lock(connection, posts) if blog.schema.writes("status") else {}
    for post, version in versions.items():
        found = connection.execute(SQL["post_by_id"], {"post": post}).fetchone()
        if found is not None and found["status"] != "draft":
            blog.write(connection, post, {"status": "draft"}, version=version)
            taken.hidden.append(found["slug"])
            connection.execute(SQL["keep_reason"], {"subject": f"post:{post}", "reason": reason})
            _tell(connection, [post], taken)
    bound = {"posts": list(posts), "reason": f"taken down: {reason}"}
    taken.prompts += sorted(row["id"] for row in connection.execute(SQL["cancel_prompts"], bound))


def _remove(connection: Connection, blog: Blog, image: CataloguedImage, reason: str, taken: TakenDown) -> None:
    """Block a picture and have it removed: no post, task or prompt goes on with it."""
    taken.pictures.append(image.key)
    posts = connection.execute(SQL["posts_with"], {"image": image.id}).fetchall()
    versions = blog.lock(connection, [post["id"] for post in posts])
    for post in posts:
        found = connection.execute(SQL["replaced_by"], {"image": image.id, "post": post["id"]}).fetchone()
        back = Replaced(**found) if found else Replaced()
        _put_back(connection, blog, post["id"], back, versions[post["id"]])
        if back.image_url:
            taken.restored[post["slug"]] = back.image_url
        elif post["slug"] not in taken.hidden:
            taken.cleared.append(post["slug"])
        if post["slug"] not in taken.hidden:
            _tell(connection, [post["id"]], taken)
    tasks = [row["task_id"] for row in connection.execute(SQL["tasks_of"], {"image": image.id})]
    clear_tasks(connection, tasks, image.url)
    refusal = blocklist.blocked_because(reason, image.key)
    bound = {"image": image.id, "reason": f"taken down: {reason}", "refusal": refusal}
    taken.prompts += sorted(row["id"] for row in connection.execute(SQL["drop_prompts"], bound))
    newly_blocked = blocklist.block(connection, image.recipe_hash, reason)
    if newly_blocked or image.removed_at is None:
        connection.execute(SQL["mark_removed"], {"image": image.id, "reason": reason})
        outbox.ask_to_delete(connection, image.id)
        connection.execute(SQL["keep_reason"], {"subject": f"image:{image.key}", "reason": reason})
        taken.removed.append(image.key)
        taken.subjects.append(f"image:{image.key}")


def _put_back(connection: Connection, blog: Blog, post: PostId, back: Replaced, version: str) -> None:
    """Have a post show what it showed before, or nothing, with the alt text of that."""
    values: dict[str, Any] = {**NO_PICTURE, "featured_image_url": back.image_url}
    column, *inner = blog.schema.alt_text_at or [""]
    if column and not inner:
        values[column] = back.alt_text
    metadata = {name: back.alt_text for name in inner if back.alt_text}
    without = [name for name in inner if name not in metadata]
    try:
        blog.write(connection, post, values, metadata=metadata, without=without, version=version)
    except psycopg.IntegrityError as error:
        column = blog.schema.names.theirs("featured_image_url")
        raise GladError(
            f"the blog refuses the post {post} without a picture ({first_words(error)}); nothing was changed. Let "
            f"{blog.schema.names}.{column} be empty, or hide the post alone: "
            f"`glad posts unpublish {post} --keep-picture --reason TEXT`"
        ) from error
    blog.forget_picture(connection, post)


def _tell(connection: Connection, posts: Iterable[PostId], taken: TakenDown) -> None:
    outbox.tell_of_posts(connection, list(posts), hidden=True)
    taken.subjects += [f"post:{post}" for post in posts]


def _allow(image: str, connection: Connection) -> Allowed:
    _alone(connection)
    found = images.find(connection, image)
    if found is not None:
        recipe_hash, subject = found.recipe_hash, f"image:{found.key}"
        waiting = connection.execute(SQL["undeleted"], {"subject": subject}).fetchone()
        if waiting is not None:
            why = f" ({waiting['last_error']})" if waiting["last_error"] else ""
            raise GladError(
                f"the picture {found.key} is not deleted from the bucket yet{why}: `glad outbox deliver` first, "
                "or what is drawn anew would be deleted instead"
            )
        connection.execute(SQL["spare"], {"subject": subject})
    elif image.isprintable() and blocklist.blocked(connection, [image.strip().lower()]):
        recipe_hash = image.strip().lower()
    else:
        raise NoSuchError(f"no picture has the id, key, URL or recipe hash {image[:120]!r}")
    was_blocked = blocklist.unblock(connection, recipe_hash)
    prompts = connection.execute(SQL["retriable"], {"image": found.id}).fetchall() if found else []
    return Allowed(recipe_hash=recipe_hash, was_blocked=was_blocked, prompts=tuple(row["id"] for row in prompts))
