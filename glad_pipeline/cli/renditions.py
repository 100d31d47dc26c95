"""`glad renditions make`: the smaller copies of pictures that are in the store without them.

Exit codes: 0 all are there, 1 some could not be made, or the store or the database could not be asked.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json, print_told
from glad_pipeline.cli.progress import Progress
from glad_pipeline.cli.runtime import Runtime, belonging
from glad_pipeline.display import in_bytes
from glad_pipeline.errors import GladError
from glad_pipeline.redaction import redact

if TYPE_CHECKING:
    from glad_pipeline.operations.renew_posts import Posts
    from glad_pipeline.pipeline.renditions import Completed

TELL_EVERY = 3.0  # seconds between lines of progress

commands = group("Smaller copies of pictures for browsers and social networks.")


@commands.command("make")
def make(
    context: typer.Context,
    posts: Annotated[bool, typer.Option("--posts", help="have published posts show them too")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count what is lacking")] = False,
    json: Json = False,
) -> int:
    """Make what GLAD_RENDITIONS asks for of pictures that are in the store without it; may be stopped and repeated."""
    from glad_pipeline.operations.renew_posts import Posts, renew_all
    from glad_pipeline.pipeline.renditions import Completed, complete_all, unmakeable
    from glad_pipeline.records import values_of

    runtime = Runtime.of(context)
    if problem := unmakeable(runtime.settings.wanted):
        raise GladError(problem)
    if runtime.settings.renditions == "none":
        print("glad: GLAD_RENDITIONS is none: none are asked for", file=sys.stderr)
    done = Completed()
    with (
        runtime.database(name="glad renditions", patient=True) as database,
        Progress(every=TELL_EVERY, quiet=TELL_EVERY) as progress,
    ):
        store = belonging(database, runtime.store(), writes=not dry_run)
        for done in complete_all(database, lambda: store, runtime.settings.wanted, dry_run=dry_run):
            progress.tell(partial(_so_far, done))
        renewed: Posts | None = Posts() if posts else None
        if posts:
            for renewed in renew_all(database, featured=runtime.settings.featured, dry_run=dry_run):
                progress.tell(partial(_of_posts, renewed))
    if json:
        problems = {"problems": {str(image): why for image, why in done.problems.items()}}
        print_json(values_of(done) | problems | {"posts": values_of(renewed) if renewed else None})
    else:
        print(f"bucket {store.bucket}: {_so_far(done)}")
        if renewed:
            print(_of_posts(renewed, dry_run=dry_run))
            print_told(runtime.settings, renewed.told)
        elif done.made:
            print("posts that are published keep what they show; --posts has them show these too")
    for image, reason in done.problems.items():
        print(f"glad: picture {image}: {redact(reason)}", file=sys.stderr)
    for post, reason in renewed.reasons.items() if renewed else ():
        print(f"glad: post {post}: {redact(reason)}", file=sys.stderr)
    return 1 if done.failed or (renewed and renewed.refused) else 0


def _of_posts(done: Posts, *, dry_run: bool = False) -> str:
    refused = f", {done.refused:,} cannot be changed" if done.refused else ""
    return f"{done.changed:,} posts {'would show' if dry_run else 'show'} other renditions now{refused}"


def _so_far(done: Completed) -> str:
    made = f", {done.completed:,} completed: {done.made:,} renditions ({in_bytes(done.bytes)})" if done.made else ""
    return f"{done.looked_at:,} pictures looked at, {done.lacking:,} lack renditions{made}"
