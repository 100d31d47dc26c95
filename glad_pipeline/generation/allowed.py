"""Which models and LoRA a row may name: those that the settings name, and what GLAD_ALLOWED_MODELS adds.

Who may write rows may not have this machine fetch any repository, nor ask it which files it has: judged by the text
alone, before anything is looked for, so that a refusal is the same whether a file is there or not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from glad_pipeline.display import quoted
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import UsageError
from glad_pipeline.generation.models import PINNED

_ON_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w. ()+-]+)+(@[0-9a-f]{40})?")
_CURE = "is not what a row may name here: leave it out, or have GLAD_ALLOWED_MODELS allow it"


def allowed(
    options: EngineOptions, model: str | None, revision: str | None, lora: str | None
) -> tuple[str | None, str | None, str | None]:
    """A row's own model, revision and LoRA, with paths in their plain form.

    Raises `UsageError` for what a row may not name.
    """
    return _model(options, model, revision), revision, _loras(options, lora)


def _model(options: EngineOptions, given: str | None, revision: str | None) -> str | None:
    if given is None or given == options.model:
        pinned = PINNED.get(options.model, (None, None))[0]
        if revision in (None, options.model_revision, pinned) or _matches(options, f"{options.model}@{revision}"):
            return given
        raise UsageError(f"model_revision {quoted(revision or '')} {_CURE}")
    plain = plainly(given)
    if not _matches(options, f"{plain}@{revision}" if revision else plain):
        raise UsageError(f"model {quoted(given)} {_CURE}")
    return plain


def _loras(options: EngineOptions, given: str | None) -> str | None:
    if given is None:
        return None
    named = {source for text in (options.lora, options.few_step_lora) for source, _ in loras_of(text or "")}
    items = []
    for source, weight in loras_of(given):
        plain = source if source in named else plainly(source)
        if source not in named and not _matches(options, plain):
            raise UsageError(f"lora {quoted(source)} {_CURE}")
        items.append(plain + weight)
    return ", ".join(items) or given


def _matches(options: EngineOptions, text: str) -> bool:
    """Whether a pattern allows it: a path where it begins with /, else `demo`, a hub id, or id@commit."""
    if is_path(text):
        return any(fnmatchcase(text, pattern) for pattern in options.model_patterns if is_path(pattern))
    name = text.partition("@")[0]
    if name != "demo" and not _ON_THE_HUB.fullmatch(text):
        return False
    wanted = [pattern for pattern in options.model_patterns if not is_path(pattern)]
    return any(fnmatchcase(text if "@" in pattern else name, pattern) for pattern in wanted)


def is_path(text: str) -> bool:
    return text.startswith("/")


def plainly(text: str) -> str:
    """A path without `..` and doubled slashes, so that it is where it seems to be; other texts as they are."""
    return posixpath.normpath(text).replace("//", "/") if is_path(text) else text


def loras_of(text: str) -> Iterator[tuple[str, str]]:
    """Of a text such as GLAD_LORA's each LoRA: where it is, and its weight with the star before it, or nothing."""
    for item in filter(None, map(str.strip, text.split(","))):
        where, star, weight = item.rpartition("*")
        yield (where.strip(), star + weight) if star else (item, "")
