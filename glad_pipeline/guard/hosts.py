"""Hosts and origins, as browsers, programs and proxies write them, made comparable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,254}))(?::(?P<port>\d{1,5}))?")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: two pages are of one origin if all three are the same."""

    scheme: str  # http or https; a WebSocket's is that of its page
    host: str  # lower case, without brackets and trailing dot
    port: int

    def __str__(self) -> str:
        """As a browser writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _PORTS[self.scheme] else "")


def host_name(text: str) -> str | None:
    """The host in `name`, `name:port`, `[v6]:port`, in lower case, without a trailing dot; None if it is no host."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    if found["v6"] is None:
        return found["name"].lower().removesuffix(".") or None
    try:
        return str(ip_address(found["v6"]))
    except ValueError:
        return None


def origin(scheme: str, authority: str) -> Origin | None:
    """The origin of `scheme://authority`; None if there can be no such page."""
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    found, host = _AUTHORITY.fullmatch(authority), host_name(authority)
    if found is None or host is None or scheme not in _PORTS:
        return None
    return Origin(scheme, host, int(found["port"] or _PORTS[scheme]))


def origin_of(header: str) -> Origin | None:
    """What an Origin header names; None for `null` and whatever else is no page of the web."""
    scheme, separator, authority = header.partition("://")
    return origin(scheme, authority) if separator else None


def is_loopback(address: str | None) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return address == "localhost"


def neighbourhood(address: str) -> str:
    """One client's addresses: an IPv6 one has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:  # as a socket for both writes an IPv4 one: all of those are in one /64
        return str(parsed.ipv4_mapped)
    return str(int(parsed) >> 64)


def hosts_in(names: str | None) -> frozenset[str]:
    """The hosts of a setting that lists them with commas; IPv6 without brackets."""
    given = (name.strip() for name in (names or "").split(","))
    found = (host_name(f"[{name}]" if ":" in name else name) for name in given)
    return frozenset(name for name in found if name)
