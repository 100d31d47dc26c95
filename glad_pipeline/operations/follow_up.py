"""What follows a takedown at once: its messages are delivered, our own traces removed, and what is left is reported.

Knows the outbox's targets from the settings; what a takedown changes in rows is takedown.py's, what is removed beside
them removal.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from glad_pipeline.database import Database, jsonable
from glad_pipeline.limits import LISTED
from glad_pipeline.operations.removal import Removal
from glad_pipeline.operations.takedown import TakenDown
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox.deliver import LONG, Report, deliver
from glad_pipeline.outbox.targets import Targets, targets
from glad_pipeline.settings import Settings

ONLY_FOR_WORDING = ("subjects", "pictures", "messages_after")
AT_ONCE = 45.0  # seconds for which a takedown itself tries to tell others


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """A takedown and what has become of it."""

    taken: TakenDown
    messages: list[outbox.MessageStatus]  # the oldest first
    forgotten: list[str]  # what was removed of our own traces, a line each
    remaining: list[str]  # what others may still hold

    @property
    def undone(self) -> bool:
        return any(each.status in ("waiting", "dead") for each in self.messages)

    @property
    def given_up(self) -> bool:
        return any(each.status == "dead" for each in self.messages)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        answer = {name: value for name, value in asdict(self.taken).items() if name not in ONLY_FOR_WORDING}
        answer |= {"changed": self.taken.changed, "messages": [jsonable(each) for each in self.messages]}
        return answer | {"done": not self.undone, "forgotten": self.forgotten, "others_may_hold": self.remaining}


def follow_up(database: Database, settings: Settings, removal: Removal, taken: TakenDown) -> FollowUp:
    """Deliver what a takedown has written, remove our own traces, and say what others may still hold."""
    messages: list[outbox.MessageStatus] = []
    pictures = [f"image:{key}" for key in taken.pictures]
    if subjects := [*taken.subjects, *pictures]:
        deliver_now(database, settings, removal, subjects=subjects)
        with database.transaction() as connection:
            messages = outbox.messages(
                connection, subjects=taken.subjects, since=taken.messages_after + 1, limit=LISTED.high
            )
            messages += [  # of an earlier takedown, which is not done until they are
                each
                for status in ("waiting", "dead")
                for each in outbox.messages(connection, subjects=pictures, status=status, limit=LISTED.high)
                if each.id <= taken.messages_after
            ]
    messages.reverse()
    purged = any((each.kind, each.status) == ("purge", "delivered") for each in messages)
    return FollowUp(
        taken=taken,
        messages=messages,
        forgotten=removal.forget(taken.pictures) if taken.pictures else [],
        remaining=removal.may_remain(purged=purged) if taken.removed else [],
    )


def deliver_now(
    database: Database,
    settings: Settings,
    removal: Removal,
    subjects: Sequence[str] | None = None,
    look: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Deliver messages (None: all), also those that wait for their next try; `look` may end it, see `deliver`."""
    with database.transaction() as connection:
        outbox.hurry(connection, subjects)
    return deliver(
        database,
        _targets(settings, removal),
        max_attempts=settings.outbox_attempts,
        subjects=subjects,
        seconds=AT_ONCE if subjects else LONG,
        look=look,
    )


def _targets(settings: Settings, removal: Removal) -> Targets:
    return targets(
        site_url=settings.site_url,
        secret=settings.revalidate_secret.get_secret_value() if settings.revalidate_secret else None,
        distribution_id=settings.cloudfront_distribution_id,
        delete=removal,
        url=removal.url,
    )
