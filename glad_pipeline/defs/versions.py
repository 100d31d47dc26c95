"""Data versions: what the UI shows as stale is stale, and a run that finds nothing to do changes no colour.

What is said of an asset is metadata of its materialization alone: that of an output Dagster keeps twice.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg

DATA_VERSION = "dagster/data_version"
# Said only where there is any: Dagster keeps each entry of metadata for good, at 130 bytes and more.
SELDOM = frozenset(
    {
        *("awaiting_approval", "ready", "taken_down", "damaged", "not_drawn_yet", "rejected", "failed", "cut"),
        *("already_stored", "spooled_waiting", "delivered_from_spool", "seconds_loading", "seconds_warming_up"),
    }
)


def tell(context: dg.AssetExecutionContext, metadata: Mapping[str, Any]) -> None:
    """With the materialization of the asset under way: this, without what is SELDOM and has not happened."""
    kept = {name: value for name, value in metadata.items() if value or name not in SELDOM}
    context.add_asset_metadata(kept, asset_key=context.asset_key)


def digest(parts: Collection[Any]) -> str:
    """16 hex digits over these, in any order."""
    return hashlib.sha256(json.dumps(sorted(map(str, parts))).encode()).hexdigest()[:16]


def set_version(context: dg.AssetExecutionContext, of: Collection[Any]) -> None:
    """That of the asset under way, once it is known what it consists of: for an output that names none."""
    context.set_data_version(context.asset_key, _version(context, of))


def _version(context: dg.AssetExecutionContext, of: Collection[Any]) -> dg.DataVersion:
    """That of what was made; where nothing was, the asset is as it was before."""
    if of:
        return dg.DataVersion(digest(of))
    before = context.instance.get_latest_materialization_event(context.asset_key)
    tags = before.asset_materialization.tags if before and before.asset_materialization else None
    return dg.DataVersion((tags or {}).get(DATA_VERSION) or digest(()))


def output(
    context: dg.AssetExecutionContext, value: Any, *, of: Collection[Any], metadata: Mapping[str, Any]
) -> dg.Output[Any]:
    """A value for the IO manager; its version is that of the things it consists of."""
    tell(context, metadata)
    return dg.Output(value, data_version=_version(context, of))


def result(
    context: dg.AssetExecutionContext, *, of: Collection[Any], metadata: Mapping[str, Any]
) -> dg.MaterializeResult[Any]:
    """The same for what is kept without an IO manager."""
    tell(context, metadata)
    return dg.MaterializeResult(data_version=_version(context, of))
