"""A run of 200 prompts on a cluster of two nodes (raylets), of which a worker and then a whole node are killed.

A program of its own, since a process can be in one kind of cluster only: Ray's two nodes need an address that is not
loopback. `python -m glad_pipeline_tests.workers.two_nodes`, with the environment of a run, prints what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading

from glad_pipeline.local.processes import end_members, session_members
from glad_pipeline.local.stack import project_root
from glad_pipeline.settings import load_settings
from glad_pipeline.workers.cluster import Cluster
from glad_pipeline.workers.members import members
from glad_pipeline_tests.faults.processes import eventually
from glad_pipeline_tests.faults.world import World
from glad_pipeline_tests.workers.faked import on_workers

PROMPTS = 200


def own_address() -> str:
    """This machine's address on its network; the loopback one if there is no network. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def main() -> None:
    os.environ |= {"GLAD_RAY_HOST": own_address(), "GLAD_RAY_EXPOSED": "true"}
    cluster = Cluster(load_settings().engine)
    cluster.start(cpus=2)
    command = [cluster.python(), "-m", "ray.scripts.scripts", "start", f"--address={cluster.address}", "--block"]
    command += ["--num-cpus=2", "--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
    node = subprocess.Popen(command, cwd=project_root(), stdout=-3, stderr=-3, start_new_session=True)
    try:
        told = killed(World(), cluster, node.pid)
    finally:
        cluster.disconnect()
        end_members(session_members(node.pid), seconds=1)
        cluster.stop()
    print(json.dumps(told))


def killed(world: World, cluster: Cluster, node: int) -> dict[str, object]:
    import ray

    cluster.connect()
    eventually(lambda: sum(each["Alive"] for each in ray.nodes()) == 2, 60, what="the second node")
    world.sql(
        "INSERT INTO prompts (prompt, title, seed) SELECT 'a hill for 0.4 s', 'Hill ' || n, n"
        " FROM generate_series(1, %s) n",
        PROMPTS,
    )
    failed: list[str | None] = []
    run = threading.Thread(target=lambda: failed.append(world.run(on_workers())))
    run.start()

    def drawn() -> int:
        return len(world.draw_log.read_text().splitlines()) if world.draw_log.exists() else 0

    eventually(lambda: drawn() >= 40, 60, what="the first pictures")
    pids = [ray.get(member.handle.state.remote())["pid"] for member in members()]
    there = {process.pid for process in session_members(node)} & set(pids)
    here = set(pids) - there
    os.kill(min(here), signal.SIGKILL)
    eventually(lambda: drawn() >= 80, 60, what="more pictures")
    for process in session_members(node):
        process.kill()
    run.join(timeout=180)
    findings = world.examine()
    posts = world.sql("SELECT count(*) AS n FROM posts WHERE status = 'published'")[0]["n"]
    world.empty_bucket()
    return {
        "failed": failed,
        "here": len(here),
        "there": len(there),
        "broken": findings.broken,
        "published": findings.published,
        "posts": posts,
        "redrawn": findings.redrawn,
    }


if __name__ == "__main__":
    main()
