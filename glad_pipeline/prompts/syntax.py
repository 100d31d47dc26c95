"""What in a prompt was written for another tool and is drawn here as the bare letters: said, never refused.

Pure. Intake, `glad prompts show` and the asset check say it; what is refused is in `validation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from glad_pipeline.display import quoted
from glad_pipeline.weighted_text import read_weights

_EMBEDDINGS = (  # negative embeddings that many negative prompts name without a file's ending
    "easynegative", "badhandv4", "bad-hands-5", "bad_prompt_version2", "ng_deepnegative_v1_75t", "negative_hand-neg",
    "verybadimagenegative_v1.3", "fastnegativev2", "unaestheticxl", "negativexl_d", "badx-neg", "bad_pictures",
)  # fmt: skip
_LORA = re.compile(r"<\s*(?:lora|lyco|hypernet)\s*:[^<>]*>", re.IGNORECASE)
_WILDCARD = re.compile(r"(?<!\w)__[^\W_][\w*/.-]{0,100}?__(?!\w)|\{[^{}|]*\|[^{}]*\}")  # also {one|other}
_EMBEDDING = re.compile(
    r"\bembedding:\s*[\w.-]+|(?<![\w/.-])[\w-]+(?:\.[\w-]+)*\.(?:pt|safetensors|ckpt|bin)\b|(?<![\w-])(?:"
    + "|".join(map(re.escape, _EMBEDDINGS))
    + r")(?![\w-])",
    re.IGNORECASE,
)
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_CHANGE = re.compile(rf"(?<!\\)\[(?:[^\[\]]*:\s*{_NUMBER}\s*|[^\[\]|]*\|[^\[\]]*)\]")  # [from:to:0.5], [one|other]
_WEIGHT = re.compile(
    rf"\([^()]*:\s*[+-]?{_NUMBER}\s*\)|\(\([^()]*\)\)|\[\[[^\[\]]*\]\]|\\[()\[\]]", re.DOTALL
)  # not (one bracket): prose has those
_BREAK = re.compile(r"\bBREAK\b")
_PLACEHOLDER = re.compile(r"\{prompt\}", re.IGNORECASE)  # of a styles.csv
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z_-]*(?!\S)", re.IGNORECASE)  # --ar 16:9

_FOUND = {  # kind: its pattern, and what is to be said of it
    "weight": (
        _WEIGHT,
        "is a weight elsewhere, and drawn as text here: set prompt_syntax to a1111, or remove it",
    ),
    "break": (_BREAK, "begins a new piece only with the prompt_syntax a1111: here it is a word of the text"),
    "change": (_CHANGE, "would change with the steps elsewhere, and does not here: write what is to be drawn"),
    "lora": (_LORA, "loads nothing, and its letters are drawn: name the LoRA in the column lora, and remove it"),
    "wildcard": (_WILDCARD, "is not replaced, and its letters are drawn: write what it stands for"),
    "placeholder": (
        _PLACEHOLDER,
        "is a style's place for a prompt, and its letters are drawn: write the prompt",
    ),
    "option": (_OPTION, "is another tool's option, and its letters are drawn: use a column, or remove it"),
    "embedding": (_EMBEDDING, "reads as an embedding's name: embeddings are not loaded, its letters are drawn"),
}
_READ_AS_A1111 = ("weight", "break")
# Without any of these, in small letters, a text has nothing to look for: a tenth of the time for most of a million rows
_HINTS = ("(", ")", "[", "]", "{", "<", "\\", "__", "--", "break", "embedding:", ".pt", ".safetensors", ".ckpt", ".bin",
          "bad", "neg", "unaesthetic")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that is drawn in another way than it seems to be meant."""

    kind: str  # "weight", "break", "change", "lora", "wildcard", "placeholder", "option", "embedding" or "bracket"
    text: str  # a sentence: which column, which place of it, what happens, what to do


def text_notices(prompt: str, negative_prompt: str = "", *, syntax: str = "plain") -> tuple[str, ...]:
    """What in these two texts is drawn in another way than it seems to be meant, one sentence for each kind.

    `syntax`: one of PROMPT_SYNTAXES, by which they are read.

    >>> text_notices("a (red:1.4) hat")
    ("prompt: '(red:1.4)' is a weight elsewhere, and drawn as text here: set prompt_syntax to a1111, or remove it",)
    """
    return tuple(notice.text for notice in notices(prompt, negative_prompt, syntax=syntax))


def notices(prompt: str, negative_prompt: str = "", *, syntax: str = "plain") -> tuple[Notice, ...]:
    """As `text_notices`, each with its kind, to be counted by."""
    texts = (("prompt", prompt), ("negative_prompt", negative_prompt))
    return tuple(notice for column, text in texts if _has_hint(text) for notice in _of_one(column, text, syntax))


def _has_hint(text: str) -> bool:
    return any(map(text.lower().__contains__, _HINTS))


def _of_one(column: str, text: str, syntax: str) -> Iterator[Notice]:
    for kind, (pattern, meaning) in _FOUND.items():
        if syntax == "a1111" and kind in _READ_AS_A1111:
            continue
        places = [match.group() for match in pattern.finditer(text)]
        if places:
            others = f" (and {len(places) - 1:,} more)" if len(places) > 1 else ""
            yield Notice(kind=kind, text=f"{column}: {quoted(places[0])}{others} {meaning}")
    if syntax == "a1111" and any(bracket in text for bracket in "()[]"):
        found = read_weights(text)
        if found.unclosed:
            few = f"{found.unclosed:,} brackets are" if found.unclosed > 1 else "a bracket is"
            yield Notice(kind="bracket", text=f"{column}: {few} never closed, and reach to the end of the text")
        if found.unopened:
            few = f"{found.unopened:,} brackets close" if found.unopened > 1 else "a bracket closes"
            yield Notice(kind="bracket", text=f"{column}: {few} nothing, and is read as text")
