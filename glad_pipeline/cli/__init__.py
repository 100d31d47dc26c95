"""The door for a terminal: `glad …` turns what a person types into calls of the rooms, and answers into text or JSON.

One module a group of commands; a command reads its options, asks `runtime` for what it needs, calls operations, the
pipeline or a stage, and prints. Nothing is decided here. A room is imported when its command runs, so that
`glad --help` answers at once. The only room that knows typer and rich.
"""

from glad_pipeline.cli.app import main

__all__ = ["main"]
