"""Prompts as the UNet reads them: text embeddings, each computed once and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glad_pipeline.generation.recipe import Recipe

if TYPE_CHECKING:
    import torch

KEPT = 512  # texts; SDXL's embeddings of one take 0.3 MB in bfloat16
Embedding = tuple["torch.Tensor", "torch.Tensor"]  # (77, width) and the pooled (width,)


class TextEmbeddings:
    """The embeddings of one pipeline's text encoders.

    Texts are encoded `batch` at a time, a short batch filled up: always the same size, so that a text has the same
    bits whatever it is encoded with, and a kept embedding is as good as a new one.
    """

    def __init__(self, pipeline: Any, *, batch: int) -> None:
        self._pipeline = pipeline
        self._batch = batch
        self._kept: OrderedDict[str, Embedding] = OrderedDict()
        self._lock = threading.RLock()  # a tokenizer is one thread's at a time

    def of(self, texts: Sequence[str]) -> Embedding:
        """Embeddings (texts, 77, width) and pooled (texts, width), on the pipeline's device."""
        import torch

        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
            for start in range(0, len(missing), self._batch):
                self._encode(missing[start : start + self._batch])
            found = []
            for text in texts:
                self._kept.move_to_end(text)
                found.append(self._kept[text])
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return torch.stack([each for each, _ in found]), torch.stack([pooled for _, pooled in found])

    def nothing(self, count: int) -> Embedding:
        """What guidance leads away from where a recipe names nothing: zeros for SDXL base, else the empty text's."""
        import torch

        if not self._pipeline.config.get("force_zeros_for_empty_prompt", True):
            return self.of([""] * count)
        one, pooled = self.of([""])
        return (
            torch.zeros_like(one).expand(count, *one.shape[1:]),
            torch.zeros_like(pooled).expand(count, *pooled.shape[1:]),
        )

    def arguments(self, recipes: Sequence[Recipe]) -> dict[str, torch.Tensor]:
        """The pipeline's arguments that carry prompts: each (batch, 77, width), pooled ones (batch, width)."""
        import torch

        hidden, pooled = self.of([recipe.prompt for recipe in recipes])
        embeddings = {"prompt_embeds": hidden, "pooled_prompt_embeds": pooled}
        if recipes[0].is_guided:
            negatives = [recipe.negative_prompt for recipe in recipes]
            if named := [text for text in negatives if text.strip()]:
                self.of(named)  # all that are new at once, and kept
            away = [self.of([text]) if text.strip() else self.nothing(1) for text in negatives]
            embeddings["negative_prompt_embeds"] = torch.cat([each for each, _ in away])
            embeddings["negative_pooled_prompt_embeds"] = torch.cat([pooled for _, pooled in away])
        return embeddings

    def dropped(self, text: str) -> int:
        """How many of a prompt's tokens CLIP never saw: it reads 77, start and end included."""
        tokenizer = self._pipeline.tokenizer
        with self._lock:
            return max(0, len(tokenizer(text, truncation=False).input_ids) - int(tokenizer.model_max_length))

    def _encode(self, texts: Sequence[str]) -> None:
        import torch

        padded = [*texts, *[texts[-1]] * (self._batch - len(texts))]
        with torch.inference_mode(False), torch.no_grad():
            each, _, pooled, _ = self._pipeline.encode_prompt(prompt=padded, do_classifier_free_guidance=False)
        for place, text in enumerate(texts):
            self._kept[text] = (each[place].clone(), pooled[place].clone())
