"""Runs another program with what must be set between fork and exec. A script, standard library only.

`preexec_fn` is not safe in a process with threads, hence a program of its own:

    python -I launch.py [--die-with PID SIGNAL] [--as-nobody namespace|setuid] -- PROGRAM ARGS…

`--die-with` sends SIGNAL to the program when its parent PID ends, however it ends (Linux only).
`--as-nobody namespace` maps root to nobody in a user namespace: PostgreSQL refuses to run as root, and this way
its files stay root's. `--as-nobody setuid` gives root up for good, for containers that forbid namespaces.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    if "--as-nobody" in options:
        if options[options.index("--as-nobody") + 1] == "namespace":
            enter_namespace()
        else:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    if "--die-with" in options:
        at = options.index("--die-with")
        die_with(int(options[at + 1]), int(options[at + 2]))
    os.execv(command[0], command)  # noqa: S606 - the very purpose


def enter_namespace() -> None:
    """Become nobody in a user namespace in which nobody is the root outside."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise SystemExit(f"no user namespace: {os.strerror(number)}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def die_with(parent: int, signal_number: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it ended before we asked for its signal
        raise SystemExit(f"process {parent} is gone")


if __name__ == "__main__":
    main(sys.argv[1:])
