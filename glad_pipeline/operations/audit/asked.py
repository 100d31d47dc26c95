"""What the database alone can tell of prompts, posts and messages."""

from __future__ import annotations

from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.operations.audit.report import Report

SQL = named_queries(__package__)
# The kind of finding, the query, and each in words.
ASKED = (
    ("lost", "lost", "prompt {id}: {why}"),
    (
        "dead_links",
        "links_to_removed",
        "post {slug!r} (prompt {prompt_id}) shows {url}, which was taken down: unpublish it",
    ),
    ("duplicates", "shared_posts", "post {post_id} is that of prompts {prompts}"),
    ("duplicates", "doubled_posts", "post {slug!r} beside that of prompt {prompt_id}"),
    ("stuck", "stuck", "prompt {id}, claimed by {claimed_by}"),
    ("waiting", "waiting", "prompt {id}, drawn {generated_at:%Y-%m-%d %H:%M:%S} UTC"),
    ("elsewhere", "elsewhere", "{key} in the bucket {bucket!r} at {place}"),
    ("dead_messages", "dead_messages", "message {id} ({kind} {subject}): {last_error}"),
    ("undelivered", "undelivered", "the oldest: message {id} ({kind} {subject}), {created_at:%Y-%m-%d %H:%M:%S} UTC"),
)


def ask(connection: Connection, report: Report) -> None:
    """Add all of it to the report."""
    for kind, query, words in ASKED:
        if query == "doubled_posts" and not value(connection, SQL["has_image_s3_key"]):
            continue
        rows = connection.execute(SQL[query], {"limit": report.shown}).fetchall()
        if rows:
            report.count(kind, rows[0]["found"], (words.format(**row) for row in rows))
