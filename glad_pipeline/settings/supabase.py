"""What is wrong with the address or the key of a Supabase project, in words that repeat nothing secret.

Both generations of keys are known: `sb_secret_…` and `sb_publishable_…`, and the older JWTs, whose payload names a
role. Knows no setting and asks nobody: a signature is the server's to verify.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any
from urllib.parse import urlsplit

BUCKET = r"[A-Za-z0-9][A-Za-z0-9._-]{0,53}"  # Supabase takes 63 characters, and `-private` is added to one
_LOCAL = ("127.0.0.1", "localhost", "::1")
_RIGHT_KEY = "take the secret key (`sb_secret_…`) or the service_role key from the project's API settings"


def problem_of_project_url(url: str) -> str | None:
    """Why this cannot be a project's address; None: it can."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it has to be the project's address, such as https://abcdefgh.supabase.co"
    if parts.scheme not in ("http", "https") or not host:
        return "it has to be the project's address with https:// before it, such as https://abcdefgh.supabase.co"
    if parts.scheme == "http" and host not in _LOCAL:
        return "it has to begin with https://: by http:// anybody on the way would read the key"
    if parts.username is not None or parts.password is not None:
        return "it has a user or password in it, and Supabase knows none: leave them out"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "it has something behind the host: leave out all that follows, /storage/v1 and /rest/v1 too"
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", host) or port == 0:
        return "its host is none"
    return None


def problem_of_key(key: str) -> str | None:
    """Why pictures cannot be stored with this key; None: they may."""
    if key.startswith("sb_secret_"):
        return None if re.fullmatch(r"sb_secret_[A-Za-z0-9_-]+", key) else f"it is no whole key: {_RIGHT_KEY}"
    if key.startswith("sb_publishable_"):
        return f"it is the publishable key, which visitors' browsers have and which may not store: {_RIGHT_KEY}"
    payload = payload_of(key)
    if payload is None:
        return f"it is no key of Supabase: {_RIGHT_KEY}"
    if payload.get("role") == "anon":
        return f"it is the anon key, which visitors' browsers have and which may not store: {_RIGHT_KEY}"
    if payload.get("role") != "service_role":
        return f"it is not the service_role key but one of another role: {_RIGHT_KEY}"
    return None


def payload_of(key: str) -> dict[str, Any] | None:
    """What a key says of itself that is a JWT, unverified; None: it is none."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return payload if isinstance(payload, dict) else None
