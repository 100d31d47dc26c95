"""`glad reproduce`: draw a published picture again from its record, and say what is the same and what is not.

Puts the rooms together as `demo` does: the catalogue or a PNG's own texts for the record, the store for the bytes,
the engine for the new picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation.artifact_sources import COMMIT
from glad_pipeline.generation.models import ModelProfile, resolve_model, said_beside
from glad_pipeline.generation.provenance import Comparison, compared, completed
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media.encoding import Pixels, decode_png, encode_png, pixels_sha256
from glad_pipeline.media.png_text import PROVENANCE, RECIPE, read_texts, texts_of
from glad_pipeline.publishing import images
from glad_pipeline.publishing.images import CataloguedImage
from glad_pipeline.settings import Settings
from glad_pipeline.storage.keys import PREFIX, key_in
from glad_pipeline.storage.protocol import ObjectStore

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn

QUERIES = named_queries(__package__, "reproduce.sql")
SHOWN_VALUE = 80  # characters of one value in the report
LARGEST_BUCKET = 256
LOADED = ("model", "model_revision", "vae", "refiner", "lora")  # Recipe.weights, by name


@dataclass(frozen=True, kw_only=True)
class Record:
    """A picture that was drawn once: how, and what became of it."""

    name: str  # for people: image 12, generated/ab/….png
    recipe: Recipe
    provenance: Mapping[str, Any]
    data: bytes  # the stored PNG
    sha256: str | None  # of `data`, as catalogued; None: a file, whose catalogue is not asked
    pixels_sha256: str | None  # None: drawn before it was recorded


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelDifference:
    """How far two pictures of one size are apart."""

    share: float  # of the pixels that differ in any colour, 0..1
    largest: int  # of one colour, 0..255
    mean: float  # over all colours of all pixels, 0..255
    psnr: float  # dB


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """The outcome of drawing a picture again."""

    record: Record
    bit_equal: bool
    difference: PixelDifference | None  # None: bit-equal, or of another size
    sizes: tuple[tuple[int, int], tuple[int, int]]  # (width, height) in pixels, stored and now
    contradictions: tuple[str, ...]  # where the record and the stored object disagree
    components: Comparison
    recipe: Recipe  # as drawn now
    pixels: Pixels  # as drawn now
    provenance: Mapping[str, Any]  # of the new picture

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the pixels."""
        return {
            "picture": self.record.name,
            "bit_equal": self.bit_equal,
            "difference": asdict(self.difference) if self.difference else None,
            "sizes": {"stored": list(self.sizes[0]), "now": list(self.sizes[1])},
            "contradictions": list(self.contradictions),
            "differing": [asdict(each) for each in self.components.differing],
            "not_recorded": list(self.components.not_recorded),
            "recipe": self.recipe.as_dict(),
            "provenance": dict(self.provenance),
        }

    def __str__(self) -> str:
        recipe = self.record.recipe
        lines = [
            f"picture     {self.record.name}",
            f"recipe      {recipe.model}, {recipe.width} × {recipe.height}, {recipe.num_inference_steps} steps, "
            f"{recipe.scheduler}, seed {recipe.seed}",
            *(f"record      DISAGREES with the stored file: {each}" for each in self.contradictions),
            f"result      {self._result()}",
        ]
        if self.components.differing:
            lines.append("components  these differ, recorded → now:")
            lines += [
                f"  {each.name}: {_shown(each.recorded)} → {_shown(each.now)}" for each in self.components.differing
            ]
        elif self.record.provenance:
            lines.append("components  as recorded")
        else:
            lines.append("components  nothing is recorded")
        if self.components.not_recorded and self.record.provenance:
            lines.append(f"            not in the record: {', '.join(self.components.not_recorded)}")
        return "\n".join(lines)

    def _result(self) -> str:
        (width, height), now = self.sizes
        if self.bit_equal:
            return f"bit-equal: all {width * height:,} pixels are the same"
        if self.difference is None:
            return f"differs: the stored picture has {width} × {height} pixels, the new one {now[0]} × {now[1]}"
        count = round(self.difference.share * width * height)
        return (
            f"differs: {count:,} of {width * height:,} pixels, by at most {self.difference.largest} and on average "
            f"{self.difference.mean:.3g} of 255; PSNR {self.difference.psnr:.1f} dB"
        )


def reproduce(record: Record, settings: Settings, *, model: str | None = None) -> Reproduction:
    """Draw the picture again here, in a bucket of the recorded size.

    `model`: a directory or hub id to draw with; None: the one that the record names, found through the settings.
    Where its revision or its parts are not the recorded ones, what is here draws, and the difference is reported.
    Raises `UsageError` where the model is not to be found, `GladError` where it cannot draw.
    """
    from glad_pipeline.generation.engine import Engine

    stored = _decoded(record)
    profile = _profile(record.recipe, settings, model)
    recipe = replace(record.recipe, **_named(profile.weights))
    batch = _bucket(record, settings)
    engine = Engine(profile, settings.engine.model_copy(update={"gpu_batch": batch, "gpu_small_batch": None}))
    (drawn,) = engine.generate([recipe])
    pixels = _pixels_of(drawn)
    now = json.loads(json.dumps(completed(drawn.provenance, pixels)))
    components = compared({**_named(record.recipe.weights), **record.provenance}, {**_named(recipe.weights), **now})
    equal = np.array_equal(stored, pixels)
    same_size = stored.shape == pixels.shape
    return Reproduction(
        record=record,
        bit_equal=equal,
        difference=_difference(stored, pixels) if same_size and not equal else None,
        sizes=((stored.shape[1], stored.shape[0]), (pixels.shape[1], pixels.shape[0])),
        contradictions=_contradictions(record, stored),
        components=components,
        recipe=recipe,
        pixels=pixels,
        provenance=now,
    )


def _bucket(record: Record, settings: Settings) -> int | None:
    """The recorded one where there is one: another may change a picture's last bits."""
    bucket = record.provenance.get("bucket")
    return bucket if isinstance(bucket, int) and 1 <= bucket <= LARGEST_BUCKET else settings.gpu_batch


def _named(weights: tuple[str, ...]) -> dict[str, Any]:
    """`Recipe.weights` by the names of the recipe's fields."""
    return dict(zip(LOADED, weights, strict=True))


def save(reproduction: Reproduction, file: Path) -> None:
    """The new picture as a PNG, with the texts that a stored one has."""
    text = texts_of(reproduction.recipe.as_dict(), reproduction.provenance)
    file.write_bytes(encode_png(reproduction.pixels, text=text))


def is_file(target: str) -> bool:
    """Whether this names a file here."""
    try:
        return Path(target).is_file()
    except (OSError, ValueError):  # too long, or not possible as a name
        return False


def record_of_file(file: Path) -> Record:
    """The record that a PNG of ours carries itself. Raises `UsageError` where it carries none."""
    data = file.read_bytes()
    texts = read_texts(data).found
    if RECIPE not in texts:
        raise UsageError(
            f"{file} carries no recipe (the text {RECIPE} of a PNG): it was not drawn by this pipeline, or a program "
            "has saved it anew. Name the post or the image instead"
        )
    try:
        recipe = Recipe.from_dict(json.loads(texts[RECIPE]))
        provenance = dict(json.loads(texts.get(PROVENANCE, "{}")))
    except (ValueError, TypeError, UsageError) as error:
        raise UsageError(f"the record in {file} cannot be read: {error}. Name the post or the image instead") from error
    return Record(
        name=str(file),
        recipe=recipe,
        provenance=provenance,
        data=data,
        sha256=None,
        pixels_sha256=provenance.get("pixels_sha256"),
    )


def record_of(target: str, database: Database, store: ObjectStore) -> Record:
    """The record of a catalogued picture and its bytes from the store.

    `target`: an `images.id`, an object's key, a picture's URL, or the id or slug of a post that shows it.
    Raises `UsageError`, which says what to do, where there is no such picture.
    """
    image = database.read(partial(_image, target))
    name = f"image {image.id}, {image.key}"
    data = store.fetch(image.key)
    if data is None:
        raise UsageError(
            f"{name} is in the catalogue but not in bucket {store.bucket!r}: restore it, or have its prompt worked "
            "again (`prompt_ids` in the launchpad)"
        )
    return Record(
        name=name,
        recipe=Recipe.from_dict(image.recipe),
        provenance=image.provenance,
        data=data,
        sha256=image.sha256,
        pixels_sha256=image.pixels_sha256,
    )


def _image(target: str, connection: Connection) -> CataloguedImage:
    """The picture that is meant."""
    if found := images.find(connection, target):
        return found
    if key := key_in(target.partition("?")[0]):
        raise UsageError(f"the catalogue has no picture {key}. If you have it as a file, name the file")
    look = target.isprintable() and has_posts(connection)
    post = connection.execute(QUERIES["picture_of_post"], {"post": target}).fetchone() if look else None
    if post is None:
        raise UsageError(
            f"there is no post, no image and no file {target!r}: give a post's id or slug, an image's id, key or URL "
            f"(they end with {PREFIX}ab/<32 hex digits>.png), or a PNG file. `./glad prompts list` shows the pictures"
        )
    url = post["featured_image_url"]
    if found := images.find(connection, url or ""):
        return found
    shows = f"shows {url!r}, which is not in the catalogue" if url else "has no picture"
    raise UsageError(f"the post {post['slug']!r} ({post['id']}) {shows}: nothing of ours to draw again")


def _profile(recipe: Recipe, settings: Settings, model: str | None) -> ModelProfile:
    """The model to draw with and all its parts, as recorded; what is local is found through the settings."""
    name = model or _model(recipe, settings)
    revision, configuration, prediction = said_beside(recipe.model_revision)
    is_recorded_commit = name == recipe.model and COMMIT.fullmatch(revision)
    ours = [text.strip() for text in (*(settings.lora or "").split(","), settings.few_step_lora or "")]
    lora_files = {Path(text.rpartition("*")[0] or text).expanduser().stem: text for text in ours}
    named = {
        "model": name,
        "model_revision": revision if is_recorded_commit else None,
        "checkpoint_config": _configuration(configuration, settings),
        "prediction": prediction,
        "vae": _part(recipe.vae, settings.vae, "GLAD_VAE") or "none",
        "refiner": _part(recipe.refiner, settings.refiner, "GLAD_REFINER") or None,
        "lora": ", ".join(_lora(each, lora_files) for each in recipe.lora.split(", ") if each),
        "preset": recipe.preset,
        "few_step_lora": "none",  # the record has it among the others
    }
    return resolve_model(settings.engine.model_copy(update=named))


def _model(recipe: Recipe, settings: Settings) -> str:
    """The model that a recipe names, as `resolve_model` takes it."""
    if COMMIT.fullmatch(said_beside(recipe.model_revision)[0]):
        return recipe.model
    ours = Path(settings.model).expanduser()
    if recipe.model == (ours.stem if ours.is_file() else ours.resolve().name):  # as `resolve_model` names them
        return settings.model
    if recipe.model == "demo":
        return "demo"
    raise UsageError(
        f"the picture was drawn with the local model {recipe.model!r} ({recipe.model_revision}), which is not the one "
        f"in the settings (GLAD_MODEL is {settings.model!r}): name its directory or file with --model"
    )


def _configuration(recorded: str | None, settings: Settings) -> str | None:
    """The configuration of a single-file model that a recipe names, as `resolve_model` takes it; None for SDXL's."""
    if recorded is None or COMMIT.fullmatch(recorded.rpartition("@")[2]):
        return recorded
    if settings.checkpoint_config:
        return settings.checkpoint_config
    raise UsageError(
        f"the picture was drawn with a local configuration ({recorded}): name its directory in GLAD_CHECKPOINT_CONFIG"
    )


def _part(recorded: str, setting: str | None, variable: str) -> str:
    """A VAE or refiner that a recipe names, as `resolve_model` takes it; empty for none."""
    name, _, revision = recorded.rpartition("@")
    if not recorded or COMMIT.fullmatch(revision):
        return recorded
    if setting and Path(setting).expanduser().resolve().name == name:
        return setting
    raise UsageError(f"the picture was drawn with the local part {recorded!r}: name its directory in {variable}")


def _lora(recorded: str, files: Mapping[str, str]) -> str:
    """A LoRA that a recipe names, as `resolve_model` takes it. `files`: those of the settings, by the file's stem."""
    identity, _, weight = recorded.rpartition("*")
    name, _, revision = identity.rpartition("@")
    if COMMIT.fullmatch(revision):
        return recorded
    if name in files:
        file = files[name]
        return f"{file.rpartition('*')[0] or file}*{weight}"
    raise UsageError(f"the picture was drawn with the local LoRA {recorded!r}: name its file in GLAD_LORA")


def _decoded(record: Record) -> Pixels:
    try:
        return decode_png(record.data)
    except ValueError as error:
        raise GladError(f"{record.name} holds {len(record.data):,} bytes that are {error}") from error


def _pixels_of(drawn: Drawn) -> Pixels:
    if drawn.pixels is None:
        raise GladError(f"the picture cannot be drawn here: {drawn.error}")
    return drawn.pixels


def _contradictions(record: Record, stored: Pixels) -> tuple[str, ...]:
    """Where the record and the stored file disagree: then it is the file, or the record, that has changed since."""
    said = (
        ("SHA-256 of the file", record.sha256, hashlib.sha256(record.data).hexdigest()),
        ("pixel hash", record.pixels_sha256, pixels_sha256(stored)),
        ("pixel hash in the provenance", record.provenance.get("pixels_sha256"), pixels_sha256(stored)),
    )
    return tuple(f"{what} {was} recorded, {found} found" for what, was, found in said if was not in (None, found))


def _difference(stored: Pixels, pixels: Pixels) -> PixelDifference:
    apart = np.abs(stored.astype(np.int16) - pixels)
    square = float(np.mean(np.square(apart, dtype=np.float64)))
    return PixelDifference(
        share=float(np.mean(apart.any(axis=2))),
        largest=int(apart.max()),
        mean=float(apart.mean()),
        psnr=float(10 * np.log10(255**2 / square)),
    )


def _shown(value: Any) -> str:
    if value in (None, ""):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value)
    return one_line(text, SHOWN_VALUE)
