"""The blog's rows: a new post, an existing post's picture, or a task's picture, in the caller's one transaction.

The blog owns its tables and they differ from one version to the next: the columns that exist are looked up
and only those are written, none wider than it is. Where the blog refuses one row, that prompt is rejected
with the reason and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from glad_pipeline.blame import together_or_alone
from glad_pipeline.database import Connection, named_queries
from glad_pipeline.errors import GladError
from glad_pipeline.limits import URL_CHARS
from glad_pipeline.publishing.blocklist import blocked_because
from glad_pipeline.publishing.slugs import free_slug, slugify, with_id

SQL = named_queries(__package__)
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    name: str
    type: str
    width: int | None  # characters of a varchar
    owed: bool  # NOT NULL without a default


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What became of a group of prompts, by prompt id."""

    post_ids: dict[int, UUID | None]  # published: the post, or None where only a task was illustrated
    rejected: dict[int, str]  # refused, with the reason
    conflicts: dict[int, str]  # a person has edited the post meanwhile: not touched, and what to do


class Blog:
    """The blog's tables as they are in this database; made once per run."""

    def __init__(self, connection: Connection) -> None:
        self.posts = self._columns(connection, "posts")
        self.tasks = self._columns(connection, "content_tasks")
        self.labels = {table: self._columns(connection, table) for table in ("categories", "authors")}
        if not self.posts:
            raise GladError("this database has no table `posts`: run `./glad migrate` first")
        unknown = sorted(c.name for c in self.posts.values() if c.owed and c.name not in FILLED)
        if unknown:
            raise GladError(
                f"the blog's table posts wants a value in {', '.join(unknown)}, which this pipeline does not know: "
                "give the column a default"
            )

    @staticmethod
    def _columns(connection: Connection, table: str) -> dict[str, Column]:
        rows = connection.execute(SQL["columns_of"], {"table": table})
        return {row["name"]: Column(**row) for row in rows}

    def publish(
        self, connection: Connection, rows: Sequence[Row], *, then: Callable[[Outcomes], None] = lambda outcomes: None
    ) -> Outcomes:
        """Write what these prompts (joined with their image) become; the caller marks them in the same transaction.

        A row that the blog, or anything here, refuses is rejected alone. `then` belongs to it: what it raises too.
        """
        outcomes = Outcomes(post_ids={}, rejected={}, conflicts={})

        def work(some: Sequence[Row]) -> Outcomes:
            done = self._publish(connection, some)
            then(done)
            return done

        def refuse(row: Row, reason: str) -> None:
            outcomes.rejected[row["id"]] = f"the blog refused the post: {reason}"

        for done in together_or_alone(connection, rows, work, refuse):
            outcomes.post_ids.update(done.post_ids)
            outcomes.rejected.update(done.rejected)
            outcomes.conflicts.update(done.conflicts)
        return outcomes

    def _publish(self, connection: Connection, rows: Sequence[Row]) -> Outcomes:
        rejected = {row["id"]: fault for row in rows if (fault := _removed(row) or _url_fault(row["image_url"]))}
        rows = [row for row in rows if row["id"] not in rejected]
        tasks = self._existing_tasks(connection, rows)
        posts = self._existing_posts(connection, rows)
        post_ids: dict[int, UUID | None] = {}
        new, old = [], []
        for row in rows:
            illustrated = row["post_id"] or row["published_post_id"]
            if row["post_id"] and row["post_id"] not in posts:
                rejected[row["id"]] = f"post_id: no post has the id {row['post_id']}"
            elif illustrated in posts:
                old.append((row, illustrated))
            elif row["task_id"] in tasks and not row["title"]:
                post_ids[row["id"]] = None
            else:
                new.append(row)
        conflicts = self._illustrate(connection, old, posts)
        post_ids.update({row["id"]: post for row, post in old if row["id"] not in conflicts})
        created, refused = self._create(connection, new)
        post_ids.update(created)
        rejected.update(refused)
        self._update_tasks(connection, [row for row in rows if row["task_id"] in tasks and row["id"] in post_ids])
        return Outcomes(post_ids=post_ids, rejected=rejected, conflicts=conflicts)

    def _existing_posts(self, connection: Connection, rows: Sequence[Row]) -> dict[UUID, str]:
        """The posts to illustrate that there are, locked, each with its version (`updated_at` as text, "" for none)."""
        ids = [i for row in rows for i in (row["post_id"], row["published_post_id"]) if i]
        return self.lock(connection, ids) if ids else {}

    @staticmethod
    def lock(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
        """In the caller's transaction: lock these posts. Returns the version of each that there is."""
        return {row["id"]: row["version"] for row in connection.execute(SQL["lock_posts"], {"ids": list(ids)})}

    def _existing_tasks(self, connection: Connection, rows: Sequence[Row]) -> set[str]:
        ids = [row["task_id"] for row in rows if row["task_id"]]
        if not ids or "task_id" not in self.tasks:
            return set()
        return {row["task_id"] for row in connection.execute(SQL["existing_tasks"], {"ids": ids})}

    def _create(self, connection: Connection, rows: Sequence[Row]) -> tuple[dict[int, UUID | None], dict[int, str]]:
        """Insert new posts. Returns their ids and, for rows whose slug or author cannot be had, why."""
        slugs, rejected = self._slugs(connection, rows)
        labels: dict[tuple[str, str], Any] = {}
        for table, column in (("categories", "category"), ("authors", "author")):
            for name in {row[column] for row in rows if row[column]}:
                labels[table, name] = self._label(connection, table, name)
        created: dict[int, UUID | None] = {}
        values = []
        for row in rows:
            if row["id"] in rejected:
                continue
            author = labels.get(("authors", row["author"]))
            if row["author"] and author is None and "author" not in self.posts:
                rejected[row["id"]] = (
                    f"author: the blog has no author {row['author']!r} and wants more than a name to add one"
                )
                continue
            created[row["id"]] = post = uuid4()
            own = {
                "id": post,
                "slug": slugs[row["id"]],
                "category_id": labels.get(("categories", row["category"])),
                "author_id": author,
            }
            values.append(self._fitting({**_new_post(row), **own}))
        if values:
            names = list(values[0])
            statement = sql.SQL("INSERT INTO posts ({}) VALUES ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(sql.Placeholder, names))
            )
            with connection.cursor() as cursor:
                cursor.executemany(statement, values)
        return created, rejected

    def _slugs(self, connection: Connection, rows: Sequence[Row]) -> tuple[dict[int, str], dict[int, str]]:
        """A free slug for each row: the one it asks for, or one made from its title."""
        asked = {row["id"]: row["slug"] or slugify(title_of(row)) for row in rows}
        candidates = [*asked.values(), *(with_id(slug, i) for i, slug in asked.items())]
        taken = {row["slug"] for row in connection.execute(SQL["taken_slugs"], {"slugs": candidates})}
        slugs: dict[int, str] = {}
        rejected: dict[int, str] = {}
        for row in sorted(rows, key=lambda row: not row["slug"]):  # those that ask for one come first
            slug = row["slug"] if row["slug"] not in taken else None
            if not row["slug"]:
                slug = free_slug(title_of(row), row["id"], taken)
            if slug:
                taken.add(slug)
                slugs[row["id"]] = slug
            else:
                rejected[row["id"]] = f"slug: {asked[row['id']]!r} is taken by another post: choose another slug"
        return slugs, rejected

    def _label(self, connection: Connection, table: str, name: str) -> Any:
        """The id of a category or author, added if the blog lets a name and a slug suffice; else None."""
        columns = self.labels[table]
        if "name" not in columns:
            return None
        found = sql.SQL("SELECT id FROM {} WHERE name = %s").format(sql.Identifier(table))
        if row := connection.execute(found, [name]).fetchone():
            return row["id"]
        values: dict[str, Any] = {"name": name, "slug": slugify(name)}
        if columns["id"].type == "uuid":
            values["id"] = uuid4()
        if any(c.owed and c.name not in values for c in columns.values()):
            return None
        values = {key: value for key, value in values.items() if key in columns}
        added = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        connection.execute(added, values)
        row = connection.execute(found, [name]).fetchone()  # another run may have been first
        if row is None and "slug" in columns:  # the same slug under another spelling: "Sea side" and "sea-side"
            same = sql.SQL("SELECT id FROM {} WHERE slug = %s").format(sql.Identifier(table))
            row = connection.execute(same, [values["slug"]]).fetchone()
        return row["id"] if row else None

    def _illustrate(
        self, connection: Connection, rows: Sequence[tuple[Row, UUID]], versions: dict[UUID, str]
    ) -> dict[int, str]:
        """Give existing posts, which are locked, their picture; nothing else of theirs is touched.

        A post that a person has edited since the prompt was claimed or approved is left alone: returns what to do
        about each of those prompts. `versions` is kept up.
        """
        conflicts: dict[int, str] = {}
        for row, post in rows:
            if not self._is_as_it_was(connection, post, row["post_version"], versions[post]):
                conflicts[row["id"]] = (
                    f"the post {post} was edited at {versions[post]} after this prompt was claimed: look at it, then "
                    f"`glad prompts approve {row['id']}` (sets the picture on the post as it is now) or "
                    f"`glad prompts reject {row['id']}`"
                )
                continue
            values = _picture(row)
            if row["taken_down_at"] and not row["post_id"]:  # we hid it, and a person had its prompt retried
                values["status"] = "published"
            versions[post] = self.write(connection, post, values, metadata=_metadata(row), version=versions[post])
        return conflicts

    @staticmethod
    def _is_as_it_was(connection: Connection, post: UUID, noted: str | None, now: str) -> bool:
        """Whether nobody but us has written the post since its version was noted (None: it was not there)."""
        if noted is None or noted == now:
            return True
        row = connection.execute(SQL["is_ours"], {"post": post, "noted": noted, "now": now}).fetchone()
        return bool(row and row["ours"])

    def write(
        self,
        connection: Connection,
        post: UUID,
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
        pairs = [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in fitting]
        if (metadata or without) and "metadata" in self.posts:
            changed = sql.SQL("metadata = (coalesce(metadata, '{{}}'::jsonb) || {}) - {}::text[]")
            pairs.append(changed.format(sql.Placeholder("more"), sql.Placeholder("less")))
        if not pairs:
            return version
        statement = sql.SQL(
            "UPDATE posts SET {} WHERE id = {} RETURNING coalesce(to_jsonb(posts) ->> 'updated_at', '') AS version"
        )
        bound = {**fitting, "more": Jsonb(dict(metadata or {})), "less": list(without), "post": post}
        row = connection.execute(statement.format(sql.SQL(", ").join(pairs), sql.Placeholder("post")), bound).fetchone()
        after = str(row["version"]) if row else version
        if version != after:
            connection.execute(SQL["note_our_write"], {"post": post, "before": version, "after": after})
        return after

    def _update_tasks(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Tell the tasks where their picture is. Their state belongs to the blog and is not touched."""
        for row in rows:
            told = {
                "s3_image_url": row["image_url"],
                "featured_image_url": row["image_url"],
                "featured_image_prompt": row["prompt"],
                "updated_at": datetime.now(UTC),
            }
            values = {name: value for name, value in told.items() if name in self.tasks}
            pairs = [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in values]
            statement = sql.SQL("UPDATE content_tasks SET {} WHERE task_id = {}").format(
                sql.SQL(", ").join(pairs), sql.Placeholder("task")
            )
            connection.execute(statement, {**values, "task": row["task_id"]})

    def clear_tasks(self, connection: Connection, tasks: Sequence[str], url: str) -> None:
        """In the caller's transaction: these tasks show the picture with this URL no more, nor say how it was made."""
        shown = [name for name in ("s3_image_url", "featured_image_url") if name in self.tasks]
        if not tasks or not shown:
            return
        pairs = [sql.SQL("{0} = nullif({0}, %(url)s)").format(sql.Identifier(name)) for name in shown]
        pairs += [sql.SQL("featured_image_prompt = NULL").format()] if "featured_image_prompt" in self.tasks else []
        which = sql.SQL(" OR ").join(sql.SQL("{} = %(url)s").format(sql.Identifier(name)) for name in shown)
        statement = sql.SQL("UPDATE content_tasks SET {} WHERE task_id = ANY(%(tasks)s) AND ({})")
        connection.execute(statement.format(sql.SQL(", ").join(pairs), which), {"url": url, "tasks": list(tasks)})

    def _fitting(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Only columns that exist; summaries for search engines cut to their width."""
        fitting = {name: value for name, value in values.items() if name in self.posts}
        for name in ("excerpt", "seo_title", "seo_description"):
            width = self.posts[name].width if name in self.posts else None
            if width and fitting.get(name):
                fitting[name] = fitting[name][:width]
        return fitting


# The columns of `posts` that we write where they exist.
FILLED = frozenset(
    {
        *("id", "title", "slug", "content", "excerpt", "status", "category_id", "author_id", "author"),
        *("seo_title", "seo_description", "task_id", "published_at", "created_at", "updated_at", "metadata"),
        *("featured_image_url", "image_file_size", "image_s3_key"),
    }
)


def title_of(row: Row) -> str:
    """The title it was given, or its prompt's first words."""
    if row["title"]:
        return str(row["title"])
    words = " ".join(str(row["prompt"]).split())
    short = words if len(words) <= 80 else words[:80].rsplit(" ", 1)[0] + "…"
    return short[:1].upper() + short[1:]


def _new_post(row: Row) -> dict[str, Any]:
    """The columns of a new post that its prompt alone decides."""
    return {
        **_picture(row),
        "title": title_of(row),
        "content": row["content"] or row["excerpt"] or row["prompt"],
        "excerpt": row["excerpt"],
        "status": "published",
        "author": row["author"],
        "seo_title": title_of(row),
        "seo_description": row["excerpt"],
        "task_id": row["task_id"],
        "published_at": row["publish_at"] or datetime.now(UTC),
        "created_at": datetime.now(UTC),
        "updated_at": datetime.now(UTC),
        "metadata": Jsonb(_metadata(row)),
    }


def _picture(row: Row) -> dict[str, Any]:
    return {
        "featured_image_url": row["image_url"],
        "image_file_size": row["image_bytes"],
        "image_s3_key": row["image_key"],
    }


def _metadata(row: Row) -> dict[str, Any]:
    known = {"featured_image_alt": row["alt_text"] or title_of(row), "pipeline_task_id": row["task_id"]}
    return {name: value for name, value in known.items() if value}


def _removed(row: Row) -> str | None:
    if row["image_removed_at"] is None:
        return None
    return blocked_because(row["image_removed_reason"], row["image_key"])


def _url_fault(url: str) -> str | None:
    if not url.startswith(("http://", "https://")) or len(url) > URL_CHARS:
        return f"the picture's URL must be http(s) and at most {URL_CHARS} characters, not {url[:80]!r} ({len(url)})"
    return None


def bad_urls(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Of the newest `limit` posts of ours, those whose picture URL a browser could not open."""
    return connection.execute(SQL["bad_urls"], {"limit": limit}).fetchall()
