"""Which part of a URL in the settings is wrong, in words that repeat none of it: any part may be a piece of a password.

A password with `/`, `@` or `%` that was not percent-encoded breaks a URL where nobody expects it. libpq then takes a
piece of it for the host, the port or the database, and each message about those would print it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

_POSTGRES = re.compile(r"postgres(?:ql)?://")
_HOST = re.compile(r"[\w.-]*|[@/].*|[0-9a-fA-F:.]+(%\w+)?")  # a name or address, a socket's folder, IPv6
_NUMBERS = (
    "connect_timeout",
    "tcp_user_timeout",
    *(f"keepalives{end}" for end in ("", "_idle", "_interval", "_count")),
)
ENCODED = "in user, password and name each sign but letters, digits and -._~ is written as % and two hex digits"


def problem_of_database_url(url: str) -> str | None:
    """What is wrong with a PostgreSQL URL, or `name=value` pairs as libpq takes them; None: nothing."""
    scheme = _POSTGRES.match(url)
    if scheme is None:
        if "://" in url or "=" not in url:
            return "it has to begin with postgresql://"
        return _problem_of_pairs(url)
    return _problem_of_signs(url[scheme.end() :]) or _problem_of_parts(url)


def _problem_of_signs(rest: str) -> str | None:
    """What makes it unclear where a part ends. `rest`: what stands behind the scheme."""
    if re.search(r"[\x00-\x20\x7f]", rest):
        return "it has a space or a control character in it (a space is written %20)"
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", rest):
        return "a % in it does not begin a percent-encoded sign: the sign % itself is written %25"
    if rest.count("@") > 1:
        return "it has more than one @: in the user, the password and all the rest it is written %40"
    user, at, behind = rest.rpartition("@")
    if at and "/" in user:
        return "it has a / before the @: in the user and the password it is written %2F"
    if behind.partition("?")[0].count("/") > 1:
        return "it has more than one / behind the host: in the name of the database it is written %2F"
    return None


def _problem_of_pairs(text: str) -> str | None:
    try:
        return _problem_of_values(conninfo_to_dict(text))
    except psycopg.ProgrammingError:
        return "it has to begin with postgresql://, or be name=value pairs that libpq knows"


def _problem_of_parts(url: str) -> str | None:
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        has_query = "?" in url.rpartition("@")[2]
        return f"its {'parameters behind the ? are' if has_query else 'host or port is'} not what libpq takes"
    return _problem_of_values(parts)


def _problem_of_values(parts: Mapping[str, object]) -> str | None:
    for port in str(parts.get("port") or "").split(","):
        if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65_536):
            return "its port is not a number from 1 to 65535"
    for name in _NUMBERS:
        if not re.fullmatch(r"(-?[0-9]{1,9})?", str(parts.get(name) or "")):
            return f"its parameter {name} is not a whole number"
    for name in ("host", "hostaddr"):
        if not all(_HOST.fullmatch(host) for host in str(parts.get(name) or "").split(",")):
            return "its host is neither a name nor an address"
    return None


def problem_of_web_address(url: str) -> str | None:
    """What is wrong with an address that paths and keys are put behind; None: nothing."""
    if not re.match(r"https?://", url):
        return "it has to begin with http:// or https://"
    if "@" in url:
        return "it has to be without user, password and @"
    if re.search(r"[\x00-\x20\x7f]", url):
        return "it has a space or a control character in it"
    if "?" in url or "#" in url:
        return "it has to be without ? and #"
    try:
        parts = urlsplit(url)
        if not parts.hostname or not _HOST.fullmatch(parts.hostname):
            return "its host is neither a name nor an address"
        _ = parts.port
    except ValueError:
        return "its port is not a number from 1 to 65535, or its address is not one"
    return None
