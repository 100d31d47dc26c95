"""Sessions of the studio: opened with a key, kept as hashes, over after half a day. Knows the table `api_sessions`."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from glad_pipeline.callers.keys import digest
from glad_pipeline.database import Database, named_queries

HOURS = 12  # a working day: who leaves a browser open is not logged in for good
MOST = 100  # of one key; the oldest makes room
QUERIES = named_queries(__package__, "sessions.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One that was just opened."""

    text: str  # what the cookie has, shown this once
    expires_at: datetime


def open_session(database: Database, key_id: int, shown: bytes | None = None) -> Session | None:
    """A new session for who has shown this key; None: it was revoked meanwhile. Those that are over are removed.

    `shown`: the digest of its secret; one from before a rotation opens nothing for longer than it does itself.
    """
    text = secrets.token_urlsafe(32)
    bound = {"hash": digest(text), "key_id": key_id, "hours": HOURS, "most": MOST, "shown": shown}
    with database.transaction() as connection:
        connection.execute(QUERIES["prune"])
        connection.execute(QUERIES["make_room"], bound)
        row = connection.execute(QUERIES["open"], bound).fetchone()
    return Session(text=text, expires_at=row["expires_at"]) if row else None


def close_session(database: Database, text: str) -> None:
    """It opens nothing any more."""
    with database.transaction() as connection:
        connection.execute(QUERIES["close"], {"hash": digest(text)})


def csrf_token(text: str) -> str:
    """What a page of ours has to send with each change, and no other page can know."""
    return hmac.new(text.encode(), b"glad csrf", hashlib.sha256).hexdigest()
