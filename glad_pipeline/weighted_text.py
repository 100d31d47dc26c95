"""Prompts with attention weights, as AUTOMATIC1111's web UI documents them: from the text to its weighted parts.

`(more)` counts 1.1 times, `[less]` divided by 1.1, `(much:1.4)` 1.4 times. Brackets nest, `\\(` is a bracket of the
text, and `BREAK` begins a new piece. Pure. Intake judges texts by it, generation draws by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from glad_pipeline.display import quoted
from glad_pipeline.limits import TEXT_PIECES, TEXT_WEIGHT

MORE = 1.1
DEEPEST = 100  # brackets within brackets
_ITEM = re.compile(
    r"""\\[\\()\[\]]                                 # an escaped bracket or backslash
      | :\s*(?P<weight>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\)  # a weight, and the end of what it is about
      | (?P<bracket>[()\[\]])
      | [^\\()\[\]:]+ | .""",
    re.VERBOSE | re.DOTALL,
)
_BREAK = re.compile(r"\bBREAK\b")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text, and how much it counts."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightedText:
    """A text taken apart."""

    sections: tuple[tuple[Part, ...], ...]  # at least one; each but the first begins at a BREAK
    unclosed: int  # brackets that are never closed: they reach to the end of the text
    unopened: int  # brackets that close nothing: they are text
    too_deep: int  # brackets within DEEPEST others: they are text


def read_weights(text: str) -> WeightedText:
    """The weighted parts of a text. Any text has some: what is not of this syntax is text.

    >>> read_weights("a (red:1.4) hat").sections
    ((Part(text='a ', weight=1.0), Part(text='red', weight=1.4), Part(text=' hat', weight=1.0)),)
    """
    parts: list[tuple[str | None, float]] = []  # None: BREAK
    opened: dict[str, list[int]] = {"(": [], "[": []}  # where each bracket's text begins; the two kinds may overlap
    factors = {"(": MORE, "[": 1 / MORE}
    unopened = too_deep = 0

    def weigh(start: int, factor: float) -> None:
        parts[start:] = [(text, weight * factor) for text, weight in parts[start:]]

    for item in _ITEM.finditer(text):
        found, bracket = item.group(), item["bracket"]
        opening = {")": "(", "]": "["}.get(bracket or "", "")
        if bracket in opened and sum(map(len, opened.values())) < DEEPEST:
            opened[bracket].append(len(parts))
        elif item["weight"] and opened["("]:
            weigh(opened["("].pop(), float(item["weight"]))
        elif opening and opened[opening]:
            weigh(opened[opening].pop(), factors[opening])
        elif found[0] == "\\" and len(found) == 2:
            parts.append((found[1], 1.0))
        else:
            unopened += bool(opening or item["weight"])
            too_deep += bracket in opened
            first, *others = _sections_of(found)
            parts += [(first, 1.0), *(each for other in others for each in ((None, 1.0), (other, 1.0)))]
    unclosed = sum(map(len, opened.values()))
    for bracket, starts in opened.items():
        for start in starts:
            weigh(start, factors[bracket])
    return WeightedText(sections=_sections(parts), unclosed=unclosed, unopened=unopened, too_deep=too_deep)


def is_plain(text: str) -> bool:
    """Whether a text is read as any other is, letter by letter: nothing weighted or escaped, no BREAK."""
    return read_weights(text).sections == ((Part(text),) if text else (),)


def _sections_of(text: str) -> list[str]:
    """What is between the BREAKs of a text, without the spaces beside them."""
    texts = _BREAK.split(text)
    texts[1:] = [each.lstrip() for each in texts[1:]]
    texts[:-1] = [each.rstrip() for each in texts[:-1]]
    return texts


def _sections(parts: list[tuple[str | None, float]]) -> tuple[tuple[Part, ...], ...]:
    """Neighbours of one weight are one part, so that brackets alone divide no word."""
    sections: list[list[Part]] = [[]]
    for part, neighbours in groupby(parts, key=lambda part: (part[0] is None, part[1])):
        is_break, weight = part
        texts = [text for text, _ in neighbours]
        if is_break:
            sections += [[] for _ in texts]
        elif joined := "".join(filter(None, texts)):
            sections[-1].append(Part(joined, weight))
    return tuple(map(tuple, sections))


def reasons_against_weights(text: str) -> list[str]:
    """Why a text with weights cannot be drawn, in words that follow its column's name; empty if it can."""
    found = read_weights(text)
    reasons = [
        f"gives {quoted(part.text)} the weight {part.weight:g}: weights are from {TEXT_WEIGHT}"
        for section in found.sections
        for part in section
        if part.weight not in TEXT_WEIGHT
    ][:1]
    if found.too_deep:
        reasons.append(f"has brackets within more than {DEEPEST} others: remove some")
    if len(found.sections) > TEXT_PIECES.high:
        reasons.append(f"has {len(found.sections) - 1:,} BREAKs: at most {TEXT_PIECES.high - 1}")
    return reasons
