"""`glad reproduce`: draw a published picture again.

Exit codes: 0 the new picture is bit-equal and the record true, 1 it is not, 2 that could not be found out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.errors import GladError, UsageError


def reproduce(
    context: typer.Context,
    picture: Annotated[
        str,
        typer.Argument(
            metavar="POST|IMAGE", help="a post's id or slug; an image's id, key or URL; or a PNG file of ours"
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="draw with this model; else the recorded one, as GLAD_MODEL finds it"),
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE.png", parser=Path, help="keep the new picture")] = None,
    json: Json = False,
) -> int:
    """Draw a published picture again and say whether it is the same, and what differs."""
    from glad_pipeline.operations import reproduce as operation

    runtime = Runtime.of(context)
    if save is not None and (save.is_dir() or not save.parent.is_dir()):
        raise UsageError(f"--save {save}: name a file in a directory that exists")
    if operation.is_file(picture):
        record = operation.record_of_file(Path(picture))
    else:
        with runtime.database(name="glad reproduce") as database:
            record = operation.record_of(picture, database, runtime.store())
    try:
        outcome = operation.reproduce(record, runtime.settings, model=model)
    except GladError as error:
        raise UsageError(str(error)) from error
    if save is not None:
        operation.save(outcome, save)
    if json:
        print_json(outcome.as_dict())
    else:
        print(outcome)
    return 0 if outcome.bit_equal and not outcome.contradictions else 1
