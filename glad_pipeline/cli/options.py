"""Options and arguments that several commands have, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON, for scripts")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
Limit = Annotated[int, typer.Option(metavar="N", help="at most so many")]
Ids = Annotated[list[int], typer.Argument(metavar="ID...", show_default=False)]
IdsOrNone = Annotated[list[int] | None, typer.Argument(metavar="ID...", show_default=False)]
