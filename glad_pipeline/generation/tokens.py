"""Texts as CLIP reads them: tokens, in pieces of 75, each with its weight. Without torch.

Who only counts takes a `TokenCounter`; the engine's texts take the same pieces.
"""

from __future__ import annotations

import logging
import threading
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation import hub
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.limits import TEXT_PIECES
from glad_pipeline.weighted_text import Part, read_weights, reasons_against_weights

PIECE = 75  # tokens that CLIP reads at once, beside start and end
_FOLDERS = ("tokenizer", "tokenizer_2")


@dataclass(frozen=True, slots=True)
class Piece:
    """What a text encoder reads at once."""

    ids: tuple[int, ...] = ()  # at most PIECE tokens, without start and end
    weights: tuple[float, ...] = ()  # of each token; empty where all are 1


def pieces_of(tokenizer: Any, text: str, syntax: str) -> list[Piece]:
    """A text in pieces, at least one: after every PIECE tokens, and at every BREAK of the syntax, a new one begins."""
    sections = read_weights(text).sections if syntax == "a1111" else ((Part(text),),)
    pieces = []
    for section in sections:
        tokens = [(token, part.weight) for part in section for token in _ids(tokenizer, part.text)]
        for start in range(0, max(1, len(tokens)), PIECE):
            ids, weights = tuple(zip(*tokens[start : start + PIECE], strict=True)) or ((), ())
            pieces.append(Piece(ids, weights if any(weight != 1 for weight in weights) else ()))
    return pieces


def framed(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """The tokens of one piece as a text encoder takes them: start, tokens, end, and filled up."""
    filling = [tokenizer.pad_token_id] * (PIECE - len(ids))
    return [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *filling]


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False).input_ids  # it warns of long ones
    return ids


class TokenCounter:
    """How long texts are for one model. Its tokenizers are read when the first text needs them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._tokenizers: list[Any] = []
        self._lock = threading.Lock()  # a tokenizer is one thread's at a time

    def tokens(self, text: str, *, syntax: str = "plain") -> int:
        """How many tokens a text has, without start and end of its pieces.

        Raises `GladError`, as `pieces` does, where a tokenizer is damaged.
        """
        return max(self.by_encoder(text, syntax=syntax))

    def by_encoder(self, text: str, *, syntax: str = "plain") -> list[int]:
        """The same for each of the model's text encoders."""
        return [sum(len(piece.ids) for piece in pieces) for pieces in self._read(text, syntax)]

    def pieces(self, text: str, *, syntax: str = "plain") -> int:
        """How many pieces of 75 tokens a text takes, at least one."""
        if fits_surely(text, syntax):
            return 1
        return max(map(len, self._read(text, syntax)))

    def _read(self, text: str, syntax: str) -> list[list[Piece]]:
        with self._lock:
            if not self._tokenizers:
                self._tokenizers = [*map(_tokenizer, self._folders)]
            return [pieces_of(tokenizer, text, syntax) for tokenizer in self._tokenizers]


def _tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the library raises what its parsers raise
        raise GladError(
            f"the tokenizer in {folder} cannot be read ({type(error).__name__}): copy the checkpoint again, or have "
            "`./glad model pull` mend what is from the hub"
        ) from error


def fits_surely(text: str, syntax: str, *, pieces: int = 1) -> bool:
    """Whether a text fits into so many pieces whatever the vocabulary: no token is less than a byte in lower case."""
    read = unicodedata.normalize("NFC", text).lower().encode("utf-8", "surrogatepass")
    return len(read) <= PIECE * pieces and not (syntax == "a1111" and "BREAK" in text)


def counter_of(profile: ModelProfile, hash_cache: str | None = None, *, fetch: bool = True) -> TokenCounter:
    """What counts the tokens of a model's prompts; a hub's tokenizers, a few MB, are fetched if they are not here.

    Raises `GladError` where the tokenizers cannot be had.
    """
    model = profile.configuration or profile.artifacts[0]  # a single file has its tokenizers in its configuration
    folders = [model.directory / name for name in _FOLDERS]
    if fetch and not model.is_local and not all(map(_is_there, folders)):
        hub.fetch(
            model.source, model.revision, _of_tokenizers, FileHashes(hash_cache), logging.getLogger(__name__).info
        )
    if missing := [folder for folder in folders if not _is_there(folder)]:
        cure = "the checkpoint is incomplete, complete it" if model.is_local else "`./glad model pull` fetches it"
        raise GladError(f"{missing[0]} has no tokenizer: {cure}")
    return _counter(*folders)


@lru_cache(maxsize=8)
def _counter(*folders: Path) -> TokenCounter:
    return TokenCounter(folders)


def _of_tokenizers(names: Collection[str]) -> list[str]:
    return [name for name in names if name.split("/")[0] in _FOLDERS and name.endswith((".json", ".txt"))]


def _is_there(folder: Path) -> bool:
    return (folder / "tokenizer.json").is_file() or (folder / "vocab.json").is_file()


def pieces_to_draw(
    texts: Mapping[str, str],
    *,
    syntax: str,
    profile: ModelProfile,
    cut: bool = False,
    hash_cache: str | None = None,
    fetch: bool = True,
) -> int:
    """In how many pieces these texts, by column, are drawn together: those of the longest, or one if that is `cut`.

    Raises `UsageError` for a text that is too long or has impossible weights, `GladError` as `counter_of`.
    """
    most = 1
    for column, text in texts.items():
        if syntax == "a1111" and (reasons := reasons_against_weights(text)):
            raise UsageError("; ".join(f"{column} {reason}" for reason in reasons))
        if cut or fits_surely(text, syntax):
            continue
        counter = counter_of(profile, hash_cache, fetch=fetch)
        pieces = counter.pieces(text, syntax=syntax)
        if pieces not in TEXT_PIECES:
            raise UsageError(
                f"{column} has {counter.tokens(text, syntax=syntax):,} tokens, {pieces:,} pieces of {PIECE}: at most "
                f"{TEXT_PIECES.high} pieces are drawn. Shorten it"
            )
        most = max(most, pieces)
    return most
