"""Step 4: pictures through gate, spool, encoding, renditions and a folder for a store: is the GPU ever kept waiting?"""

from __future__ import annotations

import logging
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.first_light.model import configuration, profile_of, recipes
from benchmarks.first_light.place import Place
from benchmarks.first_light.runner import Case, Figures
from benchmarks.first_light.speed import opened
from glad_pipeline.generation.prefetch import prefetch
from glad_pipeline.media.encoding import contrast
from glad_pipeline.media.gates.blank import problem_of
from glad_pipeline.pipeline.delivery import Delivery
from glad_pipeline.pipeline.renditions import Rendering
from glad_pipeline.rendition_plan import Wanted
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.storage.spool import Spool

CASES = ("many-steps", "few-steps", "few-steps-without-renditions")
PICTURES = 128
DEFAULT = Rendering(wanted=Wanted())  # as the settings have it
AHEAD = 32  # as the asset `generated_images` has it


def cases(place: Place) -> Mapping[str, Case]:
    """All with one engine: as many steps as the preset `fast` has, and four without guidance."""
    config = configuration(shrunken=place.shrunken)
    engine = place.engine(profile_of(shrunken=place.shrunken))

    def through(steps: int, rendering: Rendering | None = DEFAULT, **changes: Any) -> Figures:
        opened(place, engine, config)
        list(engine.generate(recipes(engine.profile, range(place.batch), steps=2, **changes)))  # warm
        count = 4 * place.batch if place.shrunken else PICTURES
        wanted = recipes(engine.profile, range(5_000, 5_000 + count), steps=steps, **changes)
        with tempfile.TemporaryDirectory(dir=place.folder) as name:
            return delivered(place, engine, wanted, Path(name), rendering)

    few = partial(through, 4, guidance=0.0, preset="lightning-4")
    return {
        "many-steps": partial(through, place.steps[0]),
        "few-steps": few,
        "few-steps-without-renditions": partial(few, None),
    }


class FolderStore(S3Store):
    """A store in a folder: what an S3 server would have been sent is written."""

    folder: Path

    def put_once(self, key: str, body: bytes, **_: object) -> bool:
        file = self.folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        return True


def delivered(place: Place, engine: Any, wanted: list[Any], folder: Path, rendering: Rendering | None) -> Figures:
    """All of `wanted` through the very stages of a run, but for the queue."""
    store = FolderStore(bucket="a folder", region="")
    store.folder = folder / "store"
    spool = Spool(folder / "spool", limit=2 << 30)
    watch = Watch(place.device)
    delivery = Delivery(store, spool, run_id="first light", log=logging.getLogger(__name__), rendering=rendering)
    drawing = engine.generate(wanted, on_batch_start=lambda batch: delivery.before_drawing(lambda: None))
    pictures = prefetch(delivery.written_ahead(watch.over(drawing)), AHEAD, closing=delivery.drawing_is_over)
    stored, blank = [], 0
    with delivery, closing(pictures):
        for picture in pictures:
            assert picture.error is None, picture.error
            blank += bool(problem_of(contrast(picture.pixels)))  # random weights may well draw fog
            delivery.send(picture)
            stored += delivery.finished()
        stored += delivery.rest()
    watch.stop()
    assert len({each.key for each in stored}) == len(wanted)
    assert not spool.waiting()
    return {
        "pictures": len(wanted),
        "steps": wanted[0].num_inference_steps,
        "batch": place.batch,
        "would_be_rejected": blank,
        "renditions": sum(len(each.stored) for each in delivery.renditions.values()),
        "renditions_missing": next(filter(None, (each.problem for each in delivery.renditions.values())), ""),
        "megabytes": round(sum(each.bytes for each in stored) / 1e6, 1),
        "encode_seconds_a_picture": round(sum(each.encode_seconds for each in stored) / len(stored), 4),
        **watch.figures(place.batch),
    }


class Watch:
    """When pictures came, how long they took to draw, and how busy the GPU was between the first and the last."""

    def __init__(self, device: str) -> None:
        self.came: list[float] = []
        self.took: list[float] = []
        self._samples: list[tuple[float, float]] = []
        self._sampler: subprocess.Popen[str] | None = None
        if device == "cuda":
            command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
            self._sampler = subprocess.Popen([*command, "-i", "0"], stdout=subprocess.PIPE, text=True)
            threading.Thread(target=self._read, args=(self._sampler,), daemon=True).start()

    def _read(self, sampler: subprocess.Popen[str]) -> None:
        for line in sampler.stdout or ():
            self._samples.append((time.perf_counter(), float(line)))

    def over(self, pictures: Iterator[Any]) -> Iterator[Any]:
        for picture in pictures:
            self.came.append(time.perf_counter())
            self.took.append(picture.seconds)
            yield picture

    def stop(self) -> None:
        if self._sampler is not None:
            self._sampler.terminate()
            self._sampler.wait()

    def figures(self, batch: int) -> Figures:
        """From the end of the first batch to the last picture.

        `drawing_share`: of that time, what the engine was drawing by its own clock, which waits for the device.
        """
        began, ended = self.came[batch - 1], self.came[-1]
        busy = [percent for at, percent in self._samples if began < at < ended]
        return {
            "images_per_second": round((len(self.came) - batch) / (ended - began), 4),
            "drawing_share": round(sum(self.took[batch:]) / (ended - began), 4),
            "gpu_busy": round(sum(busy) / len(busy) / 100, 4) if busy else None,
            "gpu_busy_samples": len(busy),
        }
