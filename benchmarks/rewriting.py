"""Every published post changed: `glad urls rewrite`, and `glad renditions make --posts`, in how much memory?

    .venv/bin/python -m benchmarks.rewriting [--posts 1000000]

Published prompts with their pictures, three renditions each, and posts that show the originals, inserted by SQL on a
PostgreSQL of its own; there are no objects. First every address gets another base, then `renditions make` looks for
what is lacking (nothing), then every post gets srcset, placeholder and the picture for social networks. Memory is how
far the highest resident set rises above that of the process before. Prints the highest of these last and writes
`benchmarks/results/rewriting.json`.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import report
from benchmarks.job import own_world
from glad_pipeline.database import Database, connect
from glad_pipeline.operations.renew_posts import renew_all
from glad_pipeline.operations.rewrite_urls import move_of, rewrite
from glad_pipeline.pipeline.renditions import complete_all
from glad_pipeline.rendition_plan import wanted_of

OLD, NEW = "https://old.example.com/pictures", "https://cdn.example.com"
ROWS = (  # in one transaction; no trigger runs: these are states of long ago
    "SET LOCAL session_replication_role = replica",
    "CREATE TEMPORARY TABLE hashes ON COMMIT DROP AS SELECT n, encode(sha256(n::text::bytea), 'hex') AS h,"
    " gen_random_uuid() AS post FROM generate_series(1, %(posts)s::int) AS n",
    "INSERT INTO images (id, key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,"
    " model_revision, verified_at, placeholder) OVERRIDING SYSTEM VALUE SELECT n, key, h, %(base)s || '/' || key, h,"
    " 1800000, 1024, 1024, 'image/png', '{}', 'm', 'r', now(), 'data:image/webp;base64,' || repeat('A', 180)"
    " FROM hashes, LATERAL (SELECT 'generated/' || left(h, 2) || '/' || left(h, 32) || '.png' AS key) AS keys",
    "INSERT INTO renditions (image_id, key, kind, width, height, bytes, sha256) SELECT id, left(key, -4) || ending,"
    " r.kind, r.width, r.height, 90000, sha256 FROM images, (VALUES ('-w800.webp', 'webp', 800, 800),"
    " ('-w1024.webp', 'webp', 1024, 1024), ('-social.jpg', 'social', 1200, 630)) AS r (ending, kind, width, height)",
    "INSERT INTO posts (id, title, slug, content, status, featured_image_url, cover_image_url, metadata)"
    " SELECT post, 'Post ' || n, 'post-' || n, repeat('words of a post ', 60), 'published', url, url, '{}'"
    " FROM hashes JOIN images ON id = n",
    "INSERT INTO prompts (id, prompt, title, seed, status, image_id, published_post_id, published_at)"
    " OVERRIDING SYSTEM VALUE SELECT n, 'a hill ' || n, 'Post ' || n, n, 'published', n, post, now() FROM hashes",
)


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What it returns; seconds, and MiB that the highest resident set rose."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    result = work()
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return result, {"seconds": round(time.perf_counter() - began, 1), "mib": round(rise / 1024, 1)}


def last(pages: Iterator[Any]) -> Any:
    done = None
    for done in pages:  # noqa: B007
        pass
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    posts = parser.parse_args().posts
    figures: dict[str, Any] = {"posts": posts}
    wanted = wanted_of("webp", "800,native")
    with own_world() as store:
        with connect(os.environ["DATABASE_URL"]) as connection:
            for statement in ROWS:
                connection.execute(statement, {"posts": posts, "base": OLD} if "%(" in statement else None)
        with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        print(f"{posts:,} posts are there", flush=True)
        with Database(os.environ["DATABASE_URL"]) as database:
            rewrite(database, move_of("https://none.example", NEW), dry_run=True)  # all that is loaded once
            done, figures["urls rewrite"] = measured(lambda: rewrite(database, move_of(OLD, NEW), dry_run=False))
            assert (done.rows["posts"], done.rows["images"], done.refused) == (posts, posts, 0), done
            print(figures["urls rewrite"], flush=True)
            looked, figures["renditions make, nothing lacking"] = measured(
                lambda: last(complete_all(database, lambda: store, wanted))
            )
            assert (looked.looked_at, looked.lacking) == (posts, 0), looked
            print(figures["renditions make, nothing lacking"], flush=True)
            renewed, figures["renditions make --posts"] = measured(
                lambda: last(renew_all(database, featured="webp-800", dry_run=False))
            )
            assert (renewed.changed, renewed.told, renewed.refused) == (posts, posts, 0), renewed
    report.write("rewriting", figures)
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(f"memory: {max(each['mib'] for each in figures.values() if isinstance(each, dict))} MiB at most")


if __name__ == "__main__":
    main()
