"""API keys: made, shown once, kept as hashes, revoked. Knows the table `api_keys`."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, get_args

from glad_pipeline.database import Database, named_queries
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.records import columns_of, records_of

Scope = Literal["read", "submit", "review", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
INCLUDED: dict[Scope, frozenset[Scope]] = {  # what a scope allows beside itself
    "read": frozenset(),
    "submit": frozenset(),
    "review": frozenset({"read"}),
    "admin": frozenset({"read", "submit", "review"}),
}
PREFIX = "glad_"
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """One key as it is kept: never the key itself."""

    id: int
    name: str  # unique; prompts that are submitted with it have it as their source
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None  # to within a minute
    made_by: int | None  # the key that made it, and takes it along when it is revoked; None: made at a terminal
    old_until: datetime | None  # until when the secret before the last rotation opens the same

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


QUERIES = named_queries(__package__, "keys.sql", columns_of(ApiKey))


def allows(scopes: Collection[str], wanted: Scope) -> bool:
    """Whether somebody with these scopes may do what `wanted` is asked for."""
    return any(scope == wanted or wanted in INCLUDED.get(scope, ()) for scope in SCOPES if scope in scopes)


def make_key(
    database: Database,
    name: str,
    scopes: Collection[str],
    *,
    expires_at: datetime | None = None,
    made_by: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and the text that is shown this once. `made_by`: the key that makes it, which it does not outlive.

    Raises `UsageError` for a name, scope or time that cannot be.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{quoted(name)} is no name of a key: 1 to 63 letters, digits, dots, dashes and underscores")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise UsageError(f"no scope is called {', '.join(map(quoted, unknown))}: there are {', '.join(SCOPES)}")
    if not scopes:
        raise UsageError(f"a key needs at least one scope of {', '.join(SCOPES)} (--scope admin opens all)")
    text = f"{PREFIX}{secrets.token_urlsafe(32)}"
    row = {
        "name": name,
        "scopes": sorted(set(scopes)),
        "hash": digest(text),
        "expires_at": expires_at,
        "made_by": made_by,
    }
    with database.transaction() as connection:
        connection.execute(QUERIES["one_at_a_time"])
        made = records_of(ApiKey, connection.execute(QUERIES["make"], row))
        is_taken = bool(made) or connection.execute(QUERIES["named"], row).fetchone() is not None
    if not is_taken:
        raise UsageError("the key that makes this one was revoked just now")
    if not made:
        raise UsageError(f"there is a key named {quoted(name)} already: take another name")
    return made[0], text


def duration(text: str) -> timedelta:
    """`30m`, `24h`, `7d`, `0`. Raises `UsageError`."""
    found = re.fullmatch(r"([0-9]{1,5})(m|h|d)|0", text.strip())
    if found is None:
        raise UsageError(f"{quoted(text)} is no time: minutes, hours or days, such as 30m, 24h or 7d, or 0")
    units = {"m": "minutes", "h": "hours", "d": "days", None: "days"}
    return timedelta(**{units[found[2]]: int(found[1] or 0)})


def expiry(text: str, zone: tzinfo) -> datetime:
    """`90d` from now, or a time as ISO 8601 has it, without a zone one of `zone`. Raises `UsageError`."""
    now = datetime.now(UTC)
    try:
        if days := re.fullmatch(r"([1-9][0-9]{0,4})d", text.strip()):
            return now + timedelta(days=int(days[1]))
        time = datetime.fromisoformat(text.strip())
        time = (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{quoted(text)} is no time: a number of days, such as 90d, or 2027-03-01T09:00+01:00 (ISO 8601)"
        ) from None
    if time <= now:
        raise UsageError(f"{quoted(text)} is over: a key has to end later than now")
    return time


def revoke_key(database: Database, name: str) -> list[ApiKey]:
    """It opens nothing any more, nor do the keys that it has made, the keys of those, and all their sessions.

    That key, and those that ended with it. Raises `UsageError` for no such key.
    """
    with database.transaction() as connection:
        connection.execute(QUERIES["one_at_a_time"])
        found = records_of(ApiKey, connection.execute(QUERIES["revoke"], {"name": name}))
        connection.execute(QUERIES["log_out"], {"ids": [each.id for each in found]})
    if not found:
        raise UsageError(f"no key is named {quoted(name)}: `glad keys list` shows them")
    return sorted(found, key=lambda key: (key.name != name, key.id))


def rotate_key(
    database: Database, name: str, *, grace: timedelta = timedelta(0), by: int | None = None
) -> tuple[ApiKey, str]:
    """Another secret for this key, which is shown this once; the one before opens the same for `grace` more.

    Its sessions are over. `by`: only that key itself, or one that it has made; None: any. Raises `UsageError` for no
    such key, and for one that is revoked or has ended.
    """
    text = f"{PREFIX}{secrets.token_urlsafe(32)}"
    with database.transaction() as connection:
        row = {"name": name, "hash": digest(text), "grace": grace, "by": by}
        found = records_of(ApiKey, connection.execute(QUERIES["rotate"], row))
        connection.execute(QUERIES["log_out"], {"ids": [each.id for each in found]})
    if not found:
        whose = "" if by is None else ", and is the caller's or was made with it"
        raise UsageError(f"no key that opens anything is named {quoted(name)}{whose}: `glad keys list` shows them")
    return found[0], text


def list_keys(database: Database) -> list[ApiKey]:
    """All there are, the newest last."""
    return database.read(lambda connection: records_of(ApiKey, connection.execute(QUERIES["list"])))


def is_key(text: str) -> bool:
    """Whether a text has the form of a key: no other is looked up."""
    return _KEY.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """What is kept of a key or session. They are random and long: a plain hash is enough."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
