"""HEAD and PUT, which a run makes for each picture, without most of what boto3 does around a request.

botocore's own parts sign and send them, by the client's credentials and over its connections; its model of S3, hooks
and rules of endpoints, 40 % of what a request costs, are asked once. Only a plain answer counts. Whatever else comes,
or nothing, boto3 asks again: it follows redirects, retries and explains. Knows one bucket, and no promises of a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from glad_pipeline.storage.s3_errors import refuse_pages

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from mypy_boto3_s3 import S3Client

METADATA = "x-amz-meta-"
REGION = "x-amz-bucket-region"
ABSENT = 404
TAKEN = (409, 412)  # or being taken

Operation = Literal["HeadObject", "PutObject"]


class Direct:
    """Requests by one client for the objects of one bucket. Thread-safe."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket
        model = client.meta.service_model
        self._region = client.meta.region_name
        self._config: Any = client.meta.config  # typed without some that it has
        self._models = {name: model.operation_model(name) for name in ("HeadObject", "PutObject")}
        self._headers = {
            argument: shape.serialization["name"]
            for operation in self._models.values()
            if operation.input_shape is not None
            for argument, shape in operation.input_shape.members.items()
            if shape.serialization.get("location") == "header"
        }
        # botocore offers neither of the two: without them boto3 makes every request
        self._session = getattr(getattr(client, "_endpoint", None), "http_session", None)
        self._credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)

    @cached_property
    def _base(self) -> str:
        """What precedes a key in its URL. Not asked for before a request is made: it needs credentials."""
        url = self._client.generate_presigned_url("head_object", Params={"Bucket": self._bucket, "Key": "key"})
        return url.partition("?")[0].removesuffix("key")

    def head(self, key: str, said: Mapping[str, str]) -> dict[str, Any] | None:
        """What boto3's `head_object` answers, as far as it is asked for; empty: there is nothing. None: ask boto3."""
        answer = self._ask("HeadObject", key, said)
        if answer is None or answer.status_code == ABSENT:
            return None if answer is None else {}
        metadata = {
            str(name)[len(METADATA) :]: value
            for name, value in answer.headers.items()
            if name.lower().startswith(METADATA)
        }
        length, kind = (answer.headers.get(name) for name in ("content-length", "content-type"))
        return {"ContentLength": int(length), "ContentType": kind, "Metadata": metadata} if length and kind else None

    def put(self, key: str, body: bytes, metadata: Mapping[str, str], said: Mapping[str, str]) -> bool | None:
        """Whether it was written; False: `said` has a condition, and the key was taken. None: ask boto3."""
        if not all(text.isascii() for pair in metadata.items() for text in pair):
            return None
        answer = self._ask("PutObject", key, said, {METADATA + name: value for name, value in metadata.items()}, body)
        return None if answer is None else answer.status_code not in TAKEN

    def _ask(
        self,
        operation: Operation,
        key: str,
        said: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> AWSResponse | None:
        """A plain answer. Raises `NoStoreError`."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        session = self._session  # another thread may be told meanwhile that the bucket is elsewhere
        if session is None or self._credentials is None:
            return None
        given = {self._headers[name]: value for name, value in said.items()}
        try:
            request = AWSRequest(
                method=self._models[operation].http["method"],
                url=self._base + quote(key, safe="/~"),
                headers={"User-Agent": self._config.user_agent, **given, **(headers or {})},
                data=body,
            )
            request.context["client_config"] = self._config
            S3SigV4Auth(self._credentials.get_frozen_credentials(), "s3", self._region).add_auth(request)
            answer: AWSResponse = session.send(request.prepare())
        except BotoCoreError:
            return None
        if not _is_plain(operation, answer, is_conditional="IfNoneMatch" in said):
            if self._is_elsewhere(answer):
                self._session = None  # boto3 goes there, and remembers
            return None
        told = {"headers": answer.headers, "status_code": answer.status_code, "body": answer.content}
        refuse_pages(told, self._models[operation])
        return answer

    def _is_elsewhere(self, refusal: AWSResponse) -> bool:
        """Whether it says where the bucket is. Other refusals may pass: credentials are renewed, clocks are set."""
        if 300 <= refusal.status_code < 400:
            return True
        region = refusal.headers.get(REGION, self._region)
        return refusal.status_code < 500 and (region != self._region or b"<Region>" in refusal.content)


def _is_plain(operation: Operation, answer: AWSResponse, *, is_conditional: bool) -> bool:
    status = answer.status_code
    if operation == "HeadObject":
        return status in (200, ABSENT)
    # a store may find that it cannot write when it has begun to answer: 200, and an error as the body
    return (200 <= status < 300 and not answer.content) or (is_conditional and status in TAKEN)
