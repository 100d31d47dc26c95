"""Which renditions a picture gets: asked for by settings and by its row, as sizes, types and endings of keys.

A rendition is a smaller copy of a picture for browsers (WebP, AVIF) or for links in social networks (JPEG). All that
can be said of them without a picture is said here, so that settings, intake and audit know it; `media/renditions.py`
makes them. Pure: knows no Pillow and no store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Literal, cast, get_args

from glad_pipeline.display import quoted
from glad_pipeline.limits import RENDITION_WIDTH

Format = Literal["webp", "avif"]
Kind = Literal["webp", "avif", "social"]
FORMATS: tuple[Format, ...] = get_args(Format)
NATIVE = 0  # as a width: the picture's own
SOCIAL_SIZE = (1_200, 630)  # pixels; what Open Graph, X and the like show, 1.91 : 1
CONTENT_TYPES: dict[Kind, str] = {"webp": "image/webp", "avif": "image/avif", "social": "image/jpeg"}
# What a rendition's key has where its original's has `.png`, as a regular expression.
SUFFIX = r"-w[1-9][0-9]{0,4}\.(?:webp|avif)|-social(?:-[0-9]{1,3}-[0-9]{1,3})?\.jpg"

DEFAULT_FORMATS = "webp,avif"
DEFAULT_WIDTHS = "400,800,1200,native"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is made of every picture. The default is that of the settings."""

    widths: tuple[int, ...] = (400, 800, 1_200, NATIVE)  # pixels; one that is no smaller than a picture means NATIVE
    formats: tuple[Format, ...] = FORMATS
    social: bool = True  # a JPEG of SOCIAL_SIZE
    placeholder: bool = True  # a data URI of 16 pixels, to be shown while the picture loads

    def __bool__(self) -> bool:
        return bool(self.formats or self.social or self.placeholder)


NOTHING = Wanted(widths=(), formats=(), social=False, placeholder=False)


@dataclass(frozen=True, slots=True)
class Focus:
    """What a crop keeps: the point of the picture that is to be as near to the crop's centre as its edges allow."""

    x: float = 0.5  # 0: left edge, 1: right edge
    y: float = 0.5  # 0: top edge, 1: bottom edge

    @property
    def percent(self) -> tuple[int, int]:
        """The same in whole percents: crops go by these, so that a key that names them always has the same bytes."""
        return round(100 * self.x), round(100 * self.y)


CENTRE = Focus()
_ACROSS = {"left": 0.0, "": 0.5, "right": 1.0}
_DOWN = {"top": 0.0, "": 0.5, "bottom": 1.0}
_WORDS = {
    frozenset({down, across} - {""}): Focus(_ACROSS[across], _DOWN[down]) for down, across in product(_DOWN, _ACROSS)
}
# As the CHECK of `prompts.focus` has it (0015_renditions.sql): what one takes the other takes.
_PART = r"0?\.[0-9]{1,9}|0|1(?:\.0{1,9})?"
_POINT = re.compile(rf"\s*({_PART})\s*,\s*({_PART})\s*", re.ASCII)
_CENTRED = "centre|center|middle"
_BETWEEN = r"[\s,_-]+"
_PLACE = re.compile(
    rf"\s*(?:(top|bottom|{_CENTRED})(?:{_BETWEEN}(left|right|{_CENTRED}))?"
    rf"|(left|right|{_CENTRED})(?:{_BETWEEN}(top|bottom|{_CENTRED}))?)\s*",
    re.ASCII | re.IGNORECASE,
)
FOCUS = (  # what a row's `focus` may be, for messages
    "two numbers from 0 to 1, across and down, such as 0.5,0.3 (the centre is 0.5,0.5), or one of top left, top, "
    "top right, left, centre, right, bottom left, bottom, bottom right"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One rendition that a picture is to have."""

    kind: Kind
    width: int  # pixels
    height: int
    suffix: str  # of its key, where the original's has `.png`: `-w800.webp`, `-social.jpg`, `-social-50-30.jpg`

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.kind]


def planned(wanted: Wanted, *, width: int, height: int, focus: Focus = CENTRE) -> list[Planned]:
    """All renditions of a picture of this size (pixels, ≥ 1): the widest first, then the social one.

    None is wider than the picture, but for the social one. No two have one suffix.
    """
    widths = sorted({each if each != NATIVE and each < width else width for each in wanted.widths}, reverse=True)
    plans = [
        Planned(kind=kind, width=each, height=max(1, round(height * each / width)), suffix=f"-w{each}.{kind}")
        for each in widths
        for kind in wanted.formats
    ]
    if wanted.social:
        suffix = "-social.jpg" if focus.percent == CENTRE.percent else "-social-{}-{}.jpg".format(*focus.percent)
        plans.append(Planned(kind="social", width=SOCIAL_SIZE[0], height=SOCIAL_SIZE[1], suffix=suffix))
    return plans


def wanted_of(renditions: str, widths: str = DEFAULT_WIDTHS) -> Wanted:
    """What the settings ask for: `webp,avif` or `none`, and `400,800,1200,native`.

    Raises ValueError with the value and what it has to be. `none` is no rendition, no social picture, no placeholder.
    """
    for text, problem in ((renditions, problem_of_formats(renditions)), (widths, problem_of_widths(widths))):
        if problem:
            raise ValueError(f"{quoted(text)}: {problem}")
    formats = tuple(dict.fromkeys(_words(renditions)))
    if formats == ("none",):
        return NOTHING
    return Wanted(
        widths=tuple(dict.fromkeys(NATIVE if word == "native" else int(word) for word in _words(widths))),
        formats=cast("tuple[Format, ...]", formats),
    )


def problem_of_formats(text: str) -> str | None:
    """Why a text is no list of formats, without repeating it; None where it is one."""
    words = _words(text)
    if words == ["none"] or (words and set(words) <= set(FORMATS)):
        return None
    return f"it has to be one or more of {', '.join(FORMATS)}, separated by commas, or `none` alone"


def problem_of_widths(text: str) -> str | None:
    """Why a text is no list of widths, without repeating it; None where it is one."""
    words = _words(text)
    if words and all(word == "native" or (_is_number(word) and int(word) in RENDITION_WIDTH) for word in words):
        return None
    return (
        f"it has to be widths of {RENDITION_WIDTH} pixels, separated by commas, such as {DEFAULT_WIDTHS}; `native` is "
        "the picture's own width"
    )


def featured_of(text: str) -> tuple[Format, int] | None:
    """Format and width (NATIVE: the picture's own) of the rendition that posts show; None: the original.

    `original`, `webp-1200`, `avif-native`. Raises ValueError with what it has to be.
    """
    plain = text.strip().lower()
    if plain == "original":
        return None
    form, _, width = plain.partition("-")
    if form in FORMATS and (width == "native" or (_is_number(width) and int(width) in RENDITION_WIDTH)):
        return form, NATIVE if width == "native" else int(width)
    raise ValueError(
        f"it has to be `original`, or a rendition: {' or '.join(FORMATS)}, a hyphen, and a width of {RENDITION_WIDTH} "
        "pixels or `native`, such as webp-1200"
    )


def problem_of_featured(text: str, wanted: Wanted | None = None) -> str | None:
    """Why a text names nothing that posts can show, of what is made; without repeating it. None where it does."""
    try:
        named = featured_of(text)
    except ValueError as error:
        return str(error)
    if named is None or wanted is None or (named[0] in wanted.formats and named[1] in wanted.widths):
        return None
    return (
        "no such rendition is made: name one whose format is in GLAD_RENDITIONS and whose width is in "
        "GLAD_RENDITION_WIDTHS, or `original`"
    )


def parse_focus(text: str) -> Focus:
    """The point that `0.5,0.3`, `top left` or `centre` names. Raises ValueError with the value and the cure."""
    if point := _POINT.fullmatch(text):
        return Focus(float(point[1]), float(point[2]))
    place = _PLACE.fullmatch(text)
    if place is None:
        raise ValueError(f"focus {quoted(text)} must be {FOCUS}")
    return _WORDS[frozenset(word.lower() for word in place.groups() if word) - set(_CENTRED.split("|"))]


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",")]


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", word) is not None
