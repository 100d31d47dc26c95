"""`glad workers up | status | down`: warm models for the runs of this machine, or of a cluster.

Exit codes: 0 done, 1 no worker came up or none runs, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from tabulate import tabulate

from glad_pipeline.cli.models import configured_profile
from glad_pipeline.local.home import Home
from glad_pipeline.local.progress import Step
from glad_pipeline.settings import Settings
from glad_pipeline.workers.cluster import Cluster
from glad_pipeline.workers.members import end_workers, members, states_of

Handler = Callable[[argparse.Namespace, Settings], int]


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `workers` and its commands; each sets `func(args, settings) -> exit code`."""
    room = subparsers.add_parser("workers", help="models that stay loaded between runs, on Ray: up, status, down")
    commands = room.add_subparsers(title="commands", dest="workers_command", metavar="COMMAND", required=True)

    def command(name: str, handler: Handler, help_text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
        parser.set_defaults(func=handler)
        return parser

    command("up", _up, "Start the workers, load the model in them and come back; runs use them from then on.")
    status = command("status", _status, "Each worker: device, models, shapes drawn so far, pictures, memory.")
    status.add_argument("--json", action="store_true", help="one JSON array")
    command("down", _down, "End the workers, and the Ray of this machine if `up` has started it.")


def _up(args: argparse.Namespace, settings: Settings) -> int:
    from glad_pipeline.generation.defaults import Defaults
    from glad_pipeline.workers.options import engine_options
    from glad_pipeline.workers.pool import Pool
    from glad_pipeline.workers.remote import RemoteEngine

    Home(settings.home).prepare()
    profile = configured_profile(settings)
    cluster = Cluster(settings)
    started = cluster.is_ours and cluster.start(cpus=(settings.workers or 0) * settings.worker_cpus)
    pool = Pool(settings, engine_options(settings))
    try:
        sample = Defaults(
            preset=settings.preset,
            width=settings.width,
            height=settings.height,
            steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            scheduler=settings.scheduler,
        ).recipe({"prompt": "a hill", "negative_prompt": "", "seed": 0}, profile)
        with Step(f"loading {profile.name}"):
            warm = RemoteEngine(profile, pool).warm_up(sample)
        cluster.note(workers=len(warm))
        print(f"{len(warm)} worker{'s are' if len(warm) != 1 else ' is'} warm, at {cluster.address}")
        print(_table(states_of(warm)))
    except BaseException:
        pool.close()
        if started:
            cluster.stop()
        raise
    pool.close()
    return 0


def _status(args: argparse.Namespace, settings: Settings) -> int:
    cluster = Cluster(settings)
    cluster.connect()
    try:
        states = states_of(members())
    finally:
        cluster.disconnect()
    if args.json:
        print(json.dumps(states, indent=2, ensure_ascii=False))
    else:
        print(f"Ray at {cluster.address}")
        print(_table(states) if states else "no workers: the next run starts them, or ./glad workers up")
    return 0


def _down(args: argparse.Namespace, settings: Settings) -> int:
    cluster = Cluster(settings)
    if cluster.is_ours:
        told = (
            "the workers of this machine are down. A run that draws on them now waits a minute for others, then fails; "
        )
        print(told + "the next one takes its prompts over" if cluster.stop() else "no workers ran")
        return 0
    cluster.connect()
    ended = end_workers()
    cluster.disconnect()
    print(f"{ended} workers ended; the cluster at {cluster.address} is yours to end")
    return 0


def _table(states: list[Mapping[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = []
    for state in states:
        if "error" in state:
            rows.append((state["worker"], state["error"]))
            continue
        memory = f"{state['memory_mb']:,} MB"
        if "gpu_memory_mb" in state:
            memory += f", GPU {state['gpu_memory_mb']:,} MB"
        busy, idle = state["busy_seconds"], state["idle_seconds"]
        doing = f"draws for {busy:.0f} s" if busy is not None else f"idle for {idle:.0f} s"
        rows.append(
            (
                state["worker"],
                f"{doing}, {state['waiting']} waiting",
                f"{state['node']}, pid {state['pid']}",
                state["device"],
                "\n".join(state["models"]),
                "\n".join(state["shapes"]),
                f"{state['drawn']:,}",
                memory,
            )
        )
    headers = ("worker", "state", "where", "device", "models", "warm shapes", "drawn", "memory")
    return tabulate(rows, headers=headers, disable_numparse=True, maxcolwidths=[None, 14, 16, 20, 24, 26, None, None])
