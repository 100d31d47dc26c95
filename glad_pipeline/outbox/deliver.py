"""Delivers outbox messages. Unreachable targets are retried; a message rejected for its content is marked dead.

No transaction is open while a target is notified.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from glad_pipeline.database import Connection, Database
from glad_pipeline.errors import GladError
from glad_pipeline.failpoints import reached
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox.messages import Kind, Message, Settled
from glad_pipeline.outbox.targets import Refused, Targets

KINDS: tuple[Kind, ...] = ("revalidate", "delete", "purge")  # a deletion delivered makes a purge
TOGETHER = 100  # messages in one request: a thousand posts are not a thousand requests for "/"
LONG = 300.0  # seconds for all that is due
ALONE_SECONDS = 40.0  # for telling one by one, well within VISIBILITY_TIMEOUT
SHOWN = 5  # errors kept in a report


@dataclass(kw_only=True)
class Report:
    """How many messages ended how in one delivery or several, and the first failures."""

    delivered: int = 0
    skipped: int = 0
    dead: int = 0
    errors: list[str] = field(default_factory=list)  # the first SHOWN, each once
    _waiting: set[int] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """Messages that will be tried again."""
        return len(self._waiting)

    def add(self, settled: Iterable[Settled]) -> None:
        for each in settled:
            if each.status == "waiting":
                self._waiting.add(each.message.id)
            else:
                self._waiting.discard(each.message.id)
                setattr(self, each.status, getattr(self, each.status) + 1)
            if each.error and each.status != "skipped" and each.error not in self.errors and len(self.errors) < SHOWN:
                self.errors.append(each.error)


def deliver(
    database: Database,
    targets: Targets,
    *,
    max_attempts: int,
    subjects: Sequence[str] | None = None,
    seconds: float = LONG,
    report: Report | None = None,
    look: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Deliver what is due, all or what is about these subjects, for about so many seconds; the rest stays due.

    Two deliverers share the work. Whoever does not answer is asked once, and not for each message. Raises only for
    the database, and what `look` raises, which is called before each few messages. Returns `report`, with what was
    delivered added.
    """
    report = Report() if report is None else report
    until = time.monotonic() + seconds
    for kind in KINDS:
        tell, nobody = targets.of(kind)
        while time.monotonic() < until:
            look(report)
            work = partial(outbox.take, kind=kind, limit=TOGETHER, subjects=subjects)
            messages = database.transact("take_messages", work)
            if not messages:
                break
            if tell is None:
                settled, unreachable = [Settled(message=m, status="skipped", error=nobody) for m in messages], None
            else:
                settled, unreachable = _notified(messages, tell, max_attempts)
            database.transact("settle_messages", partial(_settle, settled, unreachable))
            report.add(settled)
            if unreachable:
                break
    if subjects is None:
        with database.transaction() as connection:
            outbox.prune(connection)
    return report


def _settle(settled: Sequence[Settled], unreachable: Settled | None, connection: Connection) -> None:
    outbox.settle(connection, settled)
    if unreachable and unreachable.error:
        outbox.postpone(connection, unreachable.message.kind, delay=unreachable.delay, error=unreachable.error)


def _notified(
    messages: Sequence[Message], tell: Callable[[Sequence[Message]], None], max_attempts: int
) -> tuple[list[Settled], Settled | None]:
    """Tell all at once; one by one where one of them is refused, or has failed half its tries in whatever company.

    Also returns one that waits since they are unreachable.
    """
    reached("deliver.before")
    try:
        tell(messages)
    except GladError as error:
        if len(messages) > 1 and (isinstance(error, Refused) or _tried_enough(messages, max_attempts)):
            return _notified_alone(messages, tell, max_attempts)
        if isinstance(error, Refused):
            return [Settled(message=messages[0], status="dead", error=str(error))], None
        settled = [_later(message, str(error), max_attempts) for message in messages]
        return settled, min(settled, key=lambda each: each.message.attempts)
    reached("deliver.after")
    return [Settled(message=message, status="delivered") for message in messages], None


def _notified_alone(
    messages: Sequence[Message], tell: Callable[[Sequence[Message]], None], max_attempts: int
) -> tuple[list[Settled], Settled | None]:
    """Each for itself: one that can never be delivered does not take the others with it."""
    settled: list[Settled] = []
    unreachable: list[Settled] = []
    until = time.monotonic() + ALONE_SECONDS
    for place, message in enumerate(messages):
        if time.monotonic() > until:
            late = "the others took too long"
            settled += [Settled(message=each, status="waiting", error=late) for each in messages[place:]]
            break
        alone, unanswered = _notified([message], tell, max_attempts)
        settled += alone
        unreachable += [unanswered] if unanswered else []
    nobody_answered = len(unreachable) == len(settled)
    return settled, unreachable[0] if nobody_answered else None


def _tried_enough(messages: Sequence[Message], max_attempts: int) -> bool:
    return max(message.attempts for message in messages) > max_attempts // 2


def _later(message: Message, error: str, max_attempts: int) -> Settled:
    return Settled(message=message, status="dead" if message.attempts >= max_attempts else "waiting", error=error)
