"""What S3 and botocore raise, as `StoreError`s that say what to do and whether the same request may succeed later."""

from __future__ import annotations

import socket
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glad_pipeline.embedded import trouble_at
from glad_pipeline.storage.protocol import StoreError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

CURES = {
    "NoSuchBucket": "the bucket does not exist: create it or correct AWS_S3_BUCKET",
    "InvalidAccessKeyId": "the store does not know this AWS_ACCESS_KEY_ID: correct it",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID: correct it",
    "AccessDenied": "these credentials may not do that: they need s3:GetObject, s3:PutObject, s3:ListBucket, and "
    "s3:DeleteObject to take pictures down or mend what an audit finds",
    "403": "these credentials are wrong or may not do that: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "BadDigest": "the object was damaged on the way: try again, and look at the network",
    "XAmzContentSHA256Mismatch": "the object was damaged on the way: try again, and look at the network",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "PermanentRedirect": "the bucket lives in another region: correct AWS_S3_REGION",
    "301": "the bucket lives in another region: correct AWS_S3_REGION",
    "404": "the bucket does not exist: create it or correct AWS_S3_BUCKET",
}


@contextmanager
def explained(doing: str, place: str, expected: Container[str | int] = ()) -> Iterator[None]:
    """Turns what botocore raises inside into a `StoreError`: what could not be done, in which bucket, and the cure.

    An answer of S3 whose code or HTTP status is `expected` ends the block, and nothing is raised.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in expected or _status(error) in expected:
            return
        trouble = trouble_at(place) if _status(error) >= 500 else None
        cure = ". ".join(filter(None, [CURES.get(code, str(error)), trouble]))
        raise StoreError(f"could not {doing} in {place}: {cure}", transient=may_pass(error)) from error
    except BotoCoreError as error:
        cure = trouble_at(place) or "Check AWS_ENDPOINT_URL_S3 and the network"
        raise StoreError(
            f"could not {doing} in {place}: {error} {cure}",
            transient=_connection_may_return(error),
        ) from error


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
    status = _status(error)
    # 501: it knows no conditional writes, say, and never will
    return (
        (status >= 500 and status != 501) or status == 429 or error.response.get("Error", {}).get("Code") in TRANSIENT
    )


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


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
