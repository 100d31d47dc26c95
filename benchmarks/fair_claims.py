"""What a claim of 64 prompts costs where many wait, by turns of their sources and as it was before there were any.

    .venv/bin/python -m benchmarks.fair_claims [--rows 1000000] [--claims 30]

Each shape of the queue is a database of its own. Before: the statement of the release without sources, with the index
that it had. Claims of the two alternate, so that both meet the same machine, and each is rolled back. Prints the
greatest median last and writes `benchmarks/results/fair_claims.json`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import timedelta
from typing import Any, LiteralString

from benchmarks import job, report
from glad_pipeline.database import Connection, connect
from glad_pipeline.prompts.taking import SQL

SLICE = 64
BEFORE: LiteralString = """
WITH next AS MATERIALIZED (
    SELECT id FROM prompts WHERE status = 'pending' AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
      AND (%(ahead)s OR %(ids)s::bigint[] IS NOT NULL OR coalesce(publish_at, '-infinity'::timestamptz) <= now())
    ORDER BY priority DESC, id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE prompts p SET status = 'claimed', claim_token = %(token)s, claimed_by = %(worker)s,
    lease_expires_at = now() + %(lease)s, claimed_at = now()
FROM next WHERE p.id = next.id
RETURNING p.id, coalesce(p.post_id, p.published_post_id) IS NOT NULL AS has_post"""
INDEX: LiteralString = "CREATE INDEX before ON prompts (priority DESC, id) WHERE status = 'pending'"
URGENT: LiteralString = (
    "INSERT INTO prompts (prompt, source, priority) SELECT 'p', 'urgent', 9 FROM generate_series(1, %(rows)s / 10)"
)
PAUSED: LiteralString = "INSERT INTO prompt_sources (source, paused_since) VALUES ('urgent', now())"
BULK: LiteralString = "INSERT INTO prompts (prompt) SELECT 'p' FROM generate_series(1, %(rows)s)"
SPREAD: LiteralString = (
    "INSERT INTO prompts (prompt, source) SELECT 'p', 's' || n %% %(sources)s FROM generate_series(1, %(rows)s) AS n"
)
SHAPES: dict[str, tuple[LiteralString, ...]] = {
    "one source": (BULK,),
    "two sources": (BULK, URGENT.replace("9", "0")),
    "10,000 sources": (SPREAD,),
    "urgent rows of a paused source": (BULK, URGENT, PAUSED),
    "rows that nobody has analyzed": (BULK, URGENT, PAUSED),
}


def measure(name: str, rows: int, claims: int) -> dict[str, Any]:
    with job.own_world(), connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for statement in SHAPES[name]:
            connection.execute(statement, {"rows": rows, "sources": 10_000})
        connection.execute(INDEX)
        if name != "rows that nobody has analyzed":
            connection.execute("VACUUM ANALYZE prompts")
        spent: dict[str, list[float]] = {"before": [], "now": [], "overdue": [], "nothing": []}
        for _ in range(claims):
            for way, taken in spent.items():
                taken.append(_claim(connection, way))
    return {"shape": name, **{way: round(statistics.median(taken) * 1_000, 2) for way, taken in spent.items()}}


def _claim(connection: Connection, way: str) -> float:
    """Seconds of one claim: the old way, by turns, by turns after a look for what is overdue; or of a look in vain."""
    bound = {
        "ids": None,
        "ahead": True,
        "batch": SLICE,
        "among": SLICE,
        "above": None,
        "had": [],
        "without": [],
        "most": 16,
        "token": 1,
        "worker": "w",
    }
    bound |= dict.fromkeys(("lease", "longest_wait"), timedelta(hours=1))
    with connection.transaction(force_rollback=True):
        since = time.perf_counter()
        if way == "nothing":
            connection.execute(SQL["in_turn"], {**bound, "above": 9})
        elif way == "before":
            connection.execute(BEFORE, bound)
        else:
            if way == "overdue":
                connection.execute(SQL["claim_overdue"], {**bound, "batch": 8})
            connection.execute(SQL["claim"], bound)
        return time.perf_counter() - since


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--claims", type=int, default=30)
    args = parser.parse_args()
    print(f"| {args.rows:,} rows wait | before | by turns | and a look for what is overdue | a look in vain |")
    print("|---|---:|---:|---:|---:|")
    rows = []
    for name in SHAPES:
        row = measure(name, args.rows, args.claims)
        rows.append(row)
        print(
            f"| {name} | {row['before']} ms | {row['now']} ms | {row['overdue']} ms | {row['nothing']} ms |", flush=True
        )
    worst = max(row["now"] for row in rows)
    report.write("fair_claims", {"shapes": rows, "worst_ms": worst})
    print(f"fair claims: {worst} ms for {SLICE} prompts at most")


if __name__ == "__main__":
    main()
