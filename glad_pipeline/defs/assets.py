"""The lineage graph: prompts → generated_images → s3_objects → published_posts (→ site_revalidations, in telling.py).

Each asset takes what is ready for it, says which stage does the work, and reports. Run alone, twice, or after
a crash, it picks up where the rows and the bucket say that work stopped.
"""

import logging
import re
import time
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from glad_pipeline.blame import one_row, together_or_alone
from glad_pipeline.database import Connection
from glad_pipeline.defs.delivery import Delivery, name_of
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.io_managers import PictureStream, Placed, frame
from glad_pipeline.defs.resources import (
    ObjectStoreResource,
    PostgresResource,
    QueueResource,
    Row,
    SdxlResource,
)
from glad_pipeline.errors import GladError
from glad_pipeline.generation.ahead import ahead
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.originals import entry_of, object_fault
from glad_pipeline.publishing import bars, catalogue, outbox
from glad_pipeline.publishing.catalogue import CatalogueEntry
from glad_pipeline.publishing.posts import Blog, Outcomes, title_of
from glad_pipeline.publishing.quality import fault_of
from glad_pipeline.redaction import redact
from glad_pipeline.storage.keys import original_key, thumbnail_key
from glad_pipeline.storage.s3 import StoreError

if TYPE_CHECKING:
    from glad_pipeline.generation.encoding import Pixels
    from glad_pipeline.generation.engine import Drawn

GROUP = "illustrated_posts"  # one group: the UI shows the whole graph at once
OWNERS = ["team:blog"]
ROWS_PER_TRANSACTION = 500
POSTS_PER_TRANSACTION = 100
SHOWN = 20  # rows in a preview
DRAWN_AHEAD = 32  # pictures that wait for the gate at most: a whole bucket, so that the GPU begins the next at once
TELL_EVERY = 5.0  # seconds between lines about drawing: each is a row of Dagster's event log
# pandas is imported where it is used: the code location loads half a second sooner without it
PromptsFrame = dg.DagsterType(
    name="PromptsFrame",
    description="A pandas DataFrame, one row per claimed prompt, with the columns of the table `prompts`.",
    type_check_fn=lambda _, value: type(value).__name__ == "DataFrame",
)
Pictures = dg.DagsterType(
    name="Pictures",
    description="Written as a stream of drawn pictures, read as the objects that the store holds for this run.",
    type_check_fn=lambda _, value: isinstance(value, (PictureStream, list)),
)


class PromptsConfig(dg.Config):
    """Empty: whatever is pending. Named ids are worked again even if they had been published."""

    prompt_ids: list[int] = Field(
        default=[], description="Only these prompts, also published, failed or cancelled ones."
    )
    batch_size: int | None = Field(
        default=None, ge=1, le=100_000, description="Most prompts to claim; absent: GLAD_BATCH_SIZE."
    )


@dg.asset(
    group_name=GROUP,
    kinds={"postgres", "pandas"},
    owners=OWNERS,
    io_manager_key="queue_rows",
    dagster_type=PromptsFrame,
)
def prompts(
    context: dg.AssetExecutionContext, config: PromptsConfig, queue: QueueResource, object_store: ObjectStoreResource
) -> Any:
    """The prompts this run has claimed from the table `prompts`, the most urgent and then the oldest first.

    A row that can never be drawn (empty, too long, an impossible size) is rejected here with the reason.
    Materialized alone it only looks: the claim ends with the run.
    """
    with clearly(queue.explain):
        queue.hold  # noqa: B018  the run's sign of life comes first: what follows may wait for the store
        object_store.refuse_anothers()
        rows = queue.claim(batch=config.batch_size, ids=config.prompt_ids)
    context.add_output_metadata(
        {"claimed": len(rows), "waiting": _table(rows, ("id", "prompt", "title", "priority", "attempts"))}
    )
    return frame(rows)


@dg.asset(
    group_name=GROUP,
    kinds={"diffusers", "torch", "s3"},
    owners=OWNERS,
    io_manager_key="image_store",
    pool="gpu",
    ins={"prompts": dg.AssetIn(dagster_type=PromptsFrame, input_manager_key="queue_rows")},
    dagster_type=Pictures,
)
def generated_images(
    context: dg.AssetExecutionContext,
    prompts: Any,
    sdxl: SdxlResource,
    queue: QueueResource,
    object_store: ObjectStoreResource,
) -> Any:
    """One PNG per claimed prompt, drawn by SDXL and streamed to the object store while the GPU works.

    A picture that is in the store already is not drawn again; a blank one rejects its prompt, a failed one
    costs its prompt an attempt, and the others go on.
    """
    with clearly(queue.explain):
        delivery = Delivery(object_store.unchecked, object_store.spool, run_id=context.run_id, log=context.log)
        _open(object_store, delivery)
        by_recipe = _by_recipe(prompts.to_dict("records"), sdxl, queue)
        _discard_barred(object_store, queue)
        rejected = _leftovers(delivery, by_recipe, queue)
        existing = _existing(by_recipe, object_store)
    missing = [recipe for recipe in by_recipe if recipe.hash not in existing | rejected]
    context.log.info("%s prompts: %s to draw, %s already stored", len(prompts), len(missing), len(existing))
    report: dict[str, Any] = {
        "prompts": len(prompts),
        "already_stored": len(existing),
        "to_draw": len(missing),
        "model": ", ".join(sorted({recipe.model for recipe in by_recipe})),
        "model_revision": ", ".join(sorted({recipe.model_revision for recipe in by_recipe})),
        "rejected": sum(len(by_recipe[recipe]) for recipe in by_recipe if recipe.hash in rejected),
        "failed": 0,
    }

    def begun(bucket: Sequence[Recipe]) -> None:  # called on the thread that draws
        ids = [prompt_id for recipe in bucket for prompt_id in by_recipe[recipe]]
        delivery.before_drawing(partial(queue.hold.begin_drawing, ids))

    drawn = ahead(
        delivery.written_ahead(sdxl.generate(missing, begun=begun)),
        max(DRAWN_AHEAD, sdxl.gpu_batch or 0),
        closing=delivery.drawing_is_over,
    )
    pictures = _fit_to_store(drawn, by_recipe, queue, delivery, report=report, log=context.log)

    def refuse(recipe: Recipe, reason: str) -> None:
        queue.hold.fail(dict.fromkeys(by_recipe[recipe], reason))
        report["failed"] += len(by_recipe[recipe])

    return PictureStream(pictures=pictures, delivery=delivery, refuse=refuse, report=report)


def _open(object_store: ObjectStoreResource, delivery: Delivery) -> None:
    """From here on the store is written to: it has to be this database's. Raises `GladError`."""
    try:
        object_store.store  # noqa: B018
    except StoreError as error:
        raise delivery.explained(error) from error


def _by_recipe(rows: Sequence[Row], sdxl: SdxlResource, queue: QueueResource) -> dict[Recipe, list[int]]:
    """The prompt ids behind each recipe; prompts that cannot have one are rejected."""
    by_recipe: dict[Recipe, list[int]] = {}
    refused: dict[int, str] = {}
    for row in rows:
        with one_row(partial(refused.__setitem__, row["id"])):
            by_recipe.setdefault(sdxl.recipe(row), []).append(row["id"])
    queue.hold.reject(refused)
    return _without_barred(by_recipe, queue)


def _without_barred(by_recipe: dict[Recipe, list[int]], queue: QueueResource) -> dict[Recipe, list[int]]:
    """Pictures that were taken down are not drawn: their prompts are rejected."""
    database = queue.postgres.database
    if not database.read(lambda connection: bars.barred(connection, [recipe.hash for recipe in by_recipe])):
        return by_recipe
    reasons = database.transact("takedown", partial(bars.turn_away, keys=_keys(by_recipe)))
    dg.get_dagster_logger().warning(
        "%s pictures were taken down and are not drawn: their prompts are rejected", len(reasons)
    )
    queue.hold.reject(
        {i: reasons[recipe.hash] for recipe, ids in by_recipe.items() if recipe.hash in reasons for i in ids}
    )
    return {recipe: ids for recipe, ids in by_recipe.items() if recipe.hash not in reasons}


def _keys(recipes: Iterable[Recipe]) -> dict[str, tuple[str, str]]:
    """Recipe hash → keys of original and thumbnail."""
    return {recipe.hash: (original_key(recipe.hash), thumbnail_key(recipe.hash)) for recipe in recipes}


def _discard_barred(object_store: ObjectStoreResource, queue: QueueResource) -> None:
    """What was taken down while it waited in the spool is not delivered."""
    with suppress(OSError):  # `_leftovers` says what is wrong with the folder
        if names := object_store.spool.waiting():
            for name in queue.postgres.database.read(partial(bars.barred_beginnings, names=names)):
                object_store.spool.remove(name)


def _leftovers(delivery: Delivery, by_recipe: Mapping[Recipe, list[int]], queue: QueueResource) -> set[str]:
    """Deliver what earlier runs have left in the spool; the hashes of recipes whose picture did not pass the gate."""
    faults = delivery.leftovers(_fault_of_pixels)
    rejected = {recipe: faults[name_of(recipe)] for recipe in by_recipe if name_of(recipe) in faults}
    queue.hold.reject({prompt_id: fault for recipe, fault in rejected.items() for prompt_id in by_recipe[recipe]})
    for name in faults:
        delivery.discard(name)
    return {recipe.hash for recipe in rejected}


def _fault_of_pixels(pixels: "Pixels") -> str | None:
    from glad_pipeline.generation.encoding import contrast

    return fault_of(contrast(pixels))


def _existing(recipes: Collection[Recipe], object_store: ObjectStoreResource) -> set[str]:
    """The hashes of the recipes whose picture the store holds; the store is asked, no table is believed."""
    if recipes:
        object_store.store.check()  # before the GPU has worked for nothing
    stored = object_store.store.heads(original_key(recipe.hash) for recipe in recipes)
    return {recipe.hash for recipe in recipes if original_key(recipe.hash) in stored}


def _fit_to_store(
    drawn: "Generator[Drawn, None, None]",
    by_recipe: Mapping[Recipe, list[int]],
    queue: QueueResource,
    delivery: Delivery,
    *,
    report: dict[str, Any],
    log: logging.Logger,
) -> "Generator[Drawn, None, None]":
    """Only the pictures that may be stored; the prompts of the others are settled with the reason."""
    told = time.monotonic()
    broken: str | None = None
    with closing(drawn):  # drawing ends when this does, however it does
        for done, picture in enumerate(drawn, start=1):
            ids = by_recipe[picture.recipe]
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                log.info("%s of %s drawn", done, report["to_draw"])
            if picture.pixels is not None:
                faults: list[str] = []
                with one_row(faults.append):
                    faults += filter(None, [_fault_of_pixels(picture.pixels)])
                if faults:
                    queue.hold.reject(dict.fromkeys(ids, faults[0]))
                    delivery.discard(name_of(picture.recipe))
                    report["rejected"] += len(ids)
                else:
                    yield picture
                continue
            reason = picture.error or "the model drew nothing"
            if picture.fault == "setup":  # no picture's fault: no try counts
                raise GladError(f"nothing could be drawn: {reason}")
            if picture.fault == "recipe":  # drawn again it would be the same
                queue.hold.reject(dict.fromkeys(ids, reason))
                report["rejected"] += len(ids)
                continue
            queue.hold.fail(dict.fromkeys(ids, reason))
            report["failed"] += len(ids)
            if picture.fault == "device":  # the try counts, for it may be one of the bucket that has done it
                broken = reason
    if report["rejected"] or report["failed"]:
        log.warning(
            "%s prompts rejected, %s failed: `glad prompts list` has the reasons", report["rejected"], report["failed"]
        )
    if broken:
        raise GladError(f"the rest could not be drawn: {broken}")


@dg.asset(
    group_name=GROUP,
    kinds={"s3", "postgres"},
    owners=OWNERS,
    ins={"generated_images": dg.AssetIn(dagster_type=Pictures, input_manager_key="image_store")},
)
def s3_objects(
    context: dg.AssetExecutionContext,
    generated_images: Any,
    queue: QueueResource,
    object_store: ObjectStoreResource,
    postgres: PostgresResource,
) -> dg.MaterializeResult[Any]:
    """The catalogue `images`: one row per picture that the store really holds, whole and of the right type."""
    placed: list[Placed] = generated_images
    with clearly(queue.explain), queue.refunding():
        faults = _faults(placed, queue)
        whole = [p for p in placed if p.object is not None and p.row["id"] not in faults]
        queue.hold.fail(faults)
        moved = awaiting = barred = refused = 0
        for start in range(0, len(whole), ROWS_PER_TRANSACTION):
            some = whole[start : start + ROWS_PER_TRANSACTION]
            counts = postgres.database.transact("catalogue", partial(_catalogued_alone, some, queue, object_store))
            moved, awaiting, barred = moved + counts[0], awaiting + counts[1], barred + counts[2]
            refused += counts[3]
    if lost := len(whole) - moved - barred - refused:
        context.log.warning("%s prompts had been taken over by another run and are left to it", lost)
    return dg.MaterializeResult(
        metadata={
            "objects": len(whole),
            "bytes": sum(p.object.bytes for p in whole if p.object),
            "prompts_ready": moved - awaiting,
            "awaiting_approval": awaiting,
            "taken_down": barred,
            "damaged": len(faults) + refused,
            "not_drawn_yet": len(placed) - len(whole) - len(faults),
            "links": _links((title_of(p.row), object_store.store.url(p.object.key)) for p in whole if p.object),
        }
    )


def _catalogued_alone(
    placed: Sequence[Placed], queue: QueueResource, object_store: ObjectStoreResource, connection: Connection
) -> tuple[int, int, int, int]:
    """`_catalogued`, and how many it could not take: each costs its prompt a try, with the reason."""
    refused: dict[int, str] = {}
    counts = together_or_alone(
        connection,
        placed,
        lambda some: _catalogued(some, queue, object_store, connection),
        lambda one, reason: refused.__setitem__(one.row["id"], f"it could not be catalogued: {reason}"),
    )
    queue.hold.failed(connection, refused)
    return sum(c[0] for c in counts), sum(c[1] for c in counts), sum(c[2] for c in counts), len(refused)


def _catalogued(
    placed: Sequence[Placed], queue: QueueResource, object_store: ObjectStoreResource, connection: Connection
) -> tuple[int, int, int]:
    """Record these pictures and move their prompts.

    Returns how many were ours still, how many of them wait for approval, and how many were taken down meanwhile.
    """
    reasons = bars.turn_away(connection, _keys({p.recipe for p in placed}))
    barred = {p.row["id"]: reasons[p.recipe.hash] for p in placed if p.recipe.hash in reasons}
    queue.hold.rejected(connection, barred)
    entries = {p.recipe.hash: _entry(p, object_store) for p in placed if p.recipe.hash not in reasons}
    ids = catalogue.record(connection, list(entries.values()))
    moved = queue.hold.generated(connection, {p.row["id"]: ids[p.recipe.hash] for p in placed if p.recipe.hash in ids})
    return *moved, len(barred)


def _faults(placed: Iterable[Placed], queue: QueueResource) -> dict[int, str]:
    """Why prompts cannot be catalogued with what the store holds for them, by id."""
    faults: dict[int, str] = {}
    for each in placed:
        with one_row(partial(faults.__setitem__, each.row["id"])):
            if fault := _fault(each, drawn=queue.hold.drew(each.row["id"])):
                faults[each.row["id"]] = fault
    return faults


def _fault(placed: Placed, *, drawn: bool) -> str | None:
    """What is wrong with a stored object, or None."""
    stored = placed.object
    if placed.fault:
        return placed.fault
    if stored is None:
        return (
            "the store took the picture and does not have it: check its consistency and the bucket" if drawn else None
        )
    if fault := object_fault(stored, placed.recipe.hash):
        return fault
    if placed.sha256 not in (None, stored.metadata["sha256"]):
        return f"the object {stored.key} is damaged (its SHA-256 is {placed.sha256}): remove it, it is drawn again"
    return None


def _entry(placed: Placed, object_store: ObjectStoreResource) -> CatalogueEntry:
    assert placed.object is not None  # noqa: S101  only what is in the store is catalogued
    return entry_of(placed.object, placed.recipe, placed.provenance, object_store.store.url)


@dg.asset(group_name=GROUP, kinds={"postgres"}, owners=OWNERS, deps=[s3_objects])
def published_posts(
    context: dg.AssetExecutionContext,
    queue: QueueResource,
    postgres: PostgresResource,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """The blog's posts: post, picture, prompt status and the message to the site commit together, for every picture
    whose time has come. A post that a person has edited since its prompt was claimed waits for `glad prompts approve`.
    """
    started = time.monotonic()
    published: list[Row] = []
    rejected: dict[int, str] = {}
    conflicts: dict[int, str] = {}
    gone: list[int] = []
    with clearly(queue.explain):
        object_store.refuse_anothers()
        while True:
            stale = queue.hold.stale(POSTS_PER_TRANSACTION)
            gone += _look_again(stale, queue, postgres, object_store) if stale else []
            done = postgres.database.transact("publish", partial(_publish_some, queue))
            if not done and not stale:
                break
            rows, outcomes = done or ([], Outcomes(post_ids={}, rejected={}, conflicts={}))
            published += [row for row in rows if row["id"] in outcomes.post_ids]
            rejected.update(outcomes.rejected)
            conflicts.update(outcomes.conflicts)
    for prompt_id, reason in rejected.items():
        context.log.warning("prompt %s is rejected: %s", prompt_id, reason)
    for prompt_id, reason in conflicts.items():
        context.log.warning("prompt %s waits for approval: %s", prompt_id, reason)
    for prompt_id in gone:
        context.log.warning("prompt %s waits again: its picture was gone from the store", prompt_id)
    return dg.MaterializeResult(
        metadata={
            "published": len(published),
            "rejected": len(rejected),
            "conflicts": len(conflicts),
            "gone_from_the_store": len(gone),
            **({"edited_meanwhile": _reasons(conflicts)} if conflicts else {}),
            "seconds": round(time.monotonic() - started, 3),
            "posts": _links((title_of(row), row["image_url"]) for row in published),
        }
    )


def _look_again(
    stale: Sequence[Row], queue: QueueResource, postgres: PostgresResource, object_store: ObjectStoreResource
) -> list[int]:
    """Look at pictures once more that were stored a while ago: the prompts of those that are gone wait again."""
    heads = object_store.store.heads(row["key"] for row in stale)
    seen = [row["id"] for row in stale if row["key"] in heads and heads[row["key"]].bytes == row["bytes"]]
    lost = [row["id"] for row in stale if row["id"] not in seen]
    return postgres.database.transact("look_again", partial(queue.hold.looked_again, seen=seen, gone=lost))


def _publish_some(queue: QueueResource, connection: Connection) -> tuple[list[Row], Outcomes] | None:
    """Publish up to POSTS_PER_TRANSACTION pictures whose time has come; None when there are none."""
    bars.hold_off_takedowns(connection)
    rows = queue.hold.publishable(connection, POSTS_PER_TRANSACTION)
    if not rows:
        return None

    def settle(done: Outcomes) -> None:
        queue.hold.published(connection, done.post_ids)
        outbox.tell_of_posts(connection, {post for post in done.post_ids.values() if post})

    outcomes = Blog(connection).publish(connection, rows, then=settle)
    queue.hold.reject_locked(connection, rows, outcomes.rejected)
    queue.hold.leave_to_a_person(connection, outcomes.conflicts)
    return list(rows), outcomes


def _reasons(reasons: Mapping[int, str]) -> dg.MarkdownMetadataValue:
    """The first prompts, each with its reason."""
    return dg.MetadataValue.md(redact("\n".join(f"- prompt {i}: {why}" for i, why in islice(reasons.items(), SHOWN))))


def _links(items: Iterable[tuple[str, str]]) -> dg.MarkdownMetadataValue:
    """The first (text, URL) pairs as a list of links."""
    return dg.MetadataValue.md("\n".join(f"- [{_plain(text)}]({url})" for text, url in islice(items, SHOWN)) or "none")


def _table(rows: Sequence[Row], columns: Sequence[str]) -> dg.MarkdownMetadataValue:
    """The first rows as a small markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_plain(row[name]) for name in columns) + " |" for row in rows[:SHOWN]]
    return dg.MetadataValue.md("\n".join(lines))


def _plain(value: Any) -> str:
    """Somebody's text for markdown: cut, so that an event stays small, and with nothing in it that markdown reads."""
    text = " ".join(str("" if value is None else value).split())
    return re.sub(r"([\\`*_\[\]()!<>|#~&:])", r"\\\1", text if len(text) <= 60 else text[:59] + "…")
