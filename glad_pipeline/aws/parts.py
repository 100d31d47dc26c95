"""One thing that is looked at, as it is beside how it is wanted: what `glad storage setup` plans, does and checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glad_pipeline.aws.access import Refused
from glad_pipeline.diagnosis import Diagnosis, Level

Tell = Callable[[str], None]  # takes a line about how far something is


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One line of a plan or a check."""

    name: str  # such as "CORS"
    level: Level  # OK: as wanted. WARNING: differs. ERROR: differs, and may not be changed. NOT_TESTED: not known
    text: str  # what is, or what a change does
    cure: str | None = None
    change: Callable[[Tell], None] | None = None  # makes it as wanted; raises `AwsError`. None: nothing to
    stops: bool = False  # whether nothing at all is changed while it is so: it is somebody else's

    def diagnosis(self) -> Diagnosis:
        """As the doctor writes a line."""
        cure = self.cure or ("run ./glad storage setup" if self.change else None)
        return Diagnosis(check=self.name, level=self.level, text=self.text, cure=cure)


def right(name: str, text: str) -> Part:
    return Part(name=name, level=Level.OK, text=text)


def differs(name: str, text: str, change: Callable[[Tell], None], cure: str | None = None) -> Part:
    return Part(name=name, level=Level.WARNING, text=text, change=change, cure=cure)


def foreign(name: str, text: str, cure: str) -> Part:
    """Somebody else's: nothing at all is changed."""
    return Part(name=name, level=Level.ERROR, text=text, cure=cure, stops=True)


def unknown(name: str, text: str, cure: str | None = None) -> Part:
    return Part(name=name, level=Level.NOT_TESTED, text=text, cure=cure)


def denied(name: str, refused: Refused) -> Part:
    """One call was refused, mostly for lack of a right: the other parts are looked at and changed all the same."""
    allow = f"allow {refused.action} (./glad storage policy setup), or use other credentials for this command"
    cure = allow if refused.is_denied else "mend what it says, and run it again"
    return Part(name=name, level=Level.ERROR, text=str(refused), cure=cure)
