"""The pool that runs wait in for the GPU: how many Dagster lets work at once.

The only place that uses what Dagster does not promise to keep: reading and setting a pool's limit has no public Python
function (tried with 1.13.27; `unit/test_dagster_internals.py` says so when it changes).
"""

import dagster as dg

FOLLOWED = "glad/limits that followed the workers"  # of the pool `gpu`; with the name behind it, of another


def pool_limit(instance: dg.DagsterInstance, pool: str) -> int:
    """How many runs the pool lets work at once."""
    return _own_limit(instance, pool) or instance.get_concurrency_config().pool_config.default_pool_limit or 1


def is_limited(instance: dg.DagsterInstance, pool: str) -> bool:
    """Whether anything keeps more than one from working at once."""
    configured = instance.get_concurrency_config().pool_config.default_pool_limit
    return _own_limit(instance, pool) is not None or configured is not None


def follow(instance: dg.DagsterInstance, pool: str, runs: int | None) -> None:
    """Let so many runs work at once, None: as many as the instance's own limit. What a person has set is left alone."""
    limit = _own_limit(instance, pool)
    if limit == runs:
        return
    memory, key = instance.daemon_cursor_storage, FOLLOWED if pool == "gpu" else f"{FOLLOWED}: {pool}"
    ours = memory.get_cursor_values({key}).get(key, "").split()
    if limit is not None and str(limit) not in ours:
        return
    if runs is None:
        instance.event_log_storage.delete_concurrency_limit(pool)
    else:
        memory.set_cursor_values({key: f"{limit or ''} {runs}"})  # both: this may be stopped between the two
        instance.event_log_storage.set_concurrency_slots(pool, runs)
        memory.set_cursor_values({key: str(runs)})


def _own_limit(instance: dg.DagsterInstance, pool: str) -> int | None:
    limits = instance.event_log_storage.get_pool_limits()
    return next((each.limit for each in limits if each.name == pool and not each.from_default), None)
