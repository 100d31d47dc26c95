"""What a look at a store finds it able to do, and how that is written down. Knows no store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from glad_pipeline.diagnosis import Diagnosis, Level

VERSION = 1  # of what is looked at: a store that an older release has looked at is looked at again
Checksum = Literal["sha256", "md5", "read-back"]
# `work()` for a key, while nobody else who shares our database does the same for that key; its answer
Exclusively = Callable[[str, Callable[[], bool]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Abilities:
    """What a store does of that which not every one does. By default all: AWS S3, and the embedded server."""

    conditional: bool = True  # `If-None-Match: *` is obeyed; else a key is looked at, and written under a lock
    checksum: Checksum = "sha256"  # how a damaged upload is found out


ALL = Abilities()


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """What one look has found."""

    able: Abilities
    found: tuple[Diagnosis, ...]  # every check, those that are right included

    def warnings(self) -> list[str]:
        """What is to be told once."""
        return [each.in_words() for each in self.found if each.level is Level.WARNING]

    def remembered(self, options: str) -> str:
        """As JSON, to be remembered for a store that is opened with these options (`ObjectStore.options_mark`)."""
        found = [asdict(each) for each in self.found if each.level not in (Level.OK, Level.NOT_TESTED)]
        return json.dumps({"version": VERSION, "options": options, "able": asdict(self.able), "found": found})


def recalled(kept: Any, options: str) -> Probed | None:
    """What was remembered for these options; None: it has to be looked at (again), as a store that was wrong has to."""
    if not isinstance(kept, dict) or kept.get("version") != VERSION or kept.get("options") != options:
        return None
    try:
        found = tuple(Diagnosis(**each | {"level": Level(each["level"])}) for each in kept["found"])
        probed = Probed(able=Abilities(**kept["able"]), found=found)
        return None if any(each.level is Level.ERROR for each in found) else probed
    except (KeyError, TypeError, ValueError):
        return None
