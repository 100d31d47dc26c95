"""This machine: the state folder, room on its disk, what waits in the spool, and the clock against the servers'."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from glad_pipeline import disk
from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.display import in_bytes
from glad_pipeline.local.home import Home
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.pipeline.identity import KEY
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.spool import QUARANTINE, Spool, spool_of

LITTLE, TOO_LITTLE = 1_000_000_000, 50_000_000  # bytes free
SKEW, REFUSED = 60.0, 900.0  # seconds: leases and times of publication suffer; S3 refuses requests


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
    others = stat.S_IMODE(path.stat().st_mode) & 0o077
    if not others:
        return right("folder", f"{path} is yours alone")
    if fix:
        path.chmod(0o700)
        return right("folder", f"{path} was open to other users, and is yours alone now")
    cure = f"chmod 700 {path}, or ./glad doctor --fix"
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
    """This machine's clock against the database's and the store's."""
    for name, ours, theirs in _clocks(deployment):
        if theirs is None:
            yield not_tested(name, "it does not say what time it is")
            continue
        ahead = (ours - theirs).total_seconds()
        if abs(ahead) < SKEW:
            yield right(name, f"within {max(1, round(abs(ahead)))} s of this machine's")
            continue
        how = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} it"
        cure = "set this machine's clock, or that server's: switch time synchronisation (NTP) on"
        line = wrong if abs(ahead) > REFUSED and name == "store" else risk
        yield line(name, how, cure)


def _clocks(deployment: Deployment) -> Iterator[tuple[str, datetime, datetime | None]]:
    theirs = deployment.database.read(lambda c: c.execute("SELECT clock_timestamp() AS now").fetchone())
    yield "database", _now(), theirs["now"] if theirs else None
    try:
        listed = next(islice(deployment.store.listing(KEY), 1), None)
    except StoreError as error:
        if "RequestTimeTooSkewed" not in str(error) and "clock" not in str(error):
            raise
        return
    yield "store", _now(), listed.now if listed else None


def _now() -> datetime:
    return datetime.now(UTC)
