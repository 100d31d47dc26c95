"""The blog's rows: a new post, an existing post's picture, or a task's picture, in the caller's one transaction.

The blog owns its tables and they differ from one version to the next: the columns that exist are looked up
and only those are written, none wider than it is. Where the blog refuses one row, that prompt is rejected
with the reason and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from glad_pipeline.blame import together_or_alone
from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.errors import GladError
from glad_pipeline.publishing.columns import assignments, columns_of
from glad_pipeline.publishing.post_columns import FILLED, metadata_of, new_post, picture_of, problem_of, title_of
from glad_pipeline.publishing.shown import ShownPictures
from glad_pipeline.publishing.slugs import free_slug, slugify, with_id
from glad_pipeline.publishing.tasks import Tasks, is_for_a_task
from glad_pipeline.records import DuePrompt, PostId

SQL = named_queries(__package__, "posts.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPost:
    """What a prompt has become."""

    prompt_id: int
    post_id: PostId | None  # None: only a task was illustrated
    title: str
    image_url: str
    replaced: str | None = None  # what its post showed before that was not ours


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What became of a group of prompts, by prompt id."""

    published: list[PublishedPost] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)  # refused, with the reason
    conflicts: dict[int, str] = field(default_factory=dict)  # of a person's making: not touched, and what to do

    def add(self, other: Outcomes) -> None:
        self.published.extend(other.published)
        self.rejected.update(other.rejected)
        self.conflicts.update(other.conflicts)


class Blog:
    """The blog's tables as they are in this database; made once per run."""

    def __init__(self, connection: Connection) -> None:
        self.posts = columns_of(connection, "posts")
        self.labels = {table: columns_of(connection, table) for table in ("categories", "authors")}
        if not self.posts:
            raise GladError("this database has no table `posts`: run `./glad migrate` first")
        unknown = sorted(c.name for c in self.posts.values() if c.owed and c.name not in FILLED)
        if unknown:
            raise GladError(
                f"the blog's table posts wants a value in {', '.join(unknown)}, which this pipeline does not know: "
                "give the column a default"
            )

    def publish(
        self,
        connection: Connection,
        due: Sequence[DuePrompt],
        *,
        then: Callable[[Outcomes], None] = lambda outcomes: None,
    ) -> Outcomes:
        """Write what these prompts become; the caller marks them in the same transaction.

        A prompt that the blog, or anything here, refuses is rejected alone. `then` belongs to it: what it raises too.
        """
        outcomes = Outcomes()

        def work(some: Sequence[DuePrompt]) -> Outcomes:
            done = self._publish(connection, some)
            then(done)
            return done

        def refuse(prompt: DuePrompt, reason: str) -> None:
            outcomes.rejected[prompt.id] = f"the blog refused the post: {reason}"

        for done in together_or_alone(connection, due, work, refuse):
            outcomes.add(done)
        return outcomes

    def _publish(self, connection: Connection, due: Sequence[DuePrompt]) -> Outcomes:
        rejected = {each.id: problem for each in due if (problem := problem_of(each))}
        due = [each for each in due if each.id not in rejected]
        tasks = Tasks(connection, due)
        named = [i for each in due for i in (each.post_id, each.published_post_id) if i is not None]
        posts = self.lock(connection, named)
        post_ids: dict[int, PostId | None] = {}
        new, old = [], []
        for each in due:
            illustrated = each.published_post_id if each.post_id is None else each.post_id
            if each.post_id is not None and each.post_id not in posts:
                rejected[each.id] = f"post_id: no post has the id {each.post_id}"
            elif illustrated is not None and illustrated in posts:
                old.append((each, illustrated))
            elif is_for_a_task(each):
                if problem := tasks.problem_of(each):
                    rejected[each.id] = problem
                else:
                    post_ids[each.id] = None
            else:
                new.append(each)
        conflicts, replaced = self._illustrate(connection, old, posts)
        post_ids.update({each.id: post for each, post in old if each.id not in conflicts})
        created, refused = self._create(connection, new)
        post_ids |= created
        done = [each for each in due if each.id in post_ids]
        tasks.tell(connection, done)
        return Outcomes(
            published=[
                PublishedPost(
                    prompt_id=each.id,
                    post_id=post_ids[each.id],
                    title=title_of(each),
                    image_url=each.image_url,
                    replaced=replaced.get(each.id),
                )
                for each in done
            ],
            rejected=rejected | refused,
            conflicts=conflicts,
        )

    @staticmethod
    def lock(connection: Connection, ids: Sequence[PostId]) -> dict[PostId, str]:
        """In the caller's transaction: lock these posts. The version of each there is: `updated_at` as text, or ""."""
        rows = connection.execute(SQL["lock_posts"], {"ids": list(ids)}) if ids else ()
        return {row["id"]: row["version"] for row in rows}

    def _create(self, connection: Connection, prompts: Sequence[DuePrompt]) -> tuple[dict[int, PostId], dict[int, str]]:
        """Insert new posts. Returns their ids and, for prompts whose slug or author cannot be had, why."""
        slugs, rejected = self._slugs(connection, prompts)
        categories = self._labels(connection, "categories", (each.category for each in prompts))
        authors = self._labels(connection, "authors", (each.author for each in prompts))
        accepted, values = [], []
        for each in prompts:
            if each.id in rejected:
                continue
            author = authors.get(each.author)
            if each.author and author is None and "author" not in self.posts:
                rejected[each.id] = (
                    f"author: the blog has no author {each.author!r} and wants more than a name to add one"
                )
                continue
            own = {"slug": slugs[each.id], "category_id": categories.get(each.category), "author_id": author}
            accepted.append(each.id)
            values.append(self._fitting({**new_post(each), **own}))
        return dict(zip(accepted, self._insert_posts(connection, values), strict=True)), rejected

    def _insert_posts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[PostId]:
        """Write new posts, and return their ids: ours where the blog has no way of its own to give them."""
        own = self.posts["id"]
        if own.type == "uuid":
            rows = [{**row, "id": uuid4()} for row in rows]
        elif own.owed:
            rows = [{**row, "id": str(uuid4())} for row in rows]
        if not rows:
            return []
        with connection.cursor() as cursor:
            statement = _insert("posts", rows[0]) + sql.SQL(" RETURNING id")
            cursor.executemany(statement, rows, returning=True)
            return [row["id"] for result in cursor.results() for row in result]

    def _slugs(self, connection: Connection, prompts: Sequence[DuePrompt]) -> tuple[dict[int, str], dict[int, str]]:
        """A free slug for each prompt: the one it asks for, or one made from its title."""
        asked = {each.id: each.slug or slugify(title_of(each)) for each in prompts}
        candidates = [*asked.values(), *(with_id(slug, i) for i, slug in asked.items())]
        taken = {row["slug"] for row in connection.execute(SQL["taken_slugs"], {"slugs": candidates})}
        slugs: dict[int, str] = {}
        rejected: dict[int, str] = {}
        for each in sorted(prompts, key=lambda each: not each.slug):  # those that ask for one come first
            slug = each.slug if each.slug not in taken else None
            if not each.slug:
                slug = free_slug(title_of(each), each.id, taken)
            if slug:
                taken.add(slug)
                slugs[each.id] = slug
            else:
                rejected[each.id] = f"slug: {asked[each.id]!r} is taken by another post: choose another slug"
        return slugs, rejected

    def _labels(self, connection: Connection, table: str, names: Iterable[str | None]) -> dict[str | None, Any]:
        """The ids of categories or authors by name; None for one that cannot be added."""
        return {name: self._label(connection, table, name) for name in set(names) if name}

    def _label(self, connection: Connection, table: str, name: str) -> Any:
        """The id of a category or author, added if the blog lets a name and a slug suffice; else None."""
        columns = self.labels[table]
        if "name" not in columns:
            return None
        found = sql.SQL("SELECT id FROM {} WHERE name = %s").format(sql.Identifier(table))
        if known := value(connection, found, [name]):
            return known
        values: dict[str, Any] = {"name": name, "slug": slugify(name)}
        if columns["id"].type == "uuid":
            values["id"] = uuid4()
        if any(c.owed and c.name not in values for c in columns.values()):
            return None
        values = {column: given for column, given in values.items() if column in columns}
        connection.execute(_insert(table, values) + sql.SQL(" ON CONFLICT DO NOTHING"), values)
        label = value(connection, found, [name])  # another run may have been first
        if label is None and "slug" in columns:  # the same slug under another spelling: "Sea side" and "sea-side"
            same = sql.SQL("SELECT id FROM {} WHERE slug = %s").format(sql.Identifier(table))
            label = value(connection, same, [values["slug"]])
        return label

    def _illustrate(
        self, connection: Connection, prompts: Sequence[tuple[DuePrompt, PostId]], versions: dict[PostId, str]
    ) -> tuple[dict[int, str], dict[int, str | None]]:
        """Give existing posts, which are locked, their picture; nothing else of theirs is touched.

        A post that a person has edited since the prompt was claimed or approved, and one that shows a picture which is
        not ours, is left alone: returns what to do about each of those prompts, and what the others have replaced.
        `versions` is kept up.
        """
        conflicts: dict[int, str] = {}
        replaced: dict[int, str | None] = {}
        shown = ShownPictures(connection, {post for _, post in prompts})
        for each, post in prompts:
            if not self._is_as_it_was(connection, post, each.post_version, versions[post]):
                conflicts[each.id] = (
                    f"the post {post} was edited at {versions[post]} after this prompt was claimed: look at it, then "
                    f"`glad prompts approve {each.id}` (sets the picture on the post as it is now) or "
                    f"`glad prompts reject {each.id}`"
                )
                continue
            if problem := shown.problem_of(each, post):
                conflicts[each.id] = problem
                continue
            replaced[each.id] = shown.replace(each, post)
            values = picture_of(each)
            if each.taken_down_at and each.post_id is None:  # we hid it, and a person had its prompt retried
                values["status"] = "published"
            versions[post] = self.write(connection, post, values, metadata=metadata_of(each), version=versions[post])
        return conflicts, replaced

    @staticmethod
    def _is_as_it_was(connection: Connection, post: PostId, noted: str | None, now: str) -> bool:
        """Whether nobody but us has written the post since its version was noted (None: it was not there)."""
        if noted is None or noted == now:
            return True
        return bool(value(connection, SQL["is_ours"], {"post": post, "noted": noted, "now": now}))

    def write(
        self,
        connection: Connection,
        post: PostId,
        values: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
        version: str,
    ) -> str:
        """In the caller's transaction: set columns of a post that `lock` has locked, those that there are.

        `metadata` is added to the post's own, `without` taken out. Returns its new version; that it is ours and no
        person's is noted.
        """
        fitting = self._fitting({**values, "updated_at": datetime.now(UTC)})
        pairs = assignments(fitting)
        if (metadata or without) and "metadata" in self.posts:
            changed = sql.SQL("metadata = (coalesce(metadata, '{{}}'::jsonb) || {}) - {}::text[]")
            pairs.append(changed.format(sql.Placeholder("more"), sql.Placeholder("less")))
        if not pairs:
            return version
        statement = sql.SQL(
            "UPDATE posts SET {} WHERE id = {} RETURNING coalesce(to_jsonb(posts) ->> 'updated_at', '') AS version"
        )
        bound = {**fitting, "more": Jsonb(dict(metadata or {})), "less": list(without), "post": post}
        composed = statement.format(sql.SQL(", ").join(pairs), sql.Placeholder("post"))
        after: str | None = value(connection, composed, bound)
        if after is None:
            return version
        if version != after:
            connection.execute(SQL["note_our_write"], {"post": post, "before": version, "after": after})
        return after

    def _fitting(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Only columns that exist; summaries for search engines cut to their width."""
        fitting = {name: value for name, value in values.items() if name in self.posts}
        for name in ("excerpt", "seo_title", "seo_description"):
            width = self.posts[name].width if name in self.posts else None
            if width and fitting.get(name):
                fitting[name] = fitting[name][:width]
        return fitting


def _insert(table: str, columns: Iterable[str]) -> sql.Composed:
    names = list(columns)
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )


def bad_urls(connection: Connection, *, limit: int) -> list[str]:
    """The slugs of those of the newest `limit` posts of ours whose picture URL a browser could not open."""
    return [row["slug"] for row in connection.execute(SQL["bad_urls"], {"limit": limit})]
