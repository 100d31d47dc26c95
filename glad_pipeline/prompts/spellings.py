"""Values as people and other tools write them, made what the columns hold: `1024x768`, `-1`, `high`, `Euler a`, `7,5`.

Only what can mean one thing is understood; anything else is left as it is, for `validation` to refuse. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from glad_pipeline.display import quoted

SHAPES = {  # pixels: the sizes of about one megapixel that SDXL was trained on
    "square": (1_024, 1_024),
    "portrait": (832, 1_216),
    "landscape": (1_216, 832),
    "1:1": (1_024, 1_024),
    "4:3": (1_152, 896),
    "3:4": (896, 1_152),
    "3:2": (1_216, 832),
    "2:3": (832, 1_216),
    "16:9": (1_344, 768),
    "9:16": (768, 1_344),
    "21:9": (1_536, 640),
    "9:21": (640, 1_536),
}
SIZES = f"such as 1024x768 (width x height), or {', '.join(SHAPES)}"
PRIORITIES = {"high": 10, "normal": 0, "low": -10}
SAMPLERS = {  # without spaces, hyphens and the like
    "euler": "euler",
    "keuler": "euler",
    "eulerdiscretescheduler": "euler",
    "eulera": "euler_a",
    "keulera": "euler_a",
    "eulerancestral": "euler_a",
    "keulerancestral": "euler_a",
    "eulerancestraldiscretescheduler": "euler_a",
    "dpm++2m": "dpmpp_2m",
    "dpmpp2m": "dpmpp_2m",
    "kdpmpp2m": "dpmpp_2m",
    "ddim": "ddim",
    "ddimscheduler": "ddim",
    "unipc": "unipc",
    "unipcmultistepscheduler": "unipc",
    "lcm": "lcm",
    "lcmscheduler": "lcm",
}
_ANSWERS = {"wahr": "true", "ja": "true", "falsch": "false", "nein": "false"}  # as a German Excel saves them
_SIZE = re.compile(r"([0-9]{1,5})\s*(?:px\s*)?[x×*]\s*([0-9]{1,5})\s*(?:px)?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{1,3},[0-9]{1,2}")
_GERMAN_TIME = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:[ T]+([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?))?")


def understood(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields with `size` as width and height, and every value that is a known spelling as its column holds it."""
    changed: dict[str, Any] = {}
    for name, spelling in _SPELLINGS.items():
        value = fields.get(name)
        if value is None:
            continue
        plain = value.strip().lower() if isinstance(value, str) else value
        found = spelling(plain)
        if found is not plain:
            changed[name] = found
    if "size" not in fields and not changed:
        return fields
    result = {**fields, **changed}
    size = size_of(result.get("size"))
    if size and fault_of_size(result) is None:
        del result["size"]
        result["width"], result["height"] = size
    return {name: value for name, value in result.items() if value is not None}


def size_of(value: Any) -> tuple[int, int] | None:
    """Width and height; None for what is no size."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if found := _SIZE.fullmatch(text):
        return int(found[1]), int(found[2])
    return SHAPES.get(text)


def fault_of_size(fields: Mapping[str, Any]) -> str | None:
    """Why `size` cannot be understood, or contradicts the width or height beside it."""
    value = fields.get("size")
    if value is None:
        return None
    size = size_of(value)
    if size is None:
        return f"size {quoted(value)} must be {SIZES}"
    for name, pixels in zip(("width", "height"), size, strict=True):
        beside = fields.get(name)
        if beside is not None and str(beside).strip() != str(pixels):
            return f"size {quoted(value)} and {name} {quoted(beside)} are both given: leave one out"
    return None


def _seed(value: Any) -> Any:
    """None for a seed that the pipeline is to choose."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if value in ("", "-1", "-1.0", "random") or (is_number and value == -1) else value


def _priority(value: Any) -> Any:
    return None if value == "" else PRIORITIES.get(value, value) if isinstance(value, str) else value


def _scheduler(value: Any) -> Any:
    return SAMPLERS.get(re.sub(r"[\s_.-]+", "", value), value) if isinstance(value, str) else value


def _guidance_scale(value: Any) -> Any:
    return value.replace(",", ".") if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value) else value


def _yes_or_no(value: Any) -> Any:
    return _ANSWERS.get(value, value) if isinstance(value, str) else value


def _publish_at(value: Any) -> Any:
    found = _GERMAN_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    day, month, year, time = found.groups()
    return f"{year}-{month:0>2}-{day:0>2}" + (f"T{time:0>5}" if time else "")


_SPELLINGS: Mapping[str, Callable[[Any], Any]] = {
    "seed": _seed,
    "size": lambda value: None if value == "" else value,
    "priority": _priority,
    "scheduler": _scheduler,
    "guidance_scale": _guidance_scale,
    "needs_approval": _yes_or_no,
    "replace": _yes_or_no,
    "publish_at": _publish_at,
}
