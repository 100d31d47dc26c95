"""The programs of `glad up`, each with everything that it starts: started, looked at, ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from glad_pipeline import disk
from glad_pipeline.display import tail
from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import end_members, end_session, gone, session_members, spawn


@dataclass(frozen=True, kw_only=True)
class Program:
    """How one is started."""

    command: list[str]
    environment: dict[str, str]
    folder: Path  # in which it runs
    grace: float = 20  # seconds that it has to end by itself

    @classmethod
    def of_module(cls, words: list[str], environment: dict[str, str]) -> Program:
        """A module of Python's with its arguments."""
        return cls(command=[sys.executable, "-m", *words], environment=environment, folder=stack.project_root())

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        return spawn(self.command, log=log, cwd=self.folder, env=self.environment, die_with_us=signal.SIGTERM)


@dataclass
class Child:
    """One program with everything it starts."""

    name: str
    program: Program
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def started(cls, name: str, program: Program, home: Home) -> Child:
        log = home.logs / f"{name.lower().replace(' ', '-')}.log"
        return cls(name, program, log, program.start(log))

    def death(self) -> str | None:
        """How it has ended, with the end of its log, and what it has left is ended too; None: it lives."""
        if self.process.returncode is None:
            if not gone(psutil.Process(self.process.pid)):
                return None
            end_members(session_members(self.process.pid))  # until it is reaped its number is nobody else's
        return f"ended (exit {self.process.wait()}). Its log: {end_of(self.log)}"

    def end(self) -> None:
        """End it with everything it has started."""
        if self.process.returncode is None:
            end_session(self.process, signal.SIGINT, seconds=self.program.grace)

    def start_again(self) -> None:
        self.process = self.program.start(self.log)


def end_of(log: Path) -> str:
    """A log with its last lines, and that the disk is full where they say so."""
    text = tail(log)
    return f"{log}\n{text}{disk.full_by(text, log.parent.parent)}"
