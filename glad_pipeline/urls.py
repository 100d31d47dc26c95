"""The URLs in the settings: the form of a database's that libpq takes, of those that other programs write.

And which part of one is wrong, in words that repeat none of it: any part may be a piece of a password.
A password with `/`, `@` or `%` that was not percent-encoded breaks a URL where nobody expects it. libpq then takes a
piece of it for the host, the port or the database, and each message about those would print it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

_POSTGRES = re.compile(r"postgres(?:ql)?(?P<driver>\+[a-z][a-z0-9_]*)?://")  # SQLAlchemy names a driver
_HOST = re.compile(r"[\w.-]*|[@/].*|[0-9a-fA-F:.]+(%\w+)?")  # a name or address, a socket's folder, IPv6
_NUMBERS = (
    "connect_timeout",
    "tcp_user_timeout",
    *(f"keepalives{end}" for end in ("", "_idle", "_interval", "_count")),
)
ENCODED = "in user, password and name each sign but letters, digits and -._~ is written as % and two hex digits"


# What other programs read in a URL and we have no use for: how they pool and prepare
_FOR_OTHERS = {
    *("pgbouncer", "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size"),  # Prisma
    *("single_use_connections", "schema_engine_url"),
    *("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback"),  # SQLAlchemy, asyncpg
    *("pool_size", "max_overflow", "pool_recycle", "pool_pre_ping"),
    *("pool", "prepared_statements", "reaping_frequency", "encoding"),  # Rails
    *("uselibpqcompat", "query_timeout", "supa", "workaround"),  # node, Supabase, Vercel
    *("binary_parameters", "default_query_exec_mode", "pool_max_conns", "pool_min_conns"),  # Go
    *("timezone", "TimeZone"),  # ours is UTC
}
_SETTINGS = ("search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_TLS = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable", "off": "disable"}


def parts_of(url: str) -> dict[str, str]:
    """The parameters that libpq is to have of a database's URL. Raises `psycopg.ProgrammingError` for no such URL."""
    return {name: str(value) for name, value in conninfo_to_dict(libpq_url(url)).items() if value is not None}


def libpq_url(url: str) -> str:
    """A database's URL in the form that libpq takes, and psql, pg_dump and Dagster with it; that form as it is.

    Understood are a driver's name in the scheme (SQLAlchemy), `schema`, `search_path` and time-outs among the
    parameters, `ssl`, `sslmode=no-verify` and `sslaccept`. What tells others how to pool or prepare is left out.
    """
    scheme = _POSTGRES.match(url)
    if scheme is None:
        return url
    user, at, behind = url[scheme.end() :].rpartition("@")
    place, mark, query = behind.partition("?")
    given = [(name, value) for name, _, value in (each.partition("=") for each in query.split("&"))] if mark else []
    if scheme["driver"]:  # there a + is a space
        given = [(name, value.replace("+", "%20")) for name, value in given]
    taken = _for_libpq([(name, value.replace("=", "%3D")) for name, value in given if name])
    if not scheme["driver"] and taken == given:
        return url
    query = "&".join(f"{name}={value}" for name, value in taken)
    return f"postgresql://{user}{at}{place}{'?' if query else ''}{query}"


def _for_libpq(given: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Parameters by name and percent-encoded value, as libpq has them."""
    taken: list[tuple[str, str]] = []
    options: list[str] = []  # percent-encoded
    for name, value in given:
        if name == "schema":  # the name itself, as Prisma has it: not a list
            options.append(f"-c%20search_path%3D{quote(_quoted(unquote(value)), safe='')}")
        elif name in _SETTINGS:
            escaped = re.sub(r"([\s\\])", r"\\\1", unquote(value))
            options.append(f"-c%20{name}%3D{quote(escaped, safe='')}")
        elif name == "ssl" or (name == "sslmode" and value == "no-verify"):
            taken.append(("sslmode", "require" if value == "no-verify" else _TLS.get(value.lower(), value)))
        elif name == "sslaccept":
            if value == "strict" and "sslmode" not in dict(given):
                taken += [
                    ("sslmode", "verify-full"),
                    *([] if "sslrootcert" in dict(given) else [("sslrootcert", "system")]),
                ]
        elif name not in _FOR_OTHERS:
            taken.append((name, value))
    if not options:
        return taken
    # the URL's own `options` come last, and so prevail
    return [
        *(each for each in taken if each[0] != "options"),
        ("options", "%20".join([*options, *(value for name, value in taken if name == "options")])),
    ]


def _quoted(schema: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
        return schema
    name = schema.replace('"', '""')
    return re.sub(r"([\s\\])", r"\\\1", f'"{name}"')


def problem_of_database_url(url: str) -> str | None:
    """What is wrong with a PostgreSQL URL, or `name=value` pairs as libpq takes them; None: nothing."""
    scheme = _POSTGRES.match(url)
    if scheme is None:
        if url[:1] in "\"'" and url:
            return "it has quotation marks around it: leave them out"
        if url.startswith("jdbc:"):
            return "it is in JDBC's form: leave out jdbc:, and write user and password before the host"
        if re.match(r"prisma(\+\w+)?://", url):
            return "it names Prisma's proxy, which speaks no PostgreSQL: it has to name the database itself"
        if "://" in url or "=" not in url:
            return "it has to begin with postgresql://"
        return _problem_of_pairs(url)
    rest = url[scheme.end() :]
    return _problem_of_signs(rest) or _problem_of_names(rest) or _problem_of_parts(url)


def _problem_of_signs(rest: str) -> str | None:
    """What makes it unclear where a part ends. `rest`: what stands behind the scheme."""
    if re.search(r"\[your[-_ ]?password\]", rest, re.IGNORECASE):
        return "the place of its password still says so: put the password there, without the brackets"
    if re.search(r"[\x00-\x20\x7f]", rest):
        return "it has a space or a control character in it (a space is written %20)"
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", rest):
        return "a % in it does not begin a percent-encoded sign: the sign % itself is written %25"
    user, at, behind = rest.rpartition("@")
    who = "password" if ":" in re.split("[@/]", user)[0] else "user"
    if "@" in user:
        return f"it has more than one @: the {who} seems to contain one, and there as anywhere else it is written %40"
    if at and "/" in user:
        return f"it has a / before the @: the {who} seems to contain it, and there it is written %2F"
    if behind.partition("?")[0].count("/") > 1:
        return "it has more than one / behind the host: in the name of the database it is written %2F"
    return None


def _problem_of_names(rest: str) -> str | None:
    """A parameter that nobody knows, by its name, unless that may be a piece of a password."""
    query = rest.rpartition("@")[2].partition("?")[2]
    names = [each.partition("=")[0] for each in query.split("&") if each]
    known = {*(option.keyword.decode() for option in pq.Conninfo.get_defaults()), *_FOR_OTHERS, *_SETTINGS}
    unknown = [name for name in names if name not in known | {"schema", "ssl", "sslaccept"}]
    if not unknown or any("password" in name for name in names) or not re.fullmatch(r"[A-Za-z_]{1,40}", unknown[0]):
        return None
    return f"its parameters behind the ? are not all known: {unknown[0]} is none of libpq's"


def _problem_of_pairs(text: str) -> str | None:
    try:
        return _problem_of_values(conninfo_to_dict(text))
    except psycopg.ProgrammingError:
        return "it has to begin with postgresql://, or be name=value pairs that libpq knows"


def _problem_of_parts(url: str) -> str | None:
    try:
        parts = parts_of(url)
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
