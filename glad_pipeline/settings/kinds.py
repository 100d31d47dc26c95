"""Kinds of settings' values: each a type that refuses, in words, what cannot be. Knows no setting."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr

from glad_pipeline.urls import ENCODED, libpq_url, problem_of_database_url, problem_of_web_address

Text = TypeVar("Text", str, SecretStr)


def checked(problem_of: Callable[[str], str | None]) -> AfterValidator:
    """Refuses a text with which `problem_of` finds a problem."""

    def check(value: Text) -> Text:
        if problem := problem_of(value.get_secret_value() if isinstance(value, SecretStr) else value):
            raise ValueError(problem)
        return value

    return AfterValidator(check)


def like(pattern: str, problem: str) -> AfterValidator:
    return checked(lambda text: None if re.fullmatch(pattern, text) else problem)


def problem_of_postgresql(url: str) -> str | None:
    problem = problem_of_database_url(url)
    return problem and f"{problem}. It looks like postgresql://user:password@host:5432/database; {ENCODED}"


def problem_of_hosts(names: str) -> str | None:
    if all(re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", name.strip()) for name in names.split(",")):
        return None
    return "it has to be host names without scheme and port, separated by commas"


def problem_of_networks(addresses: str) -> str | None:
    try:
        [ip_network(address.strip()) for address in addresses.split(",")]
    except ValueError:
        return "it has to be IP addresses or networks (10.0.0.0/8), separated by commas"
    return None


def problem_of_origins(origins: str) -> str | None:
    if all(
        re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", each.strip())
        for each in origins.split(",")
    ):
        return None
    return "it has to be origins, such as https://blog.example.com, without path, separated by commas"


def problem_of_rate(rate: str) -> str | None:
    if re.fullmatch(r"off|[1-9][0-9]{0,8}/(second|minute|hour|day)", rate):
        return None
    return "it has to be a number of requests per second, minute, hour or day, such as 600/minute, or off"


def problem_of_zone(name: str) -> str | None:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # no such zone, or no name of one
        return "it has to be the name of a time zone, such as Europe/Berlin, America/New_York or UTC"
    return None


def problem_of_proxy(address: str) -> str | None:
    if re.fullmatch(r"https?://([^\s/@]+@)?[^\s/@]+/?", address):
        return None
    return "it has to be http://host:port or http://user:password@host:port, percent-encoded"


DatabaseUrl = Annotated[  # as libpq takes it, whatever form it was given in
    SecretStr,
    checked(problem_of_postgresql),
    AfterValidator(lambda url: SecretStr(libpq_url(url.get_secret_value()))),
]
WebAddress = Annotated[str, checked(problem_of_web_address)]
SecretWebAddress = Annotated[SecretStr, checked(problem_of_proxy)]
VISIBLE = like(r"[\x21-\x7e]*", "it has to be visible ASCII characters without spaces")
ONE_LINE = like(
    r"(\S([^\x00-\x1f\x7f]*\S)?)?", "it begins or ends with a space, or has a line break or control character in it"
)
PASSWORD = like(r"(?s:.{12,})", "it has to have at least 12 characters")
TOKEN = like(r"off|[\x21-\x7e]{20,}", "it has to be at least 20 visible ASCII characters without spaces, or `off`")
