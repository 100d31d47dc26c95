"""`glad workers up | status | down`: warm models for the runs of this machine, or of a cluster.

Exit codes: 0 done, 1 no worker came up or none runs, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.models import configured_profile
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json, print_table
from glad_pipeline.cli.runtime import Runtime

HEADERS = ("worker", "state", "where", "device", "models", "warm shapes", "drawn", "memory")

commands = group("Models that stay loaded between runs, on Ray: up, status, down.")


@commands.command("up")
def up(context: typer.Context) -> int:
    """Start the workers, load the model in them and come back; runs use them from then on."""
    from glad_pipeline.generation.defaults import recipe_of
    from glad_pipeline.local.progress import Step
    from glad_pipeline.records import Prompt
    from glad_pipeline.workers.cluster import Cluster
    from glad_pipeline.workers.members import states_of
    from glad_pipeline.workers.pool import Pool
    from glad_pipeline.workers.remote import RemoteEngine

    options = Runtime.of(context).with_home().engine
    profile = configured_profile(options)
    sample = recipe_of(Prompt(id=0, prompt="a hill", seed=0), profile, options)
    cluster = Cluster(options)
    started = cluster.is_ours and cluster.start(cpus=(options.workers or 0) * options.worker_cpus)
    pool = Pool(options)
    try:
        with Step(f"loading {profile.name}"):
            warm = RemoteEngine(profile, pool).warm_up(sample)
        cluster.note(workers=len(warm))
        print(f"{len(warm)} worker{'s are' if len(warm) != 1 else ' is'} warm, at {cluster.address}")
        print_table(HEADERS, map(_row, states_of(warm)))
    except BaseException:
        pool.close()
        if started:
            cluster.stop()
        raise
    pool.close()
    return 0


@commands.command("status")
def status(
    context: typer.Context,
    json: Json = False,
) -> int:
    """Each worker: device, models, shapes drawn so far, pictures, memory."""
    from glad_pipeline.workers.cluster import Cluster
    from glad_pipeline.workers.members import members, states_of

    cluster = Cluster(Runtime.of(context).settings.engine)
    cluster.connect()
    try:
        states = states_of(members())
    finally:
        cluster.disconnect()
    if json:
        print_json(states)
        return 0
    print(f"Ray at {cluster.address}")
    if states:
        print_table(HEADERS, map(_row, states))
    else:
        print("no workers: the next run starts them, or ./glad workers up")
    return 0


@commands.command("down")
def down(context: typer.Context) -> int:
    """End the workers, and the Ray of this machine if `up` has started it."""
    from glad_pipeline.workers.cluster import Cluster
    from glad_pipeline.workers.members import end_workers

    cluster = Cluster(Runtime.of(context).settings.engine)
    if cluster.is_ours:
        consequence = (
            "the workers of this machine are down. A run that draws on them now waits a minute for others, then fails; "
        )
        print(consequence + "the next one takes its prompts over" if cluster.stop() else "no workers ran")
        return 0
    cluster.connect()
    ended = end_workers()
    cluster.disconnect()
    print(f"{ended} workers ended; the cluster at {cluster.address} is yours to end")
    return 0


def _row(state: Mapping[str, Any]) -> Sequence[str]:
    """A worker as a row of the table."""
    if "error" in state:
        return state["worker"], state["error"]
    memory = f"{state['memory_mb']:,} MB"
    if "gpu_memory_mb" in state:
        memory += f", GPU {state['gpu_memory_mb']:,} MB"
    busy, idle = state["busy_seconds"], state["idle_seconds"]
    doing = f"draws for {busy:.0f} s" if busy is not None else f"idle for {idle:.0f} s"
    return (
        state["worker"],
        f"{doing}, {state['waiting']} waiting",
        f"{state['node']}, pid {state['pid']}",
        state["device"],
        "\n".join(state["models"]),
        "\n".join(state["shapes"]),
        f"{state['drawn']:,}",
        memory,
    )
