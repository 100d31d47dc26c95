"""What the blog's posts are called where they are not called as ours: the table, its columns, its states.

Pure: settings read it from `GLAD_POSTS_…`, the database's connections render it into SQL (`database/blog.py`), and
`publishing/` writes by it. Whether the blog has such a table and such columns is for `publishing/` to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

# The columns of `posts` that this product reads or writes where they exist, as it calls them.
COLUMNS = (
    *("id", "title", "slug", "content", "excerpt", "status", "category_id", "author_id", "author", "category"),
    *("seo_title", "seo_description", "task_id", "published_at", "created_at", "updated_at", "metadata"),
    *("featured_image_url", "cover_image_url", "image_file_size", "image_s3_key", "featured_image_data"),
    *("featured_image_alt", "image_alt", "alt_text", "cover_image_alt"),
)
STATES = ("published", "draft")  # of a post: what we publish is the one, what a takedown hides the other
LONGEST_NAME = 63  # bytes: PostgreSQL cuts longer ones
_NAME = r'"(?:[^"]|"")+"|[^".,=\s]+'


@dataclass(frozen=True, kw_only=True, slots=True)
class BlogNames:
    """The blog's own names; the default: as ours."""

    table: tuple[str, ...] = ("posts",)  # of the posts: the name, or schema and name
    columns: tuple[tuple[str, str], ...] = ()  # ours and theirs, of each column that has another name
    statuses: tuple[tuple[str, str], ...] = ()  # ours and theirs, of each value of `status` that is another

    @property
    def are_ours(self) -> bool:
        """Whether a blog that has no such table gets one: nobody has named another."""
        return self.table == ("posts",)

    def theirs(self, column: str) -> str:
        """What the blog calls a column of ours."""
        return dict(self.columns).get(column, column)

    def ours(self, column: str) -> str | None:
        """What we call a column of the blog's; None: another column has that name with us."""
        renamed = {theirs: ours for ours, theirs in self.columns}
        return renamed.get(column) or (None if column in dict(self.columns) else column)

    def __str__(self) -> str:
        return ".".join(self.table)


def blog_names(table: str | None, columns: str | None, statuses: str | None = None) -> BlogNames:
    """Those of the settings, which have been found right. None: the default."""
    return BlogNames(
        table=tuple(map(_plain, re.findall(_NAME, table))) if table else ("posts",),
        columns=tuple((ours, theirs) for ours, theirs in pairs_of(columns or "") if ours != theirs),
        statuses=tuple((ours, theirs) for ours, theirs in pairs_of(statuses or "") if ours != theirs),
    )


def pairs_of(text: str) -> list[tuple[str, str]]:
    """`ours=theirs,…` as pairs. A part without `=` has nothing for theirs."""
    parts = re.findall(r'((?:"(?:[^"]|"")*"|[^",])+)', text)
    halves = [part.partition("=") for part in parts if part.strip()]
    return [(ours.strip(), _plain(theirs.strip())) for ours, _, theirs in halves]


def problem_of_posts_table(text: str) -> str | None:
    """Why this cannot be a table's name, or None."""
    if not re.fullmatch(rf"(?:{_NAME})(?:\.(?:{_NAME}))?", text):
        return (
            "it has to be a table's name as the database has it, or schema.name: articles, blog.articles, "
            'or "my articles" for one with a space or a dot in it'
        )
    return _problem_of_names(map(_plain, re.findall(_NAME, text)))


def problem_of_posts_columns(text: str) -> str | None:
    """Why this is no list of `ours=theirs`, or None."""
    pairs = pairs_of(text)
    if not pairs or not all(theirs for _, theirs in pairs):
        return "it has to be pairs of ours=theirs, separated by commas, such as title=headline,content=body"
    for ours, _ in pairs:
        if ours not in COLUMNS:
            near = next(iter(get_close_matches(ours.lower(), COLUMNS, n=1)), "")
            return (
                f"{ours!r} is no column that this pipeline writes. {f'Is {near} meant? ' if near else ''}"
                f"The columns are {', '.join(COLUMNS)}"
            )
    if twice := _twice(ours for ours, _ in pairs):
        return f"{twice} is in it twice"
    named = dict(pairs)
    if twice := _twice(named.get(ours, ours) for ours in COLUMNS if ours in named or ours in named.values()):
        both = [ours for ours in COLUMNS if named.get(ours, ours) == twice]
        return (
            f"{' and '.join(both)} would be the same column {twice!r}. Where the blog's {twice!r} is something else "
            f"than ours, name what it has for ours too"
        )
    return _problem_of_names(named.values())


def problem_of_posts_status(text: str) -> str | None:
    """Why this is no list of the blog's states, or None."""
    pairs = pairs_of(text)
    if not pairs or not all(theirs for _, theirs in pairs):
        return "it has to be pairs of ours=theirs, separated by commas, such as published=live,draft=hidden"
    if unknown := next((ours for ours, _ in pairs if ours not in STATES), None):
        return f"{unknown!r} is no state that this pipeline gives a post: they are {' and '.join(STATES)}"
    if twice := _twice(ours for ours, _ in pairs):
        return f"{twice} is in it twice"
    named = {ours: dict(pairs).get(ours, ours) for ours in STATES}
    if twice := _twice(named.values()):
        return f"{' and '.join(STATES)} would be the same state {twice!r}: a hidden post has to be another"
    return _problem_of_names(named.values())


def _problem_of_names(names: Iterable[str]) -> str | None:
    for name in names:
        if not name.isprintable() or len(name.encode(errors="replace")) > LONGEST_NAME or set("%{}") & set(name):
            most = f"at most {LONGEST_NAME} bytes of visible characters, none of them %, {{ or }}"
            return f"{name[:80]!r} cannot be a name here: {most}"
    return None


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if len(name) > 2 and name[0] == name[-1] == '"' else name


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
