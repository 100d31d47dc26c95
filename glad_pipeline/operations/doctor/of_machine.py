"""This machine: the state folder, room on its disk, what waits in the spool, and the clock against the servers'."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from glad_pipeline import disk
from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.display import in_bytes
from glad_pipeline.local.home import Home
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.storage.spool import QUARANTINE, Spool, spool_of

LITTLE, TOO_LITTLE = 1_000_000_000, 50_000_000  # bytes free
SKEW = 60.0  # seconds


def home(deployment: Deployment) -> Iterator[Diagnosis]:
    """GLAD_HOME is ours alone, and its disk has room."""
    path = Path(deployment.settings.home).expanduser().absolute()
    Home(path).check()
    if not path.exists():
        yield not_tested("folder", f"{path} is not there yet; the first command that needs it makes it")
    else:
        yield _folder(path, fix=deployment.fix)
    room = disk.free(path)
    if room < LITTLE:
        line = wrong if room < TOO_LITTLE else risk
        cure = "make room there, or set GLAD_HOME to a directory on a larger disk"
        yield line("disk", f"{in_bytes(room)} are free on the disk of {path}", cure)
    else:
        yield right("disk", f"{in_bytes(room)} are free on the disk of {path}")


def _folder(path: Path, *, fix: bool) -> Diagnosis:
    allowed = 0o711 if os.geteuid() == 0 else 0o700  # of root's a server that runs as nobody has to pass it
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o777 & ~allowed:
        return right("folder", f"{path} is yours alone")
    if fix:
        path.chmod(mode & allowed)
        return right("folder", f"{path} was open to other users, and is yours alone now")
    cure = f"chmod {mode & allowed:o} {path}, or ./glad doctor --fix"
    return risk("folder", f"other users of this machine may enter {path}, where secrets are", cure)


def spool(deployment: Deployment) -> Iterator[Diagnosis]:
    """Drawn pictures that wait for this bucket, for others, or that nobody delivers."""
    own = deployment.settings
    here = spool_of(Path(own.home) / "spool", deployment.store, megabytes=own.spool_mb)
    files, size = here.total()
    room = own.spool_mb * 1_000_000
    said = f"{files} pictures, {in_bytes(size)}, wait for the store in {here.folder}" if files else "nothing waits"
    if size > 0.9 * room:
        cure = "mend the store, whose next run takes them, or raise GLAD_SPOOL_MB"
        yield risk("spool", f"{said}, of at most {in_bytes(room)}: drawing stops when it is full", cure)
    else:
        yield right("spool", said)
    yield from _left_over(here)


def _left_over(here: Spool) -> Iterator[Diagnosis]:
    for folder, count in here.elsewhere().items():
        cure = "run once with the settings of that store, or remove the folder: those prompts are drawn anew"
        yield risk("spool", f"{count} pictures wait in {folder} for another store than that of the settings", cure)
    aside = here.folder / QUARANTINE
    if damaged := sum(1 for _ in aside.iterdir()) if aside.is_dir() else 0:
        yield risk("spool", f"{damaged} damaged files were put aside in {aside}", "look at the disk; then remove them")


def clock(deployment: Deployment) -> Iterator[Diagnosis]:
    """This machine's clock against the database's; the store's is looked at with the store."""
    row = deployment.database.read(lambda connection: connection.execute("SELECT clock_timestamp() AS now").fetchone())
    ahead = (_now() - row["now"]).total_seconds() if row else 0.0
    if abs(ahead) < SKEW:
        yield right("clock", "this machine's clock and the database's agree")
        return
    how = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database"
    cure = "set this machine's clock, or the server's: switch time synchronisation (NTP) on"
    yield risk("clock", f"{how}: leases and times of publication go wrong", cure)


def _now() -> datetime:
    return datetime.now(UTC)
