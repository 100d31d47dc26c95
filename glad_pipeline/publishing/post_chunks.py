"""All published posts in pieces that a sitemap takes, the oldest first: by year, and where many came out at once by
month, day, or part of a day. So a piece is changed by its own posts only, and no new post moves an old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from psycopg import sql

from glad_pipeline.database import named_queries
from glad_pipeline.publishing.conditions import as_bytes, first_of, where
from glad_pipeline.publishing.post_labels import shown
from glad_pipeline.publishing.post_reading import Asked, PostReading

SQL = named_queries(__package__, "post_chunks.sql")
MOST = 20_000  # posts of one chunk
UNDATED = "undated"  # posts without a date, or with one that is beyond these days
FIRST, LAST = "1000-01-01", "9999-01-01"
_NAME = re.compile(rf"(?:([0-9]{{4}})(?:-([0-9]{{2}})(?:-([0-9]{{2}}))?)?|{UNDATED})(?:\.([1-9][0-9]{{0,5}}))?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """One piece."""

    chunk: str  # its name
    posts: int


def days(reading: PostReading) -> bytes:
    """How many posts came out on each day (UTC)."""
    day = sql.SQL("({})::date").format(reading.date) if reading.date else sql.SQL("NULL::date")
    return as_bytes(sql.SQL(SQL["days"]).format(day=day, table=reading.schema.table, where=where(_public(reading))))


def chunks_of(found: Iterable[tuple[str | None, int]]) -> list[Chunk]:
    """The chunks for so many posts of each day."""
    by_day = {UNDATED: 0}
    for day, posts in found:
        name = day if day and _DAY.fullmatch(day) and FIRST <= day < LAST else UNDATED
        by_day[name] = by_day.get(name, 0) + posts
    undated = by_day.pop(UNDATED)
    return [*_parts(UNDATED, undated), *_within(dict(sorted(by_day.items())), 4)]


def _within(by_day: Mapping[str, int], length: int) -> Iterator[Chunk]:
    """Those of days in their order, named by so many characters of them: 4 a year, 7 a month, 10 a day."""
    for name, same in groupby(by_day, key=lambda day: day[:length]):
        some = {day: by_day[day] for day in same}
        if length < 10 and sum(some.values()) > MOST:
            yield from _within(some, length + 3)
        else:
            yield from _parts(name, sum(some.values()))


def _parts(name: str, posts: int) -> Iterator[Chunk]:
    """One chunk, or several of what came out on one day."""
    if posts <= MOST:
        yield from [Chunk(chunk=name, posts=posts)] if posts else []
        return
    for number in range(-(-posts // MOST)):
        yield Chunk(chunk=f"{name}.{number + 1}", posts=min(MOST, posts - number * MOST))


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What a chunk's name means."""

    start: str  # a day; "": the undated
    end: str  # the first day after it
    skip: int  # posts of that span which are in its parts before


def span_of(chunk: str) -> Span | None:
    """None: it is no chunk's name."""
    found = _NAME.fullmatch(chunk)
    if found is None:
        return None
    year, month, day, part = (int(each) if each else None for each in found.groups())
    skip = (part - 1) * MOST if part else 0
    if year is None:
        return Span(start="", end="", skip=skip)
    try:
        start = date(year, 1 if month is None else month, 1 if day is None else day)
    except ValueError:  # no such day
        return None
    if not FIRST <= start.isoformat() < LAST:
        return None
    end = start + timedelta(days=1 if day else 31 if month else 366)
    end = end if day else end.replace(day=1) if month else end.replace(month=1, day=1)
    return Span(start=start.isoformat(), end=end.isoformat(), skip=skip)


def chunk(reading: PostReading, *, undated: bool) -> bytes:
    """The posts from `start` to before `end`, or without a day of ours, after `skip` of them: one JSON text of all."""
    conditions, at = _public(reading), reading.date
    if at is not None:
        dated = sql.SQL("{at} >= {start}::{kind} AND {at} < {end}::{kind}").format(
            at=at,
            kind=sql.SQL(reading.date_type),
            start=sql.Literal(FIRST) if undated else sql.Placeholder("start"),
            end=sql.Literal(LAST) if undated else sql.Placeholder("end"),
        )
        conditions.append(sql.SQL("NOT ({})").format(dated) if undated else dated)
    elif not undated:
        conditions.append(sql.SQL("false"))
    dates = [name for name in ("updated_at", "published_at", "created_at") if name in reading.columns]
    changed = [shown(reading.columns[name], reading.own(name)) for name in dates]
    return as_bytes(
        sql.SQL(SQL["chunk"]).format(
            slug=reading.own("slug"), updated_at=first_of(changed) if changed else sql.SQL("NULL::timestamptz"),
            picture=reading.url, table=reading.schema.table, where=where(conditions), order=reading.order("ASC"),
            most=sql.Literal(MOST),
        )
    )  # fmt: skip


def _public(reading: PostReading) -> list[sql.Composable]:
    return reading.conditions(Asked())
