"""Starting, finding and ending processes so that none is left behind. Knows nothing of what they serve."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil

from glad_pipeline.local.progress import Step

LAUNCH = Path(__file__).with_name("launch.py")
Confinement = Literal["namespace", "setuid"]


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    die_with_us: signal.Signals | None = None,
    as_nobody: Confinement | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to `log`.

    With `die_with_us` it gets that signal when this process ends, even by kill -9 (Linux). Without, it outlives us.
    """
    options = [] if die_with_us is None else ["--die-with", str(os.getpid()), str(int(die_with_us))]
    options += [] if as_nobody is None else ["--as-nobody", as_nobody]
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", str(LAUNCH), *options, "--", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )


def shorten(log: Path, most: int) -> None:
    """Begin a log anew that has grown beyond so many bytes, and keep what it had beside it: its writers append."""
    with suppress(OSError):
        if log.stat().st_size <= most:
            return
        with suppress(OSError):  # a full disk: then all the more
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def running_in(folder: Path, program: str) -> Iterator[psutil.Process]:
    """The processes of that program whose working directory is the folder: how a server is known by its data."""
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != program:
            continue
        try:
            if not gone(process) and Path(process.cwd()) == folder:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def end(process: psutil.Process, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal and wait its seconds, until the process is gone. Returns at once if it was."""
    for signal_number, seconds in steps:
        if gone(process):
            break
        signal_quietly(process, signal_number)
        wait_until(lambda: gone(process), seconds, pause=0.02)


def holder_of(*ports: int) -> str:
    """The program that listens at one of these ports, as well as we may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port in ports and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another program"


def gone(process: psutil.Process) -> bool:
    """Whether it has ended. A zombie has: the one who should reap it may never do so (a container's first process).

    Unless other threads of it still run: then it still holds its ports.
    """
    try:
        if not process.is_running():
            return True
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def session_members(session: int) -> list[psutil.Process]:
    """Every living process of a session: children whose parent is gone still belong to it."""
    members = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return members


def end_session(leader: subprocess.Popen[bytes], first: signal.Signals, seconds: float) -> None:
    """End a program started by `spawn` and everything it has started: politely, then for certain."""
    members = session_members(leader.pid)
    if leader.poll() is None:
        for member in members:  # a run in a code server must hear of it too, or the server waits for its end
            signal_quietly(member, first)
        try:
            leader.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            leader.kill()
            leader.wait()
    known = {member.pid: member for member in [*members, *session_members(leader.pid)]}
    end_members([member for member in known.values() if member.pid != leader.pid and member.is_running()])


@contextmanager
def ended_if_raised(leader: subprocess.Popen[bytes], seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """What is raised inside, such as Ctrl-C, ends a program started by `spawn` and everything it has started.

    It gets so many seconds; a second Ctrl-C or signal kills it at once.
    """
    try:
        yield leader
    except BaseException:
        try:
            with Step("ending what was started (Ctrl-C once more kills it)"):
                end_session(leader, signal.SIGINT, seconds)
        except KeyboardInterrupt:
            end_session(leader, signal.SIGKILL, 1)
        raise


def end_members(members: Sequence[psutil.Process], seconds: float = 5) -> None:
    """End all of them: signalled at once, and killed if they have not gone after so many seconds."""
    for member in members:
        signal_quietly(member, signal.SIGTERM)
    wait_until(lambda: all(gone(member) for member in members), seconds)
    for member in members:
        end(member, (signal.SIGKILL, 5))


def signal_quietly(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def wait_until(ready: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> bool:
    """Whether it is so, or becomes so in that time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def is_still(pid: int, created: float) -> bool:
    """Whether a process is the one that was noted down, not a later one with its number."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and not gone(process)
    except psutil.NoSuchProcess:
        return False
