"""What the graph starts from and does not make: the table `prompts` and the model. The sensor observes both."""

import logging
import threading
import time
from contextlib import suppress
from typing import Any, TypeAlias

import dagster as dg

from glad_pipeline.database import Connection
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.tables import table
from glad_pipeline.defs.versions import DATA_VERSION, digest
from glad_pipeline.errors import GladError
from glad_pipeline.pipeline.results import (
    columns_of,
    newest_prompt,
    newest_takedown,
    prompts_now,
    takedowns_since,
)
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.settings import Settings

Event: TypeAlias = dg.AssetMaterialization | dg.AssetObservation
log = logging.getLogger(__name__)
READ_AGAIN = 300.0  # seconds after which weights are looked at again: their hashes are kept by size and time
TABLE = "prompts_table"
MODEL = "sdxl_model"


def sources(names: Names, settings: Settings) -> list[dg.AssetSpec]:
    """External assets: whatever has to run before prompts are taken can be put before `prompts_table`."""
    common: dict[str, Any] = {"group_name": names.group, "owners": list(names.owners), "tags": dict(names.tags)}
    return [
        dg.AssetSpec(
            names.key(TABLE),
            description="The table `prompts`, as everybody may write it. A new version: rows that no run has taken.",
            kinds={"postgres"},
            metadata=table("prompts"),
            **common,
        ),
        dg.AssetSpec(
            names.key(MODEL),
            description="What pictures are drawn with by the settings: weights, VAE, refiner and LoRA. The version is "
            "the digest over all of them.",
            kinds={"diffusers"},
            metadata={"model": settings.model, "preset": settings.preset},
            **common,
        ),
    ]


def note_model(context: dg.AssetExecutionContext, names: Names, sdxl: Sdxl) -> None:
    """A run notes with what model it draws before it draws: a later look of the sensor then finds nothing stale.

    (Dagster reads the versions of a step's inputs when the step begins. A model that cannot be used is told of by the
    step that draws.)
    """
    with suppress(GladError, OSError):
        version = digest(sdxl.profile().weights)
        known = context.instance.get_latest_materialization_event(names.key(MODEL))
        tags = known.asset_materialization.tags if known and known.asset_materialization else None
        if (tags or {}).get(DATA_VERSION) != version:
            named = {"model": sdxl.options.model, "preset": sdxl.options.preset}
            context.log_event(_observed(names.key(MODEL), version, named))


def changes(
    names: Names, settings: Settings, connection: Connection, memory: dict[str, Any], *, waits: bool, claims: bool
) -> list[Event]:
    """What has changed since the last tick; `memory` is kept in the sensor's cursor.

    `waits`: prompts are pending; `claims`: a run is asked for that will take some.
    """
    found: list[Event] = []
    last = newest_prompt(connection)
    if claims or (waits and last != memory.get("newest")):
        memory["newest"], memory["asked"] = last, memory.get("asked", 0) + claims
        version = f"{last}.{memory['asked']}"
        found.append(_observed(names.key(TABLE), version, _table(connection)))
    elif "seen" not in memory:  # for who looks at it, and no new version
        found.append(dg.AssetObservation(names.key(TABLE), metadata=_table(connection)))
    memory["seen"] = True
    found += _takedowns(names, connection, memory)
    model = _models.digest(settings)
    if model is not None and model != memory.get("model"):
        memory["model"] = model
        found.append(_observed(names.key(MODEL), model, {"model": settings.model, "preset": settings.preset}))
    return found


def _takedowns(names: Names, connection: Connection, memory: dict[str, Any]) -> list[Event]:
    """Posts and pictures that went by the terminal, on the assets they are missing from."""
    if "takedown" not in memory:
        memory["takedown"] = newest_takedown(connection)
    went = takedowns_since(connection, memory["takedown"])
    memory["takedown"] = max(went, default=memory["takedown"])
    found: list[Event] = []
    for asset, kind in (("published_posts", "post:"), ("s3_objects", "image:")):
        if subjects := [subject for subject in went.values() if subject.startswith(kind)]:
            metadata: dict[str, Any] = {
                "taken_down": len(subjects),
                "subjects": dg.MetadataValue.text("\n".join(subjects)),
            }
            found.append(dg.AssetObservation(names.key(asset), metadata=metadata))
    return found


def _table(connection: Connection) -> dict[str, Any]:
    columns = [dg.TableColumn(name, kind) for name, kind in columns_of(connection, "prompts")]
    where = connection.info
    return {
        **{"dagster/row_count" if name == "rows" else name: count for name, count in prompts_now(connection).items()},
        "dagster/uri": f"postgresql://{where.host}:{where.port}/{where.dbname}/prompts",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def _observed(key: dg.AssetKey, version: str, metadata: dict[str, Any]) -> dg.AssetMaterialization:
    # of an external asset that no observation function is known for, Dagster compares the versions of these alone
    return dg.AssetMaterialization(key, metadata=metadata, tags={DATA_VERSION: version})


class _Models:
    """Digests by settings, read on a thread: 7 GB may have to be hashed the first time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, str]] = {}
        self._reading: set[str] = set()

    def digest(self, settings: Settings) -> str | None:
        """None while it is not known yet, or where the model cannot be used: the run says why."""
        key = settings.engine.model_dump_json()
        read_at, known = self._known.get(key, (0.0, None))
        if time.monotonic() - read_at > READ_AGAIN and key not in self._reading:
            self._reading.add(key)
            reader = threading.Thread(target=self._read, args=(key, settings), name="glad-model-digest", daemon=True)
            reader.start()
            reader.join(timeout=2)
            known = self._known.get(key, (0.0, None))[1]
        return known

    def _read(self, key: str, settings: Settings) -> None:
        try:
            self._known[key] = time.monotonic(), digest(Sdxl(options=settings.engine, log=log).profile().weights)
        except (GladError, OSError):
            self._known.pop(key, None)
        finally:
            self._reading.discard(key)


_models = _Models()
