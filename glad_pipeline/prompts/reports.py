"""What runs have done with prompts and Dagster does not tell yet: posts that no materialization lists, and prompts put
aside that no check has named.

The transaction that does it notes it (`settle_…` in `queries.sql`); it is removed when Dagster has it. Should a run die
between the two, the next one reports it. Knows runs by their ids only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psycopg

from glad_pipeline.database import Connection, Database, DatabaseError, named_queries
from glad_pipeline.prompts import hold

SQL = named_queries(__package__, "reports.sql")


@dataclass(frozen=True, kw_only=True)
class Reports:
    """One run's reports of posts, or (not `published`) of prompts put aside."""

    database: Database
    run_id: str
    published: bool

    def of_the_gone(
        self, *, is_over: Callable[[str], bool], is_told: Callable[[str], bool] = lambda run_id: False
    ) -> None:
        """Make what runs have left whose process is gone this run's to report.

        Args:
            is_over: whether Dagster knows of a run that nothing more is to come of it.
            is_told: whether Dagster has that run's report: it died before it could remove it.
        """
        if gone := self._gone(is_over):
            bound = {"gone": gone, "told": [run_id for run_id in gone if is_told(run_id)]}
            self.database.transact("report", partial(_take, self._bound | bound))

    def _gone(self, is_over: Callable[[str], bool]) -> list[str]:
        """Runs without a lock that are over, or from a day ago: a killed one may never be over by what Dagster knows.

        Of those that have published also who has none `GRACE` seconds later: posts are reported by the step that
        publishes them. What is put aside is reported by a later step, which may be another process.
        """
        suspects = self._without_life()
        gone = {run_id for run_id, long_ago in suspects.items() if long_ago or is_over(run_id)}
        if self.published and suspects.keys() - gone:
            time.sleep(hold.GRACE)
            gone |= suspects.keys() & self._without_life().keys()
        return sorted(gone)

    def _without_life(self) -> dict[str, bool]:
        """Whether each of them has left nothing today."""
        rows = self.database.read(lambda c: c.execute(SQL["left_behind"], self._bound).fetchall())
        return {row["run_id"]: row["long_ago"] for row in rows}

    def waiting(self) -> dict[int, str | None]:
        """What is to be reported: the prompts, with the reason where they were put aside."""
        rows = self.database.read(lambda c: c.execute(SQL["of_run"], self._bound).fetchall())
        return {row["prompt_id"]: row["reason"] for row in rows}

    def done(self, prompts: Collection[int]) -> None:
        """Dagster has these. With the database gone meanwhile, the next run asks Dagster whether that is so."""
        bound = {**self._bound, "ids": list(prompts)}
        with suppress(psycopg.Error, DatabaseError):
            if prompts:
                self.database.transact("report", lambda c: c.execute(SQL["remove"], bound), patience=0)

    @property
    def _bound(self) -> dict[str, object]:
        return {"run_id": self.run_id, "published": self.published}


def _take(bound: dict[str, object], connection: Connection) -> None:
    connection.execute(SQL["forget"], bound)
    connection.execute(SQL["take"], bound)
