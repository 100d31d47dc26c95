"""What S3 and botocore raise, as `StoreError`s: cure, the store's words, and whether the same may succeed later."""

from __future__ import annotations

import socket
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from glad_pipeline.display import in_time, one_line
from glad_pipeline.embedded import trouble_at
from glad_pipeline.redaction import redact
from glad_pipeline.storage.protocol import StoreAnswer, StoreError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

NO_BUCKET = ("NoSuchBucket", "404")
LONGEST_WORDS = 300  # characters of what the store says
_CREDENTIALS = (
    "these temporary credentials have expired or are none: set a new AWS_SESSION_TOKEN, with the AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY that belong to it"
)
_KMS = "GLAD_S3_KMS_KEY has to name a key that is enabled, in the bucket's region, and that these credentials may use"
_DAMAGED = "the object was damaged on the way: try again, and look at the network"
_NO_SUCH_BUCKET = "the bucket does not exist: create it or correct AWS_S3_BUCKET (./glad storage setup creates it)"
_REGION = "the bucket lives in another region: correct AWS_S3_REGION"
_ELSEWHERE = "a proxy or login page answers in the store's place: check AWS_ENDPOINT_URL_S3, and GLAD_S3_PROXY_URL"

CURES = {
    "NoSuchBucket": _NO_SUCH_BUCKET,
    "404": _NO_SUCH_BUCKET,
    "InvalidAccessKeyId": "the store does not know this AWS_ACCESS_KEY_ID: correct it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID, or AWS_S3_REGION is not the "
    "store's: correct them",
    "AccessDenied": "these credentials may not do that: they need s3:GetObject, s3:PutObject, s3:ListBucket, and "
    "s3:DeleteObject to take pictures down or mend what an audit finds. A policy may also ask for what "
    "GLAD_S3_SSE, GLAD_S3_REQUESTER_PAYS or GLAD_S3_ACL say",
    "403": "these credentials are wrong or may not do that: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "TokenRefreshRequired": _CREDENTIALS,
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "PermanentRedirect": _REGION,
    "301": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "302": _ELSEWHERE,
    "InvalidStorageClass": "the store has no such storage class: correct GLAD_S3_STORAGE_CLASS",
    "AccessControlListNotSupported": "the bucket takes no ACL: unset GLAD_S3_ACL",
    "InvalidEncryptionAlgorithmError": "the store does not encrypt so: correct GLAD_S3_SSE",
    "KMS.NotFoundException": _KMS,
    "KMS.DisabledException": _KMS,
    "KMS.KMSInvalidStateException": _KMS,
    "KMS.InvalidKeyUsageException": _KMS,
    "NotImplemented": "the store cannot do it at all: unset GLAD_S3_SSE, GLAD_S3_ACL and GLAD_S3_STORAGE_CLASS, leave "
    "GLAD_S3_CHECKSUM at auto, and have ./glad migrate look at the store again",
}
_OF_WORDS = {  # of an AccessDenied, whatever else it may mean
    "kms:": _KMS,
    "server-side-encryption": "the bucket's policy asks for encryption: set GLAD_S3_SSE",
    "request-payer": "whoever asks has to pay: set GLAD_S3_REQUESTER_PAYS=true",
}


class NoStoreError(Exception):
    """A web page in place of S3's answer."""


@contextmanager
def explained(doing: str, place: str, expected: Container[str | int] = ()) -> Iterator[None]:
    """Turns what botocore raises inside into a `StoreError`: what could not be done, in which bucket, the cure, and
    what the store says.

    An answer of S3 whose code or HTTP status is `expected` ends the block, and nothing is raised.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    failed = f"could not {doing} in {place}"
    try:
        yield
    except ClientError as error:
        if code_of(error) in expected or status_of(error) in expected:
            return
        trouble = trouble_at(place) if status_of(error) >= 500 else None
        said = ". ".join(filter(None, [cure_of(error), f"The store says: {words_of(error)}", trouble]))
        answer: StoreAnswer = "no bucket" if code_of(error) in NO_BUCKET else "refusal"
        raise StoreError(f"{failed}: {said}", transient=may_pass(error), answer=answer) from error
    except NoStoreError as error:
        raise StoreError(f"{failed}: {_ELSEWHERE}. It answers {error}", answer="no bucket") from None
    except ResponseParserError as error:
        words = one_line(redact(str(error)), LONGEST_WORDS)
        raise StoreError(
            f"{failed}: {_ELSEWHERE}. It answers no S3: {words}", transient=True, answer="no bucket"
        ) from None
    except BotoCoreError as error:
        cure = trouble_at(place) or _cure_of_connection(error)
        words = str(error).rstrip(". ")
        raise StoreError(f"{failed}: {words}. {cure}", transient=_connection_may_return(error)) from error


def refuse_pages(response_dict: Mapping[str, Any], operation_model: Any = None, **_: Any) -> None:
    """botocore takes a page with status 200 for an object, or for an error that may pass: it makes 500 of the status.

    Raises `NoStoreError` for one that is not the store's: its own answers and objects have a request id or an ETag,
    and we store no pages.
    """
    headers, status = response_dict["headers"], response_dict["status_code"]
    is_head = operation_model is None or operation_model.http.get("method") == "HEAD"
    is_text = bool(response_dict["body"]) or is_head  # moto calls an empty answer text/html
    is_page = is_text and str(headers.get("content-type", "")).lower().startswith("text/html")
    is_stores = any(name in headers for name in ("x-amz-request-id", "x-amz-id-2", "etag"))
    if is_page and not is_stores and (status < 400 or (status == 500 and _was_200(response_dict["body"]))):
        raise NoStoreError("with a page (text/html)")


def _was_200(page: bytes) -> bool:
    """Whether a page says nothing of the 500 it came with. That of a HEAD is empty, and tells nothing."""
    return bool(page) and b"500" not in page[:1_000]


def cure_of(error: ClientError) -> str | None:
    """What to do about it, as far as code, words and headers tell."""
    code, words = code_of(error), words_of(error).lower()
    cure = CURES.get("NotImplemented" if status_of(error) == 501 else code)
    if code == "AccessDenied":
        return next((cure for sign, cure in _OF_WORDS.items() if sign in words), cure)
    if cure == _REGION and (region := region_of(error)):
        return f"the bucket lives in the region {region}: set AWS_S3_REGION={region}"
    if code == "RequestTimeTooSkewed" and (skew := skew_of(_headers(error).get("date"))):
        return f"this machine's clock is {in_words(skew)} the store's: set it"
    if code == "InvalidRequest" and "content-md5" in words:
        return "the bucket asks for Content-MD5 (Object Lock does): set GLAD_S3_CHECKSUM=md5"
    return cure


def words_of(error: ClientError) -> str:
    """What the store says itself, on one line and without secrets."""
    said = error.response.get("Error", {})
    text = ": ".join(filter(None, [code_of(error), str(said.get("Message") or "")]))
    return one_line(redact(text or f"HTTP {status_of(error)}"), LONGEST_WORDS).rstrip(".")


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def skew_of(date: str | None) -> float | None:
    """Seconds by which this machine's clock is ahead of a `Date` header; None where that says nothing."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return (datetime.now(UTC) - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds()


def in_words(skew: float) -> str:
    """`20 min ahead of`, `5 min behind`."""
    return f"{in_time(abs(skew))} {'ahead of' if skew > 0 else 'behind'}"


TRANSIENT = {
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
}


def may_pass(error: ClientError) -> bool:
    """Whether the same request may succeed later."""
    status = status_of(error)
    # 501: it knows no conditional writes, say, and never will
    return (status >= 500 and status != 501) or status == 429 or code_of(error) in TRANSIENT


def _headers(error: ClientError) -> Mapping[str, str]:
    return error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})


def region_of(error: ClientError) -> str | None:
    """Where the bucket really lives, if the store says so."""
    region = _headers(error).get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return one_line(str(region), 40) if region else None


def _cure_of_connection(error: BotoCoreError) -> str:
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError, ProxyConnectionError, SSLError

    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a profile or role"
    if isinstance(error, ProxyConnectionError):
        return "Check GLAD_S3_PROXY_URL, HTTPS_PROXY and the network"
    if isinstance(error, SSLError):
        return "AWS_CA_BUNDLE has to name the certificates of the authority that the store's or the proxy's is from"
    return "Check AWS_ENDPOINT_URL_S3 and the network"


def _connection_may_return(error: BotoCoreError) -> bool:
    """No for a host that does not exist, a certificate that is wrong, and errors of ours."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError, IncompleteReadError, SSLError

    if isinstance(error, SSLError) or not isinstance(error, (NoConnection, HTTPClientError, IncompleteReadError)):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return cause.errno == socket.EAI_AGAIN
        cause = cause.__cause__ or cause.__context__
    return True
