"""No secret in any text that leaves the process: what is secret is noted, and every door asks `redact` for the text.

The doors: the message of every `GladError`; log records, tracebacks and crashes (`at_every_door`); a failed step of
Dagster (`defs/failures.py`); what a prompt or a message keeps of a failure. Masked is what was noted, in every form
that libraries quote it in, each longer piece of it too (messages get cut), and the password in anything like a URL.
Standard library only: the launcher needs it before any install.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
_PASSWORD_IN_QUERY = re.compile(r"[?&](?:ssl)?password=([^&#]*)")
_PASSWORD_IN_PAIRS = re.compile(r"\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S+)")
SHORTEST = 5  # characters; what is shorter is in half of all words
PIECE = 8  # characters in a row of a longer secret that are masked wherever they stand
# Whatever is called like this is a secret, a new setting of ours too. `_PATH` or `_FILE` behind it: no secret, a place.
SECRET_NAME = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|(ACCESS|API|PRIVATE|SECRET|SUPABASE|SERVICE(_ROLE)?)_?KEY(_?ID)?)$", re.I
)
# Greedy, to the last @: in a broken URL the password has / and @ in it. A @ in a path alone is none of this.
_USER_OF_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,30}://(?!user:password@)(?P<it>[^\s/@]*:[^\s\"'<>]*|[^\s/@]+(?:@[^\s/@]*)*)@", re.I
)
_IN_TEXT = (  # with the part to mask as the group `it`
    _USER_OF_URL,
    re.compile(r"\b(?:ssl)?password=(?P<it>'(?:[^'\\]|\\.)*'|[^\s&#,;)\"']+)", re.I),
    re.compile(r"\bX-Amz-(?:Signature|Credential|Security-Token)=(?P<it>[^\s&\"'<>]+)", re.I),
    re.compile(r"\bsb_secret_(?P<it>[\w-]+)"),
    re.compile(r"\bBearer\s+(?P<it>[\w+/=.~-]{8,})"),
)
_KIND_OF_KEY = re.compile(r"^sb_(secret|publishable)_")  # in words for people, too: of such a key the rest is secret


class _Known:
    """The secrets of this process, cut into pieces of one length each: looked up, never searched for one by one."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.pieces: dict[int, set[str]] = {}

    def add(self, secret: str) -> None:
        if secret in self.values or len(secret) < SHORTEST:
            return
        self.values.add(secret)
        for form in _forms(secret):
            length = min(len(form), PIECE)
            if length >= SHORTEST:
                pieces = self.pieces.setdefault(length, set())
                pieces.update(form[i : i + length] for i in range(len(form) - length + 1))


def _forms(secret: str) -> set[str]:
    """How a secret is written: as it is, percent-encoded, decoded, and with escapes, as in `repr` and JSON."""
    raw = secret.encode("utf-8", "surrogateescape")
    return {
        secret,
        secret.strip(),
        unquote(secret),
        quote(secret, safe="", errors="surrogateescape"),
        quote(secret, errors="surrogateescape"),
        quote_plus(secret, errors="surrogateescape"),
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        ascii(secret)[1:-1],
        json.dumps(secret)[1:-1],
        raw.decode("latin-1"),
        raw.decode("ascii", "replace"),
    }


_known = _Known()


def hide(*secrets: str | None) -> None:
    """From now on these are masked wherever this process tells something."""
    for secret in secrets:
        _known.add(_KIND_OF_KEY.sub("", secret or ""))


def hide_url(url: str) -> None:
    """The same for the password in a URL, well-formed or not, or in libpq's `name=value` pairs; else for all of it."""
    _, is_url, rest = url.partition("://")
    if is_url:
        before, _, _ = rest.rpartition("@")
        _, _, password = before.partition(":")
        hide(*(form for each in (password, *_PASSWORD_IN_QUERY.findall(rest)) for form in (each, unquote(each))))
    elif fields := _PASSWORD_IN_PAIRS.findall(url):
        hide(*(re.sub(r"\\(.)", r"\1", field.strip("'")) for field in fields))
    else:
        hide(url)


def hide_environment(variables: Iterable[str] = ()) -> None:
    """Note what is secret in the environment: these variables, all that are called like a secret, passwords of URLs."""
    also = set(variables)
    for name, value in os.environ.items():
        if not name.endswith("_URL") and (name in also or SECRET_NAME.search(name)):
            hide(value)
        elif name in also:
            hide_url(value)
        elif "://" in value:
            for found in _USER_OF_URL.finditer(value):
                _, _, password = found["it"].partition(":")
                hide(password, unquote(password))


def redact(text: str) -> str:
    """The text with each secret in it masked."""
    for pattern in _IN_TEXT:
        text = pattern.sub(_masked, text)
    hit = bytearray(len(text))
    for length, pieces in _known.pieces.items():
        for i in range(len(text) - length + 1):
            if text[i : i + length] in pieces:
                hit[i : i + length] = b"\1" * length
    if not any(hit):
        return text
    return re.sub("\1+", MASK, "".join("\1" if masked else c for c, masked in zip(text, hit, strict=True)))


def _masked(found: re.Match[str]) -> str:
    whole, start = found[0], found.start()
    return whole[: found.start("it") - start] + MASK + whole[found.end("it") - start :]


def shown(value: object) -> str | None:
    """A setting's value for a message that refuses it; None where it could be, or hold, a secret in the wrong place."""
    text = str(value)
    harmless = re.fullmatch(r"(?:[a-z]+://)?[\w.-]{0,60}(?::\d*)?(?:/[\w./-]{0,60})?", text)
    return repr(value) if harmless and redact(text) == text else None


def redacted_traceback(error: BaseException) -> str:
    """An error with its traceback and what led to it, redacted."""
    return redact(_in_full(error))


def has_secret(error: BaseException) -> bool:
    """Whether an error would tell one, itself or by what led to it."""
    return redacted_traceback(error) != _in_full(error)


def _in_full(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def at_every_door() -> None:
    """Have this process's log records, tracebacks and crashes redacted from now on. Once is enough."""
    hide_environment()
    if not _doors:
        _doors.append(_Doors())


class _Doors:
    """In front of what stood there: that one is asked where there is nothing to mask."""

    def __init__(self) -> None:
        self._new_record = logging.getLogRecordFactory()
        self._crash, sys.excepthook = sys.excepthook, self.crash
        self._thread_crash, threading.excepthook = threading.excepthook, self.thread_crash
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self.unraisable
        logging.setLogRecordFactory(self.record)

    def record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._new_record(*args, **kwargs)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a wrong format; logging would print it with its arguments
            text = f"{record.msg} {record.args}"
            record.msg, record.args = redact(text), ()
        if (clean := redact(text)) != text:
            record.msg, record.args = clean, ()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and has_secret(error):
            record.exc_info, record.exc_text = None, redacted_traceback(error)  # formatters take the text that is there
        return record

    def crash(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not _printed(error):
            self._crash(kind, error, trace)

    def thread_crash(self, crash: threading.ExceptHookArgs) -> None:
        if not _printed(crash.exc_value):
            self._thread_crash(crash)

    def unraisable(self, crash: sys.UnraisableHookArgs) -> None:
        if not _printed(crash.exc_value):
            self._unraisable(crash)


_doors: list[_Doors] = []


def _printed(error: BaseException | None) -> bool:
    """Whether there was something to mask, and the error was printed without it."""
    if error is None or not has_secret(error):
        return False
    print(redacted_traceback(error), file=sys.stderr)
    return True
