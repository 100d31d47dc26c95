"""`glad storage`: the bucket and its CDN set up and checked, and policies for whoever needs rights.

Exit codes: 0 all is as it should be, 1 something is not, could not be changed or may not be; 2 (by `UsageError`) the
request cannot be right.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import click
import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.diagnosis import Level

if TYPE_CHECKING:
    from glad_pipeline.aws.parts import Part

commands = group("The bucket and its CDN on AWS: set up, check, and print policies.")

_MARKS = {Level.OK: "ok", Level.NOT_TESTED: "not known", Level.WARNING: "differs", Level.ERROR: "WRONG"}


@commands.command("setup")
def setup(
    context: typer.Context,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="only say what would be done")] = False,
    cdn: Annotated[bool, typer.Option("--cdn", help="also deploy CloudFront in front of it (five minutes)")] = False,
    domain: Annotated[
        str | None, typer.Option(metavar="HOST", help="with --cdn: a domain of your own; '' to go without again")
    ] = None,
    certificate: Annotated[
        str | None, typer.Option(metavar="ARN", help="with --domain: its certificate of ACM, in us-east-1")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="put the settings that lead there into .env (or GLAD_ENV_FILE)")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="whose pages may read pictures by script, beside GLAD_SITE_URL's"),
    ] = None,
) -> int:
    """Make bucket and CDN as they should be; says first what it does. Repeated, it does what is left."""
    from glad_pipeline.aws import setup as work

    settings = Runtime.of(context).settings
    wish = work.wish_of(settings, cdn=cdn, origins=origin or (), domain=domain, certificate=certificate)
    parts = work.look(wish)
    _print(parts, planned=True)
    wrong = any(each.level is Level.ERROR for each in parts)
    if any(each.stops for each in parts):
        print("\nNothing is changed: mend what is WRONG first.")
        return 1
    if not any(each.change for each in parts):
        print("\nNothing is to do." if not wrong else "\nNothing else is to do.")
    elif plan:
        print("\nNothing is changed: run it without --plan to do this.")
        return int(wrong)
    else:
        print("\nDoing it:")
        whole = work.change(parts, lambda part: _print([part], done=True), _tell)
        wrong = wrong or not whole
    if not wrong:
        _tell_of_settings(work.settings_for(wish), write=write, plan=plan)
        if wish.access.is_aws and not cdn:
            print("\nThe bucket is private: visitors see its pictures by a CDN, see --cdn.", file=sys.stderr)
    return int(wrong)


def _tell_of_settings(wanted: Mapping[str, str], *, write: bool, plan: bool) -> None:
    """Print them, or write them and say what has changed."""
    from glad_pipeline.local.settings_file import differing, write_settings
    from glad_pipeline.local.stack import settings_file

    if not write:
        print("\nSettings that lead there, in the environment or in .env (--write puts them there):")
        for name, value in wanted.items():
            print(f"{name}={value}")
        return
    path = settings_file()
    changes = differing(path, wanted) if plan else write_settings(path, wanted)
    print(f"\n{path} {'would have' if plan else 'has'} these settings{'' if changes else ' already'}:")
    for name, value in wanted.items():
        before = f"  (was {changes[name] or 'not set'})" if name in changes else ""
        print(f"{name}={value}{before}")
        if (given := os.environ.get(name)) not in (None, "", value, changes.get(name)):
            print(f"glad: the environment has {name}={given}, which wins: unset it there", file=sys.stderr)


@commands.command("check")
def check(context: typer.Context, json: Json = False) -> int:
    """Say what of bucket and CDN is not as it should be; changes nothing."""
    from glad_pipeline.aws import setup as work

    parts = work.check(Runtime.of(context).settings)
    if json:
        print_json([asdict(each.diagnosis()) for each in parts])
    else:
        _print(parts)
    return int(any(each.level in (Level.WARNING, Level.ERROR) for each in parts))


@commands.command("policy")
def policy(
    context: typer.Context,
    role: Annotated[
        str,
        typer.Argument(
            click_type=click.Choice(["pipeline", "writer", "reader", "setup"]),
            help="whose: the pipeline's; a writer's, who deletes no picture; the reading CDN's (the bucket's own "
            "policy); of who runs `glad storage setup`",
        ),
    ],
) -> int:
    """Print the least rights that somebody needs, as an IAM policy in JSON."""
    from glad_pipeline.aws import policies
    from glad_pipeline.aws.setup import place_of

    (known,) = (each for each in policies.ROLES if each == role)
    print_json(policies.policy(known, place_of(Runtime.of(context).settings)))
    return 0


def _tell(text: str) -> None:
    print(f"{'':11}… {text}", flush=True)


def _print(parts: Iterable[Part], *, planned: bool = False, done: bool = False) -> None:
    for each in parts:
        mark = "to do" if planned and each.change else _MARKS[each.level]
        mark = "done" if done and each.level is Level.OK else mark
        cure = None if planned and each.change else each.diagnosis().cure
        line = f"{mark:11}{each.name}: {each.text}" + (f"\n{'':11}→ {cure}" if cure else "")
        print(line, flush=True)
