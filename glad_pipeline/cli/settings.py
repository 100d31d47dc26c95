"""`glad settings`: every setting, as a table for people or for the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from glad_pipeline.cli.output import print_markdown, print_table
from glad_pipeline.cli.runtime import Runtime

HEADERS = ("variable", "default", "meaning")


def settings(
    context: typer.Context,
    markdown: Annotated[bool, typer.Option("--markdown", help="as the table in docs/settings.md")] = False,
) -> int:
    """Every setting: variable, default, meaning."""
    _ = Runtime.of(context).settings  # a value that cannot be is reported here too
    rows = list(settings_rows())
    if markdown:
        quoted = [(f"`{name}`", f"`{default}`" if default else "", meaning) for name, default, meaning in rows]
        print_markdown(HEADERS, quoted)
    else:
        print_table(HEADERS, rows)
    return 0


def settings_rows() -> Iterator[tuple[str, str, str]]:
    """Variable, default and meaning of every setting, those of drawing last, read from the settings themselves."""
    from glad_pipeline.engine_options import EngineSettings
    from glad_pipeline.settings import Settings, variables_of

    for _, field in sorted(Settings.model_fields.items(), key=lambda named: named[0] in EngineSettings.model_fields):
        name = variables_of(field)[0]
        default = "" if field.default is None else str(field.default)
        yield name, default.lower() if isinstance(field.default, bool) else default, field.description or ""
