"""What Supabase Storage refuses with, as `StoreError`s: cure, the server's words, whether the same may succeed later.

It answers most refusals with HTTP 400, and says in the body which status it means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from glad_pipeline.display import one_line
from glad_pipeline.http_client import NoAnswer
from glad_pipeline.redaction import redact
from glad_pipeline.storage.protocol import StoreAnswer, StoreError

LONGEST_WORDS = 300  # characters of what the server says
PASSING = (408, 423, 425, 429)  # and 5xx: the same request may well succeed later
PAUSED = 540
ABSENT = 404
_KEY = (
    "SUPABASE_KEY is not a key of this project, has been revoked, or may not do that: take the secret key "
    "(sb_secret_…) or the service_role key from the project's API settings"
)
_OF_KEYS = re.compile(r"\bjwt\b|\bjws\b|api ?key|signature|\bexp\b", re.I)  # what is said of a key that is none
_CURES = {
    401: _KEY,
    403: _KEY,
    413: "the object is larger than the project or the bucket takes: raise the file size limit in the storage settings",
    415: "the bucket does not take this type: let its allowed MIME types be empty",
    PAUSED: "the project is paused: restore it in Supabase's dashboard",
}
_ELSEWHERE = "a proxy, a login page or another server answers in Supabase's place: check SUPABASE_URL and the network"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An answer that is no success."""

    status: int  # as it is meant: the body's, where that says one
    error: str  # Supabase's word for the kind: `not_found`, `Duplicate`, `Bucket not found`, …; may be empty
    message: str  # for people; may be empty
    is_storage: bool  # Storage has answered itself, and no gateway, proxy or other server

    @property
    def is_absent(self) -> bool:
        """There is no such object. Of an object in a bucket that does not exist nothing else is said."""
        return self.status == ABSENT and self.is_storage

    @property
    def is_no_bucket(self) -> bool:
        return "bucket not found" in (self.error.lower(), self.message.lower())

    @property
    def is_duplicate(self) -> bool:
        """Something is there already; 409 is said of transactions that have failed, too."""
        return self.status == 409 and self.error in ("Duplicate", "KeyAlreadyExists", "ResourceAlreadyExists", "")

    @property
    def may_pass(self) -> bool:
        if self.status == PAUSED:
            return False
        return self.status >= 500 or self.status in PASSING or (self.status == 409 and not self.is_duplicate)

    def in_words(self) -> str:
        said = ": ".join(dict.fromkeys(filter(None, (self.error, self.message)))) or f"HTTP {self.status}"
        return one_line(redact(said), LONGEST_WORDS).rstrip(".")


def refusal_of(status: int, body: bytes) -> Refusal:
    """What an answer means that has not the status 2xx."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    meant = str(said.get("statusCode", ""))
    return Refusal(
        status=int(meant) if status == 400 and meant.isdecimal() and len(meant) == 3 else status,
        error=str(said.get("error") or said.get("code") or ""),
        message=str(said.get("message") or said.get("msg") or ""),
        is_storage="statusCode" in said,
    )


def as_error(refusal: Refusal, doing: str, bucket: str, place: str) -> StoreError:
    """A refusal of what was asked of a bucket."""
    answer: StoreAnswer = "refusal"
    cure = _CURES.get(refusal.status)
    if refusal.status == 400 and _OF_KEYS.search(refusal.message):
        cure = _KEY
    if not refusal.is_storage and refusal.status in (404, 405):
        cure = _ELSEWHERE
    if refusal.is_no_bucket:
        answer, cure = "no bucket", f"the bucket {bucket!r} does not exist: create it or correct GLAD_SUPABASE_BUCKET"
    said = ". ".join(filter(None, [cure, f"Supabase says: {refusal.in_words()}"]))
    return StoreError(
        f"could not {doing} in {_where(bucket, place)}: {said}", transient=refusal.may_pass, answer=answer
    )


def unanswered(error: NoAnswer, doing: str, bucket: str, place: str) -> StoreError:
    """Nobody answered."""
    said = one_line(redact(str(error)), LONGEST_WORDS)
    return StoreError(
        f"could not {doing} in {_where(bucket, place)}: {said}. Check SUPABASE_URL and the network",
        transient=not error.lasting,
    )


def misunderstood(doing: str, bucket: str, place: str, headers: Mapping[str, str]) -> StoreError:
    """Something answered that Supabase would not have said."""
    kind = one_line(redact(headers.get("content-type", "no type")), 80)
    return StoreError(
        f"could not {doing} in {_where(bucket, place)}: {_ELSEWHERE}. It answers with {kind}", answer="no bucket"
    )


def _where(bucket: str, place: str) -> str:
    return f"bucket {bucket!r} at {place}"
