"""Which models and LoRA a row may name: those that the settings name, and what GLAD_ALLOWED_MODELS adds.

Who may write rows may not have this machine fetch any repository, nor ask it which files it has: judged by the text
alone, before anything is looked for, so that a refusal is the same whether a file is there or not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.generation.models import PINNED

_ON_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w. ()+-]+)+(@[0-9a-f]{40})?")
_CURE = "is not what a row may name here: leave it out, or have GLAD_ALLOWED_MODELS allow it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """What the settings name, and the patterns that they allow beside it."""

    model: str
    revision: str | None = None
    lora: str | None = None
    few_step_lora: str | None = None
    patterns: Sequence[str] = ()  # of a path where they begin with /, else of `demo`, a hub id, or id@commit

    def checked(
        self, model: str | None, revision: str | None, lora: str | None
    ) -> tuple[str | None, str | None, str | None]:
        """The same, with paths in their plain form. Raises `UsageError` for what a row may not name."""
        return self._model(model, revision), revision, self._loras(lora)

    def _model(self, given: str | None, revision: str | None) -> str | None:
        if given in (None, self.model):
            pinned = PINNED.get(self.model, (None, None))[0]
            if revision in (None, self.revision, pinned) or self._matches(f"{self.model}@{revision}"):
                return given
            raise UsageError(f"model_revision {quoted(revision or '')} {_CURE}")
        assert given is not None  # noqa: S101  or it were the settings'
        plain = plainly(given)
        if not self._matches(f"{plain}@{revision}" if revision else plain):
            raise UsageError(f"model {quoted(given)} {_CURE}")
        return plain

    def _loras(self, given: str | None) -> str | None:
        if given is None:
            return None
        named = {source for text in (self.lora, self.few_step_lora) for source, _ in loras_of(text or "")}
        items = []
        for source, weight in loras_of(given):
            plain = source if source in named else plainly(source)
            if source not in named and not self._matches(plain):
                raise UsageError(f"lora {quoted(source)} {_CURE}")
            items.append(plain + weight)
        return ", ".join(items) or given

    def _matches(self, text: str) -> bool:
        if is_path(text):
            return any(fnmatchcase(text, pattern) for pattern in self.patterns if is_path(pattern))
        name = text.partition("@")[0]
        if name != "demo" and not _ON_THE_HUB.fullmatch(text):
            return False
        wanted = [pattern for pattern in self.patterns if not is_path(pattern)]
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
