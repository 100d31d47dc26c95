"""Prompts as the UNet reads them: text embeddings, each computed once and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.generation.tokens import Piece, framed, pieces_of

if TYPE_CHECKING:
    import torch

KEPT = 512  # pieces; SDXL's embeddings of one take 0.3 MB in bfloat16
Ids = tuple[tuple[int, ...], ...]  # the tokens of one piece, by text encoder
Embedding = tuple["torch.Tensor", "torch.Tensor"]  # (77 × pieces, width) and the pooled (width,)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One piece, without its weights."""

    hidden: tuple[torch.Tensor, ...]  # by text encoder: (77, its width)
    pooled: torch.Tensor


class TextEmbeddings:
    """The embeddings of one pipeline's text encoders.

    A text is encoded in pieces of 75 tokens, as many as its recipe says: a shorter one is filled up with empty pieces,
    a longer one cut. Its pooled embedding is the first piece's. A weight multiplies the embedding of its tokens, and
    the mean is left as it comes out.

    Pieces are encoded `batch` at a time, a short batch filled up: always the same size, so that a piece has the same
    bits whatever it is encoded with, and a kept embedding is as good as a new one.
    """

    def __init__(self, pipeline: Any, *, batch: int) -> None:
        self._pipeline = pipeline
        self._batch = batch
        both = [("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")]  # a refiner has the second only
        self._readers = [
            (getattr(pipeline, tokenizer), getattr(pipeline, encoder))
            for tokenizer, encoder in both
            if getattr(pipeline, tokenizer) is not None
        ]
        self._kept: OrderedDict[Ids, _Encoded] = OrderedDict()
        self._lock = threading.RLock()  # a tokenizer is one thread's at a time

    def arguments(self, recipes: Sequence[Recipe]) -> dict[str, torch.Tensor]:
        """The pipeline's arguments that carry prompts: each (batch, 77 × pieces, width), pooled ones (batch, width)."""
        import torch

        is_guided = recipes[0].is_guided
        negatives = [recipe.negative_prompt for recipe in recipes] if is_guided else []
        with self._lock:
            pieces = [self._pieces(recipe.prompt, recipe) for recipe in recipes]
            against = [self._pieces(text, recipe) for text, recipe in zip(negatives, recipes, strict=False)]
            self._encode_new([*pieces, *against])
            found = [self._joined(each) for each in pieces]
            opposed = [
                self._joined(each) if text.strip() else self._nothing(each)
                for text, each in zip(negatives, against, strict=True)
            ]
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        embeddings = {
            "prompt_embeds": torch.stack([each for each, _ in found]),
            "pooled_prompt_embeds": torch.stack([pooled for _, pooled in found]),
        }
        if is_guided:
            embeddings["negative_prompt_embeds"] = torch.stack([each for each, _ in opposed])
            embeddings["negative_pooled_prompt_embeds"] = torch.stack([pooled for _, pooled in opposed])
        return embeddings

    def dropped(self, text: str, recipe: Recipe) -> int:
        """How many tokens of a text of this recipe CLIP never sees: those behind the recipe's pieces."""
        with self._lock:
            each = [pieces_of(tokenizer, text, recipe.prompt_syntax) for tokenizer, _ in self._readers]
        return max(sum(len(piece.ids) for piece in pieces[recipe.text_pieces :]) for pieces in each)

    def _pieces(self, text: str, recipe: Recipe) -> list[tuple[Piece, ...]]:
        """A text's pieces, as many as the recipe has, each as every text encoder reads it."""
        count = recipe.text_pieces
        by_reader = [pieces_of(tokenizer, text, recipe.prompt_syntax)[:count] for tokenizer, _ in self._readers]
        filled = [[*pieces, *[Piece()] * (count - len(pieces))] for pieces in by_reader]
        return list(zip(*filled, strict=True))

    def _nothing(self, pieces: list[tuple[Piece, ...]]) -> Embedding:
        """What guidance leads from where a recipe names nothing: zeros for SDXL base, else the empty text's."""
        import torch

        hidden, pooled = self._joined(pieces)
        if self._pipeline.config.get("force_zeros_for_empty_prompt", True):
            return torch.zeros_like(hidden), torch.zeros_like(pooled)
        return hidden, pooled

    def _joined(self, pieces: list[tuple[Piece, ...]]) -> Embedding:
        """The embedding of a whole text, its pieces one behind the other."""
        import torch

        whole = []
        for piece in pieces:
            kept = self._kept[_ids_of(piece)]
            self._kept.move_to_end(_ids_of(piece))
            weighted = map(_weighted, kept.hidden, piece)
            whole.append(torch.concat([*weighted], dim=-1))
        return torch.concat(whole), self._kept[_ids_of(pieces[0])].pooled

    def _encode_new(self, texts: Sequence[list[tuple[Piece, ...]]]) -> None:
        wanted = dict.fromkeys(_ids_of(piece) for text in texts for piece in text)
        new = [ids for ids in wanted if ids not in self._kept]
        for start in range(0, len(new), self._batch):
            self._encode(new[start : start + self._batch])

    def _encode(self, pieces: Sequence[Ids]) -> None:
        """As `StableDiffusionXLPipeline.encode_prompt` has it, which takes no tokens."""
        import torch

        padded = [*pieces, *[pieces[-1]] * (self._batch - len(pieces))]
        hidden = []
        with torch.inference_mode(False), torch.no_grad():
            for number, (tokenizer, encoder) in enumerate(self._readers):
                ids = torch.tensor([framed(tokenizer, piece[number]) for piece in padded], device=encoder.device)
                answer = encoder(ids, output_hidden_states=True)
                hidden.append(answer.hidden_states[-2])
            pooled = answer[0]  # the last encoder has a projection
        for place, piece in enumerate(pieces):
            own = tuple(each[place].clone() for each in hidden)
            self._kept[piece] = _Encoded(own, pooled[place].clone())


def _ids_of(piece: tuple[Piece, ...]) -> Ids:
    return tuple(each.ids for each in piece)


def _weighted(hidden: torch.Tensor, piece: Piece) -> torch.Tensor:
    """The embedding of each token times its weight; start, end and filling as they are."""
    if not piece.weights:
        return hidden
    import torch

    behind = hidden.shape[0] - 1 - len(piece.weights)
    weights = torch.tensor([1.0, *piece.weights, *[1.0] * behind], dtype=hidden.dtype, device=hidden.device)
    return hidden * weights[:, None]
