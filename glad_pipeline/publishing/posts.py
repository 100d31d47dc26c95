"""The blog's rows: a new post, an existing post's picture, or a task's picture, in the caller's one transaction.

The blog owns its tables and they differ from one version to the next: only the columns that a look has found
(`blog_schema`) are written, none wider than it is. Where the blog refuses one row, that prompt is rejected with the
reason and the others go on; where it would refuse any, `BlogRefused` ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.blame import together_or_alone
from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.diagnosis import require
from glad_pipeline.publishing import media_rows
from glad_pipeline.publishing.blog_errors import in_words
from glad_pipeline.publishing.blog_schema import BlogSchema, look
from glad_pipeline.publishing.labels import Labelled, labels_of
from glad_pipeline.publishing.post_columns import alt_text_of, metadata_of, new_post, picture_of, problem_of, title_of
from glad_pipeline.publishing.post_rows import PostRows
from glad_pipeline.publishing.public_picture import DATA, PublicPicture
from glad_pipeline.publishing.shown import ShownPictures
from glad_pipeline.publishing.slugs import MAX_LENGTH, free_slug, slugify, with_id
from glad_pipeline.publishing.tasks import Tasks, is_for_a_task
from glad_pipeline.records import DuePrompt, PostId, Replaced

SQL = named_queries(__package__, "posts.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPost:
    """What a prompt has become."""

    prompt_id: int
    post_id: PostId | None  # None: only a task was illustrated
    title: str
    image_url: str
    replaced: Replaced  # what its post showed before that was not ours


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What became of a group of prompts, by prompt id."""

    published: list[PublishedPost] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)  # refused, with the reason
    conflicts: dict[int, str] = field(default_factory=dict)  # of a person's making: not touched, and what to do
    unplaced: dict[int, list[str]] = field(default_factory=dict)  # published without what the blog has no place for

    @property
    def settled(self) -> int:
        """How many prompts these are."""
        return len(self.published) + len(self.rejected) + len(self.conflicts)

    def add(self, other: Outcomes) -> None:
        self.published.extend(other.published)
        self.rejected.update(other.rejected)
        self.conflicts.update(other.conflicts)
        self.unplaced.update(other.unplaced)


class Blog:
    """The blog's tables as they are in this database."""

    def __init__(self, connection: Connection, *, featured: str = "original") -> None:
        """`featured`: which of a picture's renditions posts show (GLAD_FEATURED)."""
        self.schema: BlogSchema = look(connection)
        self._featured = featured
        if self.schema.posts is None:
            require(self.schema.problems())
        self.rows = PostRows(self.schema)

    def publish(
        self,
        connection: Connection,
        due: Sequence[DuePrompt],
        *,
        then: Callable[[Outcomes], None] = lambda outcomes: None,
    ) -> Outcomes:
        """Write what these prompts become; the caller marks them in the same transaction.

        A prompt that the blog, or anything here, refuses is rejected alone. `then` belongs to it: what it raises too.
        Raises `GladError` where the blog's schema would refuse any.
        """
        require(self.schema.problems())
        outcomes = Outcomes()

        def work(some: Sequence[DuePrompt]) -> Outcomes:
            with in_words(self.schema):
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
        created, refused, unplaced = self._create(connection, new)
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
                    replaced=replaced.get(each.id, Replaced()),
                )
                for each in done
            ],
            rejected=rejected | refused,
            conflicts=conflicts,
            unplaced={
                **{i: [*self.schema.without_place(each), *unplaced[i]] for each in new if (i := each.id) in created},
                **{each.id: self.schema.picture_without_place(each) for each, _ in old if each.id in post_ids},
            },
        )

    @staticmethod
    def lock(connection: Connection, ids: Sequence[PostId]) -> dict[PostId, str]:
        """In the caller's transaction: lock these posts. The version of each there is: `updated_at` as text, or ""."""
        rows = connection.execute(SQL["lock_posts"], {"ids": list(ids)}) if ids else ()
        return {row["id"]: row["version"] for row in rows}

    def _create(
        self, connection: Connection, prompts: Sequence[DuePrompt]
    ) -> tuple[dict[int, PostId], dict[int, str], dict[int, list[str]]]:
        """Insert new posts. Returns their ids; for prompts whose slug cannot be had, why; and what has no place."""
        slugs, rejected = self._slugs(connection, prompts)
        labels = labels_of(connection, self.schema, [each for each in prompts if each.id not in rejected])
        accepted = [each for each in prompts if each.id not in rejected]
        rows = [self._new(each, slugs.get(each.id), labels[each.id]) for each in accepted]
        ids = dict(zip((each.id for each in accepted), self.rows.insert(connection, rows), strict=True))
        if self.schema.alt_text_in == "media":
            for each in accepted:
                self._describe(connection, each, ids[each.id])
        return ids, rejected, {i: found.unplaced for i, found in labels.items()}

    def _new(self, prompt: DuePrompt, slug: str | None, labelled: Labelled) -> dict[str, Any]:
        shown = self.shown(prompt)
        metadata = {**self._metadata(prompt, shown), **labelled.metadata}
        values = {**new_post(prompt, shown), **self._alt_text(prompt), **labelled.values}
        values |= {"slug": slug, "metadata": metadata}
        if not prompt.title and self.schema.writes("title"):
            values["title"] = values["title"][: self.schema.written["title"].width]
        return values

    def shown(self, prompt: DuePrompt) -> PublicPicture:
        """Its picture as a post of today shows it."""
        columns = (self.schema.written.get(name) for name in ("featured_image_url", "cover_image_url"))
        widths = [column.width for column in columns if column and column.width is not None]
        return PublicPicture.of(prompt, self._featured, longest=min(widths, default=None))

    def _metadata(self, prompt: DuePrompt, shown: PublicPicture) -> dict[str, Any]:
        if not self.schema.writes("metadata"):
            return {}
        data = None if self.schema.writes(DATA) else picture_of(prompt, shown).get(DATA)
        return metadata_of(prompt) | ({DATA: data} if data else {})

    def _alt_text(self, prompt: DuePrompt) -> dict[str, str]:
        place = self.schema.alt_text_in
        return {place: alt_text_of(prompt)} if place not in (None, "metadata", "media") else {}

    def _describe(self, connection: Connection, prompt: DuePrompt, post: PostId) -> None:
        text = alt_text_of(prompt)
        url = self.shown(prompt).url
        media_rows.say_what_is_shown(connection, self.schema, post, url=url, alt_text=text)

    def _slugs(self, connection: Connection, prompts: Sequence[DuePrompt]) -> tuple[dict[int, str], dict[int, str]]:
        """A free slug for each: the one it asks for, or one made from its title; none where the blog computes it."""
        if not self.schema.writes("slug"):
            return {}, {}
        width = self.schema.written["slug"].width
        asked = {
            each.id: each.slug or slugify(title_of(each), min(width or MAX_LENGTH, MAX_LENGTH)) for each in prompts
        }
        candidates = [*asked.values(), *(with_id(slug, i, width) for i, slug in asked.items())]
        taken = {row["slug"] for row in connection.execute(SQL["taken_slugs"], {"slugs": candidates})}
        slugs: dict[int, str] = {}
        rejected: dict[int, str] = {}
        for each in sorted(prompts, key=lambda each: not each.slug):  # those that ask for one come first
            slug = each.slug if each.slug not in taken else None
            if not each.slug:
                slug = free_slug(title_of(each), each.id, taken, width)
            if slug:
                taken.add(slug)
                slugs[each.id] = slug
            else:
                rejected[each.id] = f"slug: {asked[each.id]!r} is taken by another post: choose another slug"
        return slugs, rejected

    def _illustrate(
        self, connection: Connection, prompts: Sequence[tuple[DuePrompt, PostId]], versions: dict[PostId, str]
    ) -> tuple[dict[int, str], dict[int, Replaced]]:
        """Give existing posts, which are locked, their picture; nothing else of theirs is touched.

        A post that a person has edited since the prompt was claimed or approved, and one that shows a picture which is
        not ours, is left alone: returns what to do about each of those prompts, and what the others have replaced.
        `versions` is kept up.
        """
        conflicts: dict[int, str] = {}
        replaced: dict[int, Replaced] = {}
        shown = ShownPictures(connection, {post for _, post in prompts}, self.schema.alt_text_at)
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
            public = self.shown(each)
            values = {**picture_of(each, public), **self._alt_text(each)}
            if not public.data:
                values[DATA] = None  # that of the picture before
            if each.taken_down_at and each.post_id is None:  # we hid it, and a person had its prompt retried
                values["status"] = "published"
            versions[post] = self.write(
                connection,
                post,
                values,
                metadata=metadata_of(each),
                cover=public.social,
                version=versions[post],
            )
            if self.schema.alt_text_in == "media":
                self._describe(connection, each, post)
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
        cover: str | None = None,
        keep_time: bool = False,
        version: str,
    ) -> str:
        """In the caller's transaction: set columns of a post that `lock` has locked, those that there are.

        `metadata` is added to the post's own, `without` taken out; `cover`: the picture for social networks, where it
        is another one; `keep_time`: its time of change stays. Returns its new version; that it is ours and no person's
        is noted. Raises `BlogRefused`.
        """
        with in_words(self.schema):
            after = self.rows.update(
                connection, post, values, metadata=metadata or {}, without=without, cover=cover, keep_time=keep_time
            )
        if after is None:
            return version
        if version != after:
            connection.execute(SQL["note_our_write"], {"post": post, "before": version, "after": after})
        return after

    def forget_picture(self, connection: Connection, post: PostId) -> None:
        """In the caller's transaction: what the blog keeps of a picture of ours beside the post goes."""
        if self.schema.alt_text_in == "media":
            media_rows.forget(connection, self.schema, post)


def bad_urls(connection: Connection, *, limit: int) -> list[str]:
    """The slugs of those of the newest `limit` posts of ours whose picture URL a browser could not open."""
    return [row["slug"] for row in connection.execute(SQL["bad_urls"], {"limit": limit})]
