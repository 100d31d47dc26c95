"""What a stored PNG says about itself, in text chunks before its pixels, and how that is read from its first bytes.

`parameters` is for people and the usual tools (AUTOMATIC1111's form); `glad_recipe` and `glad_provenance` are exact,
in JSON. Knows no torch and no store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glad_pipeline import __version__
from glad_pipeline.media.encoding import PNG_SIGNATURE

RECIPE = "glad_recipe"
PROVENANCE = "glad_provenance"
SAMPLERS = {
    "euler": "Euler",
    "euler_a": "Euler a",
    "dpmpp_2m": "DPM++ 2M",
    "ddim": "DDIM",
    "unipc": "UniPC",
    "lcm": "LCM",
}
_NEGATIVE = re.compile(r"^([^\S\n]*)(?=Negative prompt:)", re.MULTILINE)
# What those tools would take for more than text, and how it is written so that they read the very tokens that were
# drawn: CLIP reads no upper case, and a space beside a mark is nothing to it.
_UNREAD = (
    (re.compile(r"[\\()\[\]]"), r"\\\g<0>"),  # a weight
    (re.compile(r"\b(?:BREAK|AND)\b"), lambda word: word.group().lower()),
    (re.compile(r"<(?=\w+:)"), "< "),  # <lora:…>
    (re.compile(r"(?<!\w)__(?=[^\W_])"), "__ "),  # a wildcard
    (re.compile(r"\bembedding:", re.IGNORECASE), "embedding :"),
)
_CHUNK_FRAME = 12  # bytes: length, kind, checksum
_LARGEST_TEXT = 1 << 20  # bytes; Pillow reads no larger one either


def texts_of(recipe: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, str]:
    """The text chunks of a picture with this recipe (`Recipe.as_dict`), the provenance first: no more is read for the
    catalogue."""
    return {
        PROVENANCE: json.dumps(provenance),
        RECIPE: json.dumps(recipe),
        "parameters": parameters(recipe, provenance),
        "Software": f"glad_pipeline {__version__}",
    }


def parameters(recipe: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """The recipe as AUTOMATIC1111's web UI writes it and ComfyUI, Civitai and others read it.

    Prompt, `Negative prompt: …` unless there is none, and last a line of settings; only that line is read as settings,
    whatever the prompt looks like. A line of the prompt that begins with "Negative prompt:" is kept apart from the
    real one by a zero-width space. Brackets that were drawn as text are escaped: those tools would weight by them.
    """
    prompt, negative = (_as_drawn(recipe[name], recipe) for name in ("prompt", "negative_prompt"))
    lines = [prompt, f"Negative prompt: {negative}"] if negative else [prompt]
    weights = provenance.get("weights")
    # of a single file the hash by which Civitai and others know it
    hashed = (weights.get("unet") or weights.get("checkpoint")) if isinstance(weights, Mapping) else None
    settings = {
        "Steps": recipe["num_inference_steps"],
        "Sampler": SAMPLERS.get(recipe["scheduler"], recipe["scheduler"]),
        "CFG scale": f"{recipe['guidance_scale']:g}",
        "Seed": recipe["seed"],
        "Size": f"{recipe['width']}x{recipe['height']}",
        "Model hash": str(hashed)[:10] if hashed else None,
        "Model": recipe["model"],
        "Preset": recipe["preset"] if recipe["preset"] != "base" else None,
        "VAE": recipe["vae"],
        "Refiner": recipe["refiner"],
        "Lora": recipe["lora"],
        "Version": f"glad_pipeline {__version__}",
    }
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in settings.items() if value or value == 0))
    return "\n".join(lines)


def _as_drawn(text: str, recipe: Mapping[str, Any]) -> str:
    """A prompt for tools that read weights in it."""
    if recipe.get("prompt_syntax", "plain") == "plain":
        for pattern, written in _UNREAD:
            text = pattern.sub(written, text)
    return _NEGATIVE.sub("\\1\u200b", text)


def _quoted(value: str) -> str:
    """As those tools quote: only what would end the value, and then as JSON."""
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ',:"\n') else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """The texts found in the first bytes of a PNG."""

    found: Mapping[str, str]
    needed: int  # bytes from the start that the next text ends at; 0: the pixels begin, there is no other


def read_texts(start: bytes) -> Texts:
    """The text chunks that are whole in the first bytes of a PNG, as far as its pixels.

    Never raises: what is no PNG, or is damaged, has no (more) texts.
    """
    found: dict[str, str] = {}
    place = len(PNG_SIGNATURE)
    if start[:place] != PNG_SIGNATURE[: len(start)]:
        return Texts(found=found, needed=0)
    while True:
        length, kind = int.from_bytes(start[place : place + 4]), start[place + 4 : place + 8]
        if len(start) < place + 8:
            return Texts(found=found, needed=place + 8)
        end = place + _CHUNK_FRAME + length
        if kind in (b"IDAT", b"IEND") or length > _LARGEST_TEXT:
            return Texts(found=found, needed=0)
        if len(start) < end:
            return Texts(found=found, needed=end)
        if text := _text_of(kind, start[place + 8 : end - 4]):
            found.setdefault(*text)
        place = end


def _text_of(kind: bytes, data: bytes) -> tuple[str, str] | None:
    """Keyword and text, of a kind that we write."""
    keyword, _, text = data.partition(b"\0")
    if kind == b"tEXt":
        return keyword.decode("latin-1"), text.decode("latin-1")
    if kind == b"iTXt" and text[:4] == b"\0\0\0\0":
        return keyword.decode("latin-1"), text[4:].decode(errors="replace")
    return None
