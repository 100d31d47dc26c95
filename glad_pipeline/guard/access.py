"""What opens the door: the token, the password, and sessions made of them. Nothing is kept: a session says itself
until when it lasts, sealed with a key that changes when token or password do."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field

SESSION_SECONDS = 14 * 86_400


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who is let in: programs and links with the token, people with the password, and both again by their session."""

    token: str | None = field(repr=False)  # None: nobody is asked for anything
    password: str | None = field(default=None, repr=False)

    @property
    def is_open(self) -> bool:
        return self.token is None

    def is_token(self, given: str) -> bool:
        return self.token is not None and _same(given, self.token)

    def is_password(self, given: str) -> bool:
        return self.password is not None and _same(given, self.password)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. Cookies know no ports: two deployments on one machine have two names."""
        return f"glad-session-{self._seal('name')[:8]}"

    def session(self) -> str:
        """A new session for whoever has shown token or password."""
        what = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_urlsafe(12)}"
        return f"{what}.{self._seal(what)}"

    def is_session(self, given: str) -> bool:
        what, _, seal = given.rpartition(".")
        until = what.partition(".")[0]
        return _same(seal, self._seal(what)) and until.isdecimal() and time.time() < int(until)

    def _seal(self, what: str) -> str:
        key = f"{self.token}\n{self.password}".encode()
        return hmac.new(hashlib.sha256(key).digest(), what.encode(), hashlib.sha256).hexdigest()


def _same(given: str, secret: str) -> bool:
    """Compared in a time that tells nothing, not even the length."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, secret))
    return hmac.compare_digest(*digests)
