"""What draws: the model's files, the GPU, a small picture, and the workers that are to be warm."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from glad_pipeline.deadline import within
from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.display import in_bytes
from glad_pipeline.errors import GladError
from glad_pipeline.generation.artifacts import size_of
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.prompts.queue_state import live_workers
from glad_pipeline.workers.cluster import Cluster

DRAWING_SECONDS = 300.0  # loading SDXL from a slow disk included
ANSWER = 5.0  # seconds that a worker may take


def model(deployment: Deployment) -> Iterator[Diagnosis]:
    """Every part of the model is on this machine, whole by its files' headers, and pinned."""
    profile = resolve_model(deployment.settings.engine)
    for part in profile.artifacts:
        size = in_bytes(size_of(part.read()))
        pinned = part.revision.removeprefix("sha256:")[:12]
        yield right(part.kind, f"{part.name} is here and whole, {size}, pinned at {pinned}")


def drawing(deployment: Deployment) -> Iterator[Diagnosis]:
    """A small picture is drawn, by this machine's GPU or what the settings name."""
    options = deployment.settings.engine
    if not deployment.draws:
        yield not_tested("picture", "left out (--quick)")
        return
    if options.backend != "process" and Cluster(options).is_wanted:
        yield not_tested("picture", "warm workers draw, and hold the GPU")
        return
    if busy := _drawing_now(deployment):
        yield not_tested("picture", f"{busy}: it has the GPU")
        return
    done = _in_a_process(deployment, options.model_dump_json())
    if unsupported := done.get("unsupported"):
        yield wrong("GPU", unsupported, "install a build of torch that has code for it: https://pytorch.org")
    elif done["device"]:
        memory = done["memory_free"]
        room = "" if memory is None else f", {memory:.1f} of {done['memory_total']:.1f} GB free"
        yield right("device", f"{done['device']}{room}")
    if done["problem"]:
        yield wrong("picture", f"none could be drawn with {done['model'] or options.model}: {done['problem']}", None)
    else:
        yield right("picture", f"{done['model']} drew one; loading and drawing took {done['seconds']:.1f} s")


def _drawing_now(deployment: Deployment) -> str | None:
    """The run that has claimed prompts and lives; None: there is none, or the database, looked at elsewhere, is
    not there to say."""
    try:
        runs = within(ANSWER, lambda: deployment.database.read(live_workers))
    except (GladError, psycopg.Error, TimeoutError):
        return None
    return f"the run {min(runs)} is drawing" if runs else None


def _in_a_process(deployment: Deployment, options: str) -> Mapping[str, Any]:
    """What `generation.trial` says; a process that ends without a word is said too."""
    command = [sys.executable, "-m", "glad_pipeline.generation.trial"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, env=os.environ, **pipes)  # type: ignore[call-overload]
    deployment.children.append(process)
    try:
        told, words = process.communicate(options, timeout=DRAWING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return _nothing(f"it took longer than {DRAWING_SECONDS:.0f} s: look at the GPU (nvidia-smi) and its driver")
    try:
        last: Mapping[str, Any] = json.loads(told.strip().rpartition("\n")[2])
    except ValueError:
        code = process.returncode
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        said = words.strip().rpartition("\n")[2]
        return _nothing(f"the process {how} ({said}): look at memory (dmesg), GPU and driver")
    return last


def _nothing(problem: str) -> Mapping[str, Any]:
    return {"model": "", "device": "", "problem": problem, "unsupported": None}


def workers(deployment: Deployment) -> Iterator[Diagnosis]:
    """Warm workers, where there are to be any, are alive."""
    options = deployment.settings.engine
    cluster = Cluster(options)
    if options.backend == "ray" and importlib.util.find_spec("ray") is None:
        cure = "install the extra `ray` (./glad workers up does), or set GLAD_BACKEND=process"
        yield wrong("workers", "GLAD_BACKEND is ray, and Ray is not installed", cure)
        return
    if not cluster.is_wanted:
        if options.backend == "ray":
            yield wrong("workers", "GLAD_BACKEND is ray, and no workers run", "./glad workers up")
        else:
            yield not_tested("workers", "none run; each run draws in its own process")
        return
    from glad_pipeline.workers.members import members, states_of  # brings NumPy

    cluster.connect()
    try:
        states = states_of(members(), patience=ANSWER)
    finally:
        cluster.disconnect()
    for state in states:
        if "error" in state:
            yield risk(state["worker"], f"{state['worker']} {state['error']}", "./glad workers down, then up")
    if not states:
        yield risk("workers", f"Ray runs at {cluster.address}, and no worker is there", "./glad workers up")
    elif not any("error" in state for state in states):
        drawn = sum(state["drawn"] for state in states)
        yield right("workers", f"{len(states)} answer at {cluster.address}, and have drawn {drawn:,}")
