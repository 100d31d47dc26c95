"""Processes that outlive what has started them."""

import os
from pathlib import Path

import psutil

from glad_pipeline.local.processes import gone

ENDS_WITH_US = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")


def left_running(*folders: Path | str, but: tuple[str, ...] = ()) -> list[str]:
    """Command line and folder of each living process that works in one of these folders, or was told of it.

    Of PostgreSQL and the S3 server only the working directory says where they belong.
    """
    found = []
    for process in psutil.process_iter():
        try:
            words, where, told = process.cmdline(), process.cwd(), process.environ().get("GLAD_HOME", "")
            texts = (*words, f"{where}/", f"{told}/")
            concerned = any(f"{folder}/" in f"{text}/" for folder in folders for text in texts)
            if not concerned or gone(process) or process.pid == os.getpid() or Path(words[0]).name in but:
                continue
            line = " ".join(words)
            if "pytest" not in line and not any(module in line for module in ENDS_WITH_US):
                found.append(f"{line}  (in {where})")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
