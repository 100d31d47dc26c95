"""What a prompt may be: the rules for its columns.

Pure: knows no SQL and no file. The same rules judge a line of a file, the arguments of `glad prompts add`,
and a row that somebody inserted by plain SQL. Of the first two, `spellings` first makes what people write (`1024x768`,
`-1`, `high`) what the columns hold; a row holds it already.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache, partial
from typing import Any
from uuid import UUID

from glad_pipeline import limits
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import CHARS, PRESETS, PROMPT_SYNTAXES, PUBLISH, SCHEDULERS, SEED, SIDE, STEPS, Range
from glad_pipeline.prompts.spellings import PRIORITIES, fault_of_size, understood
from glad_pipeline.records import NewPrompt, PostId, PostIdKind
from glad_pipeline.rendition_plan import FOCUS, parse_focus
from glad_pipeline.weighted_text import reasons_against_weights

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAK = re.compile(r"[\n\t\u2028\u2029]")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REVISION = re.compile(r"[0-9a-f]{40}")
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}


class _Fault(Exception):
    """Why one value is refused; the text follows the field's name."""


def reasons_against(fields: Mapping[str, Any], *, ids: PostIdKind = "uuid") -> list[str]:
    """Why these fields cannot be a prompt: each reason names the field, its value and what is allowed.

    `fields` is a row of the `prompts` table, or what `spellings.understood` made of the cells of a file; other keys
    are ignored, `None` means absent; `ids` is what the ids of the blog's posts are. Empty when nothing is wrong.
    """
    return _read(fields, UTC, ids)[1]


def new_prompt(fields: Mapping[str, Any], *, zone: tzinfo = UTC, ids: PostIdKind = "uuid") -> NewPrompt:
    """The prompt that these fields, as people write them, ask for. Raises `UsageError` with every reason against it.

    `zone`: that of a time without one; `ids`: what the ids of the blog's posts are.
    """
    values, reasons = _read(understood(fields), zone, ids)
    if reasons:
        raise UsageError("; ".join(reasons))
    return NewPrompt(**values)


def _read(fields: Mapping[str, Any], zone: tzinfo, ids: PostIdKind) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    reasons: list[str] = []
    if fields.get("prompt") is None:
        reasons.append(f"prompt is missing: say what to draw, in 1 to {CHARS['prompt']:,} characters")
    for name, rule in _rules(zone, ids).items():
        value = fields.get(name)
        if value is None:
            continue
        try:
            values[name] = rule(value)
        except _Fault as fault:
            reasons.append(f"{name} {fault}")
    if wrong := fault_of_size(fields):
        reasons.append(wrong)
    if values.get("prompt_syntax") == "a1111":
        texts = [(name, values.get(name, "")) for name in ("prompt", "negative_prompt")]
        reasons += [f"{name} {reason}" for name, text in texts for reason in reasons_against_weights(text)]
    pixels = values.get("width", 0) * values.get("height", 0)
    if pixels > limits.MAX_PIXELS:
        reasons.append(f"width × height is {pixels:,} pixels: at most {limits.MAX_PIXELS:,}")
    return values, reasons


def is_blank(text: str) -> bool:
    """Whether nothing in it is visible: spaces, line breaks, zero-width and direction marks only."""
    return all(unicodedata.category(c) in {"Zs", "Zl", "Zp", "Cc", "Cf"} for c in text)


# ---- one rule per field: takes a value as found, returns it as stored, or raises _Fault


def _text(longest: int, *, blank: bool = True, one_line: bool = False, trim: bool = True) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str):
            raise _Fault(f"{quoted(value)} must be text, in quotes")
        text = value.replace("\r\n", "\n") if "\r" in value else value  # quoted line breaks of a CRLF file
        text = text.strip() if trim else text
        if found := _FORBIDDEN.search(text):
            raise _Fault(
                f"{quoted(text)} has {_character(found)}, which no text may hold: only line breaks and tabs may"
            )
        if not blank and is_blank(text):
            raise _Fault(f"{quoted(value)} is blank: 1 to {longest:,} visible characters, or leave it out")
        if len(text) > longest:
            raise _Fault(f"{quoted(text)} is too long: at most {longest:,} characters")
        if one_line and (found := _LINE_BREAK.search(text)):
            raise _Fault(f"{quoted(text)} has {_character(found)}: it must be one line")
        return text

    return rule


def _character(found: re.Match[str]) -> str:
    code = ord(found.group())
    name = {0: "a NUL character", 9: "a tab", 10: "a line break", 13: "a carriage return"}.get(code)
    kind = "half a surrogate pair" if 0xD800 <= code <= 0xDFFF else "the control character"
    return f"{name or f'{kind} U+{code:04X}'} at character {found.start() + 1:,}"


def _prompt(value: Any) -> str:
    text = _text(CHARS["prompt"])(value)
    if is_blank(text):
        raise _Fault(f"{quoted(value)} is blank: say what to draw, in 1 to {CHARS['prompt']:,} characters")
    return text


def _matching(pattern: re.Pattern[str], allowed: str, longest: int = CHARS["slug"]) -> Callable[[Any], str]:
    text_rule = _text(longest, one_line=True, trim=False)

    def rule(value: Any) -> str:
        text = text_rule(value)
        if not pattern.fullmatch(text):
            raise _Fault(f"{quoted(text)} must be {allowed}")
        return text

    return rule


def _task_id(value: Any) -> str:
    text = _text(CHARS["task_id"], blank=False, one_line=True, trim=False)(value)
    if text != text.strip():
        raise _Fault(f"{quoted(text)} has blanks around it: remove them")
    return text


def _idempotency_key(value: Any) -> str:
    text = _text(limits.KEY_BYTES, blank=False, one_line=True, trim=False)(value)
    if (size := len(text.encode())) > limits.KEY_BYTES:
        raise _Fault(f"{quoted(text)} has {size:,} bytes: at most {limits.KEY_BYTES:,}")
    return text


def _post_id(value: Any, ids: PostIdKind) -> PostId:
    if ids == "bigint":
        return _whole(limits.POST_NUMBER, ", such as 17: the id of a post")(value)
    if ids == "text":
        text = _text(limits.POST_ID_CHARS, blank=False, one_line=True, trim=False)(str(value))
        if text != text.strip():
            raise _Fault(f"{quoted(text)} has blanks around it: remove them")
        return text
    if isinstance(value, UUID):
        return value
    if not (isinstance(value, str) and _UUID.fullmatch(value.strip())):
        raise _Fault(f"{quoted(value)} must be a UUID such as 0b7d4f6e-3c1a-4f5e-9a55-0d6f3a1c2b4d")
    return UUID(value.strip())


def _whole(allowed: Range, also: str = "") -> Callable[[Any], int]:
    def rule(value: Any) -> int:
        number: int | None = None
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            number = int(value.strip().partition(".")[0])
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # pandas writes 512 as 512.0
            number = int(value)
        if number is None or number not in allowed:
            raise _Fault(f"{quoted(value)} must be a whole number from {allowed}{also}")
        return number

    return rule


def _guidance_scale(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**53
    is_numeral = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    number = float(value) if is_number or is_numeral else math.nan
    if number not in limits.GUIDANCE:
        raise _Fault(f"{quoted(value)} must be a number from {limits.GUIDANCE}")
    return number


def _one_of(allowed: Sequence[str]) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if value not in allowed:
            raise _Fault(f"{quoted(value)} must be one of {', '.join(allowed)}")
        return str(value)

    return rule


def _publish_at(value: Any, zone: tzinfo) -> datetime:
    """A time in UTC; one without a zone is taken as one of `zone`."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
        time = _of_zone(value, time, zone).astimezone(UTC)
        if time.year not in limits.PUBLISH_YEARS:
            raise ValueError
        return time
    except (ValueError, OverflowError, AttributeError, TypeError):
        raise _Fault(f"{quoted(value)} must be a time such as 2026-03-01T09:00:00+01:00 (ISO 8601)") from None


def _of_zone(value: Any, time: datetime, zone: tzinfo) -> datetime:
    """Refused where clocks are set forward or back: that hour is none, or two."""
    if time.tzinfo is not None:
        return time
    either = [time.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    if either[0].utcoffset() != either[1].utcoffset():
        raise _Fault(
            f"{quoted(value)} is no time of {zone}, or two: clocks are set forward or back then. Say which is meant: "
            f"{either[0].isoformat()} or {either[1].isoformat()}"
        )
    return either[0]


def _focus(value: Any) -> str:
    text = _text(limits.FOCUS_CHARS, blank=False, one_line=True)(value)
    try:
        parse_focus(text)
    except ValueError:
        raise _Fault(f"{quoted(text)} must be {FOCUS}") from None
    return text


def _source(value: Any) -> str:
    text = _text(CHARS["source"], one_line=True)(value)
    if text == "*":
        raise _Fault("'*' stands for all sources: take another name")
    return text


def source_name(text: str) -> str:
    """The name of a source, checked. Raises `UsageError`."""
    try:
        return _source(text)
    except _Fault as fault:
        raise UsageError(f"the source {fault}") from None


def _yes_or_no(value: Any) -> bool:
    answer = _WORDS.get(str(value).strip().lower()) if isinstance(value, (str, int)) else None
    if answer is None:
        raise _Fault(f"{quoted(value)} must be true or false (or yes, no, on, off, 1, 0)")
    return answer


def review_reason(text: str) -> str:
    """Why a person refused a picture, checked: 1 to REASON_CHARS visible characters."""
    try:
        return _text(limits.REASON_CHARS, blank=False)(text)
    except _Fault as fault:
        raise UsageError(f"the reason {fault}") from None


def _name(column: str) -> Callable[[Any], str]:
    return _text(CHARS[column], blank=False, one_line=True)


_RULES: Mapping[str, Callable[[Any], Any]] = {
    "prompt": _prompt,
    "negative_prompt": _text(CHARS["negative_prompt"]),
    "prompt_syntax": _one_of(PROMPT_SYNTAXES),
    "title": _name("title"),
    "slug": _matching(_SLUG, "lower-case letters a-z, digits and single hyphens, such as sunset-over-the-lake"),
    "excerpt": _text(CHARS["excerpt"]),
    "content": _text(CHARS["content"], trim=False),
    "category": _name("category"),
    "author": _name("author"),
    "alt_text": _text(CHARS["alt_text"]),
    "task_id": _task_id,
    "idempotency_key": _idempotency_key,
    "post_id": partial(_post_id, ids="uuid"),
    "seed": _whole(SEED, "; empty or -1 to have one chosen"),
    "width": _whole(SIDE),
    "height": _whole(SIDE),
    "num_inference_steps": _whole(STEPS),
    "guidance_scale": _guidance_scale,
    "scheduler": _one_of(SCHEDULERS),
    "preset": _one_of(PRESETS),
    "model": _name("model"),
    "model_revision": _matching(_REVISION, "a commit: 40 hex digits, lower case"),
    "lora": _name("lora"),
    "priority": _whole(limits.PRIORITY, f", or {', '.join(PRIORITIES)}"),
    "publish_at": partial(_publish_at, zone=UTC),
    "needs_approval": _yes_or_no,
    "publish": _one_of(PUBLISH),
    "focus": _focus,
    "source": _source,
    "replace": _yes_or_no,
}


@cache
def _rules(zone: tzinfo, ids: PostIdKind) -> Mapping[str, Callable[[Any], Any]]:
    """Those for the times of this zone, and for ids of posts of this kind."""
    return {**_RULES, "publish_at": partial(_publish_at, zone=zone), "post_id": partial(_post_id, ids=ids)}
