"""What the addresses on posts lead to: whether they are those of the settings, and whether visitors are given pictures.

The rest of the audit compares keys; a public address that has changed leaves all keys right and every picture dark.
Streams, as the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Literal, cast, get_args

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.operations.audit.report import Report
from glad_pipeline.pipeline.visit import problem_of_address
from glad_pipeline.publishing.blog_schema import look
from glad_pipeline.publishing.images import known_keys
from glad_pipeline.publishing.public_picture import DATA
from glad_pipeline.publishing.renditions import known_renditions
from glad_pipeline.settings.stores import PublicCheck
from glad_pipeline.storage.keys import STEM, is_rendition, key_in
from glad_pipeline.storage.protocol import ObjectStore
from glad_pipeline.urls import problem_of_web_address

SQL = named_queries(__package__, "addresses.sql")
Visits = Literal["all", "sample", "none"]
SAMPLE = 50  # posts
BASES = 100  # the most that are told apart
AT_ONCE = 16  # visits
TOGETHER = 200  # posts that are looked up, and visited, together
HOPELESS = 50  # addresses of one base that show no picture: no more of it are visited, each may take a minute

_BASES = {  # columns of posts, and what asks for the addresses in them
    "featured_image_url": "featured_bases",
    "cover_image_url": "cover_bases",
    DATA: "data_bases",
    "metadata": "metadata_bases",
}
_OF_JSON = ("data_bases", "metadata_bases")
_SHOWN = ("featured", "cover", "rendition")


def visits_of(text: str | None, public_check: PublicCheck) -> Visits:
    """What is to be visited; None: a sample, or nothing where no address is to be visited. Raises `UsageError`."""
    if text is None:
        return "none" if public_check == "off" else "sample"
    for known in get_args(Visits):
        if text == known:
            return cast("Visits", known)
    raise UsageError(f"urls {quoted(text)} is none of {', '.join(get_args(Visits))}")


def look_at_addresses(
    database: Database,
    store: ObjectStore,
    report: Report,
    *,
    visits: Visits = "sample",
    tell: Callable[[Report], None] = lambda report: None,
) -> None:
    """Add to the report the addresses of our pictures on posts that are not of this store, and those that show none.

    Args:
        store: says what precedes the keys. Where an object of it is gone, that is no fault of the address.
        visits: visit what all published posts show (picture, cover, one of the renditions for a page), or SAMPLE of
            them by lot, or nothing.
        tell: called with the report so far.
    """
    base = store.url("").rstrip("/")
    for other, count in bases(database).items():
        if other != base:
            cure = f"./glad urls rewrite --from {other} --to {base}"
            if problem_of_web_address(other) is not None:
                cure = "no web address, which nothing here rewrites: see what has written it"
            report.count("other_addresses", count, [f"{other or 'none at all'}: {count:,} ({cure})"])
    if visits == "none":
        return
    with _shown(database, visits) as shown, ThreadPoolExecutor(AT_ONCE) as visitors:
        _visit(shown, visitors, partial(_problem_of, database, store, base), report, tell)


def bases(database: Database) -> dict[str, int]:
    """What precedes the keys of our pictures in posts, and how many addresses that is; the most frequent first."""

    def work(connection: Connection) -> Counter[str]:
        posts = look(connection).posts
        found: Counter[str] = Counter()
        for name, query in _BASES.items():
            column = posts.columns.get(name) if posts else None
            if column is not None and column.may_select and (query not in _OF_JSON or column.type in ("json", "jsonb")):
                rows = connection.execute(SQL[query], {"limit": BASES, "stem": STEM})
                found.update({row["base"]: row["found"] for row in rows})
        return found

    return dict(database.read(work).most_common())


@contextmanager
def _shown(database: Database, visits: Visits) -> Iterator[Iterator[list[tuple[str, str]]]]:
    """Slugs of posts, each with an address of ours that it shows, some at a time."""

    def groups(connection: Connection) -> Iterator[list[tuple[str, str]]]:
        with connection.cursor(name="glad_addresses") as cursor:
            cursor.itersize = TOGETHER
            cursor.execute(SQL["all" if visits == "all" else "sample"], {"limit": SAMPLE})
            while rows := list(islice(cursor, TOGETHER)):
                urls = [(row["slug"], url) for row in rows for url in {row[name] for name in _SHOWN} if url]
                known = database.read(partial(known_keys, keys={key for _, url in urls if (key := key_in(url))}))
                yield [(slug, url) for slug, url in urls if key_in(url) in known]

    with database.connect(application_name="glad audit") as connection:
        connection.read_only = True
        connection.execute(SQL["no_idle_limit"])
        yield groups(connection)


def _visit(
    shown: Iterator[list[tuple[str, str]]],
    visitors: ThreadPoolExecutor,
    problem_of: Callable[[str], str | None],
    report: Report,
    tell: Callable[[Report], None],
) -> None:
    dark: Counter[str] = Counter()  # by base
    for group in shown:
        while group:
            some, group = group[:AT_ONCE], group[AT_ONCE:]  # noqa: PLW2901
            hopeless = [pair for pair in some if dark[_base(pair[1])] >= HOPELESS]
            report.add("unvisited", [f"post {slug!r} shows {url}" for slug, url in hopeless])
            some = [pair for pair in some if pair not in hopeless]
            problems = visitors.map(problem_of, [url for _, url in some])
            for (slug, url), problem in zip(some, problems, strict=True):
                report.visited += 1
                if problem is not None:
                    dark[_base(url)] += 1
                    report.add("dead_addresses", [f"post {slug!r} shows {url}: it {problem}"])
            tell(report)


def _problem_of(database: Database, store: ObjectStore, base: str, url: str) -> str | None:
    """A missing object that is recorded is found by its key."""
    problem = problem_of_address(url)
    key = url.removeprefix(f"{base}/")
    if problem is None or _base(url) != base or store.head(key) is not None:
        return problem
    is_recorded = not is_rendition(key) or database.read(partial(known_renditions, keys=[key]))
    return None if is_recorded else problem


def _base(url: str) -> str:
    return url.rpartition("/generated/")[0]
