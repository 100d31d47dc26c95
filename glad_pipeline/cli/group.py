"""How groups of commands are made: one look of the help for all, plain text in sections."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import click
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.models import CommandFunctionType
from typer.utils import get_params_from_function

HEADINGS = (  # of `glad --help`, in this order
    SERVERS := "Start and stop",
    QUEUE := "Prompts and posts",
    MODELS := "Models and workers",
    CHECKS := "Check and restore",
    SETTINGS := "Database, settings, tests",
    OTHERS := "Commands",
)


class Group(TyperGroup):
    """A group whose help lists its commands whole, under the heading (`rich_help_panel`) that each was added with."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        for name, command in self.commands.items():
            heading = getattr(command, "rich_help_panel", None)
            sections[heading if heading in HEADINGS else OTHERS].append((name, (command.help or "").strip()))
        for heading, lines in sections.items():
            if lines:
                with formatter.section(heading):
                    formatter.write_dl(lines)


class Command(TyperCommand):
    """A command whose help explains its arguments: click 8.5 forgets what typer 0.25 has given it of them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        declared = get_params_from_function(inspect.unwrap(self.callback)) if self.callback else {}
        for parameter in self.params:
            if isinstance(parameter, TyperArgument) and parameter.name in declared:
                parameter.help = declared[parameter.name].default.help
        super().format_options(ctx, formatter)


class Commands(typer.Typer):
    """A group to which commands are added; each is a function that returns the exit code."""

    def command(self, *args: Any, **options: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """As typer's own, with our `Command`."""
        return super().command(*args, cls=Command, **options)


def group(about: str | None = None, *, add_completion: bool = False) -> Commands:
    """An empty group."""
    return Commands(
        cls=Group,
        help=about,
        add_completion=add_completion,
        suggest_commands=False,  # click does
        rich_markup_mode=None,  # plain help: rich would cost a tenth of a second and frames in a log
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
