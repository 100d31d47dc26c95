"""Processes that outlive what has started them."""

from pathlib import Path

import psutil

from glad_pipeline.local.processes import gone

ENDS_WITH_US = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")  # as children of the tests


def left_running(*folders: Path | str, but: tuple[str, ...] = ()) -> list[str]:
    """Command line and folder of each living process that works in one of these folders, or was told of it.

    Of PostgreSQL and the S3 server only the working directory says where they belong.
    """
    found, me = [], psutil.Process()
    ours = {me, *me.parents()}  # whose words name the folder of the tests
    for process in psutil.process_iter():
        if process in ours:
            continue
        try:
            words, where, told = process.cmdline(), process.cwd(), process.environ().get("GLAD_HOME", "")
            if not any(_is_in(folder, *words, where, told) for folder in folders) or gone(process):
                continue
            line = " ".join(words)
            ends_with_us = process.ppid() == me.pid and any(module in line for module in ENDS_WITH_US)
            if ends_with_us or process.name() in but:
                continue
            log = next((each.path for each in process.open_files() if any(_is_in(f, each.path) for f in folders)), "")
            found.append(f"{line}  (in {where}; has open: {log})")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _is_in(folder: Path | str, *texts: str) -> bool:
    return any(f"{folder}/" in f"{text}/" for text in texts)
