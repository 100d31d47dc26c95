"""How many prompts a second PostgreSQL lets several runs at once claim, begin, catalogue and publish.

    .venv/bin/python -m benchmarks.claims [--prompts 4096]

All that a run commits for a prompt, by the very statements it commits it with, and nothing else: no drawing, no S3, no
Dagster. Each hold is a process of its own, as a run is. Drawing is begun in batches of 16; the catalogue is written
500 and posts 100 rows a transaction, as the assets do. Prints the highest rate last and writes
`benchmarks/results/claims.json`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from benchmarks import report
from glad_pipeline.database import Connection, Database, connect
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.pipeline.blocked_recipes import refuse_blocked
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.publishing import blocklist, images
from glad_pipeline.publishing.posts import Blog
from glad_pipeline.records import Prompt
from glad_pipeline.storage.keys import original_key, thumbnail_key

WAYS = ((1, 256), (2, 256), (4, 256), (8, 256), (8, 16))  # holds at once, prompts a claim
BATCH = 16  # pictures drawn at once
CATALOGUED, PUBLISHED = 500, 100  # rows a transaction
PROVENANCE = {"versions": {f"package-{place}": "1.2.3" for place in range(20)}, "device": "a GPU", "notes": "x" * 400}


def hold_some(batch: int, ready: Any, told: Any) -> None:
    """One run's commits until nothing waits; tells its seconds by kind and when it began and ended."""
    seconds: Counter[str] = Counter()

    def timed(name: str, since: float) -> None:
        seconds[name] += time.perf_counter() - since

    with Database(os.environ["DATABASE_URL"]) as database:
        worker = f"benchmark {os.getpid()}"
        with Claim(database, worker=worker, lease=timedelta(seconds=120), max_attempts=5).open() as claim:
            claim.held()  # connections are made before the clock runs
            ready.wait()
            began, settled = time.time(), 0
            while True:
                since = time.perf_counter()
                rows = claim.take(batch)
                timed("claim", since)
                if not rows:
                    break
                since = time.perf_counter()
                for start in range(0, len(rows), BATCH):
                    claim.begin_drawing([prompt.id for prompt in rows[start : start + BATCH]])
                timed("begin_drawing", since)
                since = time.perf_counter()
                for start in range(0, len(rows), CATALOGUED):
                    some = rows[start : start + CATALOGUED]
                    database.transact("catalogue", partial(_catalogue, claim, some))
                timed("catalogue", since)
                since = time.perf_counter()
                while done := database.transact("publish", partial(_publish, claim)):
                    settled += done
                timed("publish", since)
            told.put({"began": began, "ended": time.time(), "settled": settled, "seconds": dict(seconds)})


def _catalogue(claim: Claim, prompts: Sequence[Prompt], connection: Connection) -> None:
    hashes = {each.id: sha256(str(each.id).encode()).hexdigest() for each in prompts}
    refuse_blocked(connection, {name: (original_key(name), thumbnail_key(name)) for name in hashes.values()})
    entries = [_entry(each, hashes[each.id]) for each in prompts]
    ids = images.record(connection, entries)
    claim.generated(connection, {each.id: ids[hashes[each.id]] for each in prompts})


def _entry(prompt: Prompt, name: str) -> images.CatalogueEntry:
    return images.CatalogueEntry(
        key=original_key(name),
        recipe_hash=name,
        recipe={"prompt": prompt.prompt, "seed": prompt.seed, "width": 1_024, "height": 1_024, "steps": 30},
        model="benchmark",
        model_revision="0" * 40,
        url=f"https://example.com/{original_key(name)}",
        sha256=name,
        bytes=1_800_000,
        width=1_024,
        height=1_024,
        content_type="image/png",
        seconds=1.0,
        contrast=50.0,
        provenance=PROVENANCE,
        pixels_sha256=name,
        thumbnail_key=thumbnail_key(name),
        thumbnail_url=f"https://example.com/{thumbnail_key(name)}",
    )


def _publish(claim: Claim, connection: Connection) -> int:
    blocklist.hold_off_takedowns(connection)
    due = claim.publishable(connection, PUBLISHED)
    if due:
        posts = {each.prompt_id: each.post_id for each in Blog(connection).publish(connection, due).published}
        claim.published(connection, posts)
        outbox.tell_of_posts(connection, {post for post in posts.values() if post})
    return len(due)


def measure(holds: int, batch: int, prompts: int) -> dict[str, Any]:
    """So many prompts by so many holds at once."""
    from benchmarks import job

    with job.own_world():
        job.add_hills(prompts)
        with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("ANALYZE prompts")
        written = _written()
        context = multiprocessing.get_context("spawn")
        ready, told = context.Barrier(holds), context.Queue()
        runs = [context.Process(target=hold_some, args=(batch, ready, told)) for _ in range(holds)]
        for run in runs:
            run.start()
        answers = [told.get(timeout=120) for _ in runs]
        for run in runs:
            run.join()
        settled = sum(answer["settled"] for answer in answers)
        assert settled == prompts, f"{settled} of {prompts} prompts were published"
        seconds = max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers)
        spent: Counter[str] = Counter()
        for answer in answers:
            spent.update(answer["seconds"])
        return {
            "holds": holds,
            "batch": batch,
            "prompts": prompts,
            "seconds": round(seconds, 3),
            "per_second": round(prompts / seconds),
            "ms_of_a_hold_per_prompt": {name: round(value / prompts * 1_000, 3) for name, value in spent.items()},
            "rows_written_per_prompt": round((_written() - written) / prompts, 1),
        }


def _written() -> int:
    """Rows inserted and updated in this database so far, by sessions that have ended."""
    with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute(
            "SELECT tup_inserted + tup_updated AS rows FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row["rows"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=4_096)
    args = parser.parse_args()
    print("| holds | prompts a claim | prompts/s | ms of a hold per prompt | rows written per prompt |")
    print("|---:|---:|---:|---|---:|")
    rows = []
    for holds, batch in WAYS:
        row = measure(holds, batch, args.prompts)
        rows.append(row)
        parts = ", ".join(f"{name} {value:.2f}" for name, value in row["ms_of_a_hold_per_prompt"].items())
        print(f"| {holds} | {batch} | {row['per_second']:,} | {parts} | {row['rows_written_per_prompt']} |", flush=True)
    best = max(rows, key=lambda row: row["per_second"])
    report.write("claims", {"ways": rows, "best_per_second": best["per_second"]})
    print(f"claims: {best['per_second']:,} prompts/s from claim to post, by {best['holds']} holds at once")


if __name__ == "__main__":
    main()
