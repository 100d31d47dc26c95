"""All that `glad audit` looks at: bucket and catalogue, queue and outbox, addresses on posts, the newest picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from glad_pipeline.database import Database
from glad_pipeline.operations.audit.addresses import look_at_addresses, visits_of
from glad_pipeline.operations.audit.report import Report
from glad_pipeline.operations.audit.walk import GRACE, audit
from glad_pipeline.pipeline import store_check
from glad_pipeline.pipeline.visit import problem_of_newest
from glad_pipeline.settings.stores import PublicCheck
from glad_pipeline.storage.protocol import ObjectStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How an audit looks, and whether it mends. See `walk.audit`."""

    fix: bool = False
    at_most: int | None = None
    deep: bool = False
    grace: timedelta = GRACE
    urls: str | None = None  # all, sample or none; None: a sample, none where no address is to be visited


@dataclass(frozen=True, kw_only=True, slots=True)
class Audited:
    """What an audit has found."""

    report: Report
    unseen: str | None  # why visitors are not given the newest picture; None: they are, or it was not tried

    @property
    def is_clean(self) -> bool:
        """Whether nothing is amiss, any more."""
        return not (self.report.remaining() or self.unseen)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self.report.as_dict() | {"visitors": self.unseen}


def audit_all(
    database: Database,
    store: ObjectStore,
    asked: Asked,
    *,
    public_check: PublicCheck,
    tell: Callable[[Report], None] = lambda report: None,
    warn: Callable[[str], None] = lambda text: None,
) -> Audited:
    """Look at all of it. `tell` hears how far it is, `warn` what is to be known of the store.

    Raises `UsageError` for what cannot be right, `GladError` where store or database cannot be asked.
    """
    visits = visits_of(asked.urls, public_check)
    store = store_check.belonging(database, store, writes=asked.fix, tell=warn)
    report = audit(database, store, grace=asked.grace, fix=asked.fix, deep=asked.deep, at_most=asked.at_most, tell=tell)
    look_at_addresses(database, store, report, visits=visits, tell=tell)
    return Audited(report=report, unseen=problem_of_newest(database, store) if public_check != "off" else None)
