"""`glad keys …`: API keys for the gateway.

Exit codes: 0 done, 1 the database could not be asked, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import sys
from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.options import Json
from glad_pipeline.cli.output import print_json, print_table
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import in_zone

if TYPE_CHECKING:
    from glad_pipeline.callers.keys import ApiKey

HEADERS = ("name", "scopes", "made", "last used", "state")
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="of whom or what it is for")]

commands = group("API keys for the gateway: make, list, rotate, revoke.")


@commands.command("make")
def make(
    context: typer.Context,
    name: Name,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="S", help="read, submit, review or admin; may be repeated")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="T", help="when it ends: 90d, or a time such as 2027-03-01T09:00+01:00")
    ] = None,
    json: Json = False,
) -> int:
    """Make a key and print it, this once: only its hash is kept."""
    from glad_pipeline.callers.keys import expiry, make_key

    runtime = Runtime.of(context)
    ends = expiry(expires, runtime.settings.zone) if expires else None
    with runtime.database() as database:
        key, text = make_key(database, name, scope or [], expires_at=ends)
    if json:
        print_json({**_as_json(key), "key": text})
        return 0
    print(text)
    print(f"glad: this is shown once. {key.name} may: {', '.join(key.scopes)}", file=sys.stderr)
    return 0


@commands.command("list")
def list_(context: typer.Context, json: Json = False) -> int:
    """List all keys, without what opens anything."""
    from glad_pipeline.callers.keys import list_keys

    runtime = Runtime.of(context)
    with runtime.database() as database:
        keys = list_keys(database)
    if json:
        print_json([_as_json(key) for key in keys])
    elif keys:
        print_table(HEADERS, [_summary(key, runtime.settings.zone) for key in keys])
    else:
        print("there are no keys: ./glad keys make NAME --scope read")
    return 0


@commands.command("rotate")
def rotate(
    context: typer.Context,
    name: Name,
    grace: Annotated[
        str, typer.Option(metavar="T", help="for how long the secret before opens the same: 30m, 24h, 7d")
    ] = "0",
    json: Json = False,
) -> int:
    """Give a key another secret and print it, this once; name, scopes and end stay. Its sessions are over."""
    from glad_pipeline.callers.keys import duration, rotate_key

    runtime = Runtime.of(context)
    with runtime.database() as database:
        key, text = rotate_key(database, name, grace=duration(grace))
    if json:
        print_json({**_as_json(key), "key": text})
        return 0
    print(text)
    until = key.old_until and in_zone(key.old_until, runtime.settings.zone)
    old = f"opens the same until {until}" if until else "opens nothing any more"
    print(f"glad: this is shown once. The secret before {old}", file=sys.stderr)
    return 0


@commands.command("revoke")
def revoke(context: typer.Context, name: Name, json: Json = False) -> int:
    """Let a key open nothing any more, nor the keys that it has made through the API, nor their sessions; for good."""
    from glad_pipeline.callers.keys import revoke_key

    with Runtime.of(context).database() as database:
        key, *others = revoke_key(database, name)
    if json:
        print_json({**_as_json(key), "made_with_it": [each.name for each in others]})
        return 0
    for each in (key, *others):
        print(f"{each.name} opens nothing any more{'' if each is key else f': {name} or a key of it had made it'}")
    return 0


def _as_json(key: ApiKey) -> dict[str, object]:
    from glad_pipeline.database import jsonable

    return {name: value for name, value in jsonable(key).items() if name not in ("id", "made_by")}


def _summary(key: ApiKey, zone: tzinfo) -> tuple[str, ...]:
    """A key as a row of the table."""
    used = in_zone(key.last_used_at, zone) if key.last_used_at else "never"
    ends = f"until {in_zone(key.expires_at, zone)}" if key.expires_at else "valid"
    state = f"revoked {in_zone(key.revoked_at, zone)}" if key.revoked_at else "expired" if key.has_expired else ends
    return key.name, ", ".join(key.scopes), in_zone(key.created_at, zone), used, state
