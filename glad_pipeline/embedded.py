"""The servers that we start ourselves, to whoever cannot reach them: what their own logs say.

`DATABASE_URL` and the store's variables are then ours and not a person's: nothing of theirs is to be checked.
Knows the ports that GLAD_HOME remembers, and logs; starts and asks nothing. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from glad_pipeline import disk
from glad_pipeline.display import one_line, tail
from glad_pipeline.redaction import redact

SERVERS = {"postgres": "PostgreSQL", "s3": "S3 server"}  # name of port and log: for people
LINES = 4
LONGEST = 300  # characters of one line
BEGINNING = 100  # of these, what is kept of the beginning of a longer line
LONGEST_READ = 4_000  # characters of one line
_TELLING = re.compile(  # of PostgreSQL, of SeaweedFS's logger, of Go's runtime
    r"\b(PANIC|FATAL): |terminated by signal|could not (?:write|extend|create|open|read|fsync)|"
    r"^[EF]\d{4} |^panic:|^fatal error:|Address already in use|Permission denied"
)
# FATAL too, and of one client each
_OF_A_CLIENT = re.compile(r"FATAL: +(?:the database system is|terminating|connection|password|role|database|sorry)")
_BEGINNING = re.compile(r"starting PostgreSQL |Start Seaweed Master (?!.*grpc)")  # its first part


def trouble_at(address: str) -> str | None:
    """What an embedded server's log says of its trouble, if it is one of ours that has this host and port.

    `address`: any text with `127.0.0.1:PORT` in it, such as a URL; nothing of it is repeated.
    """
    found = re.search(r"127\.0\.0\.1:(\d+)", address)
    home = os.environ.get("GLAD_HOME")
    if not found or not home:
        return None
    try:
        state = json.loads((Path(home) / "state.json").read_text(encoding="utf-8"))
        part = next(part for part in SERVERS if state.get(f"port {part}") == int(found[1]))
    except (OSError, ValueError, AttributeError, StopIteration):
        return None
    log = Path(home) / "logs" / f"{part}.log"
    return f"This is the embedded {SERVERS[part]}, started by glad. Its log: {report(log)}"


def report(log: Path) -> str:
    """A server's log and its telling lines, and that its disk is full where they say so."""
    lines = telling(log)
    text = "\n".join(f"  | {line}" for line in lines) or tail(log)
    return f"{log}\n{text}{disk.full_by(text, log.parent.parent)}"


def telling(log: Path) -> list[str]:
    """The last lines that say why a server is in trouble, since it was started last; of none, its very last lines."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65_536))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    begins = max((i for i, line in enumerate(lines) if _BEGINNING.search(line)), default=0)
    # an indented line goes on with a statement
    own = [
        one_line(redact(line), LONGEST_READ) for line in lines[begins:] if line.strip() and not line.startswith("\t")
    ]
    found = [line for line in own if (_TELLING.search(line) and not _OF_A_CLIENT.search(line)) or disk.says_full(line)]
    alike = {line[-40:]: line for line in found or own}  # what ends alike says one thing
    return [_shortened(line) for line in list(alike.values())[-LINES:]]


def _shortened(line: str) -> str:
    """At most LONGEST characters, cut in the middle: Go's errors end with their cause, after long paths and numbers."""
    if len(line) <= LONGEST:
        return line
    end = disk.end_of_full(line) or len(line)
    rest = LONGEST - BEGINNING - 2
    if end <= LONGEST - 1:
        return f"{line[: LONGEST - 1]}…"
    return f"{line[:BEGINNING]}…{line[end - rest : end]}{'…' if end < len(line) else ''}"
