"""How AWS is asked about a bucket and its CDN, which right each operation needs, and what its refusals mean.

A call that is refused raises `Refused`, with the right that it needs; what stops everything (no credentials, nobody
answers) raises `AwsError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glad_pipeline.boto_sessions import new_session
from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.redaction import redact
from glad_pipeline.storage.options import S3Options
from glad_pipeline.storage.s3_client import client_of
from glad_pipeline.storage.s3_errors import CURES, NoStoreError, code_of, region_of, status_of, words_of

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ACTIONS = {  # operation of boto3: the right that it needs
    "create_bucket": "s3:CreateBucket",
    "head_bucket": "s3:ListBucket",
    "list_objects_v2": "s3:ListBucket",
    "get_public_access_block": "s3:GetBucketPublicAccessBlock",
    "put_public_access_block": "s3:PutBucketPublicAccessBlock",
    "get_bucket_ownership_controls": "s3:GetBucketOwnershipControls",
    "put_bucket_ownership_controls": "s3:PutBucketOwnershipControls",
    "get_bucket_encryption": "s3:GetEncryptionConfiguration",
    "put_bucket_encryption": "s3:PutEncryptionConfiguration",
    "get_bucket_cors": "s3:GetBucketCORS",
    "put_bucket_cors": "s3:PutBucketCORS",
    "get_bucket_lifecycle_configuration": "s3:GetLifecycleConfiguration",
    "put_bucket_lifecycle_configuration": "s3:PutLifecycleConfiguration",
    "get_bucket_versioning": "s3:GetBucketVersioning",
    "get_bucket_policy": "s3:GetBucketPolicy",
    "get_bucket_policy_status": "s3:GetBucketPolicyStatus",
    "get_object": "s3:GetObject",  # asked without credentials, as a visitor
    "describe_stacks": "cloudformation:DescribeStacks",
    "describe_stack_events": "cloudformation:DescribeStackEvents",
    "get_template": "cloudformation:GetTemplate",
    "create_stack": "cloudformation:CreateStack",
    "update_stack": "cloudformation:UpdateStack",
    "detect_stack_drift": "cloudformation:DetectStackDrift",
    "describe_stack_drift_detection_status": "cloudformation:DescribeStackDriftDetectionStatus",
    "describe_stack_resource_drifts": "cloudformation:DescribeStackResourceDrifts",
}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_LACKING = ("NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "NotSupported", "UnknownOperationException")
_KEYS = (
    "these credentials are wrong or have expired: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary "
    "ones, AWS_SESSION_TOKEN; or leave all out for a profile or role (AWS_PROFILE)"
)
_OF_CREDENTIALS = (  # codes of a refusal that every other call would get too
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken"),
    *("TokenRefreshRequired", "InvalidClientTokenId", "UnrecognizedClientException", "RequestTimeTooSkewed"),
    *("RequestExpired", "OptInRequired", "IncompleteSignature"),
)
_OF_AWS = {
    "InvalidClientTokenId": _KEYS,
    "UnrecognizedClientException": _KEYS,
    "IncompleteSignature": _KEYS,
    "RequestExpired": "this machine's clock is wrong: set it",
    "OptInRequired": "this account has not opened that region or service: open it in AWS's console",
}


class AwsError(GladError):
    """AWS cannot be asked at all, or what was asked of it has failed."""


class Refused(AwsError):
    """One call was refused; others may go through."""

    def __init__(self, message: str, *, code: str, status: int, action: str, region: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.action = action  # the right that it needs
        self.region = region  # where the bucket really lives, if AWS says so

    @property
    def is_denied(self) -> bool:
        """Whether the credentials lack the right."""
        return self.code in _DENIED

    @property
    def is_lacking(self) -> bool:
        """Whether the server has no such thing to ask for: it is S3-compatible, and not S3."""
        return self.status in (405, 501) or self.code in _LACKING


@dataclass(frozen=True, kw_only=True)
class Access:
    """One bucket, by name, and the AWS account that its credentials are of."""

    options: S3Options

    @property
    def bucket(self) -> str:
        return self.options.bucket

    @property
    def region(self) -> str:
        return self.options.region

    @property
    def is_aws(self) -> bool:
        """Whether it is S3 itself, and no compatible server."""
        return self.options.endpoint_url is None

    @cached_property
    def s3(self) -> Any:
        return self._made(lambda: client_of(self.options, {}))

    @cached_property
    def unsigned(self) -> Any:
        return self._made(lambda: client_of(self.options, {}, signed=False))

    @cached_property
    def cloudformation(self) -> Any:
        """Its endpoint by AWS_ENDPOINT_URL_CLOUDFORMATION, as boto3 reads it."""
        return self._made(self._cloudformation)

    def _cloudformation(self) -> Any:
        from botocore.config import Config

        proxy = self.options.proxy_url
        session = new_session(
            aws_access_key_id=self.options.access_key_id,
            aws_secret_access_key=self.options.secret_access_key,
            aws_session_token=self.options.session_token,
            region_name=self.region,
        )
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "max_attempts": 4},
            proxies={"http": proxy, "https": proxy} if proxy else None,
        )
        return session.client("cloudformation", config=config, verify=self.options.ca_bundle)

    @staticmethod
    def _made(make: Any) -> Any:
        from botocore.exceptions import BotoCoreError

        try:
            return make()
        except (BotoCoreError, ValueError) as error:  # a profile that is not there, a region that is no word
            raise AwsError(f"AWS cannot be asked: {one_line(redact(str(error)), 300)}") from None

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """The answer of S3 about the bucket. Raises `Refused`, `AwsError`."""
        return self._asked(self.s3, operation, Bucket=self.bucket, **request)

    def gives_visitors(self, key: str) -> bool:
        """Whether the bucket itself gives an object to who has no credentials. Raises `AwsError`."""
        try:
            answer = self._asked(self.unsigned, "get_object", Bucket=self.bucket, Key=key, Range="bytes=0-0")
        except Refused as refused:
            if 400 <= refused.status < 500:
                return False
            raise
        answer["Body"].close()
        return True

    def ask_cloudformation(self, operation: str, **request: Any) -> dict[str, Any]:
        """The answer of CloudFormation. Raises `Refused`, `AwsError`."""
        return self._asked(self.cloudformation, operation, **request)

    @staticmethod
    def _asked(client: Any, operation: str, **request: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(client, operation)(**request)
        except ClientError as error:
            raise _refusal(error, operation) from None
        except (NoCredentialsError, PartialCredentialsError):
            raise AwsError(
                "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run "
                "it where a role gives them"
            ) from None
        except (NoStoreError, ResponseParserError) as error:
            words = one_line(redact(str(error)), 200)
            raise AwsError(
                f"something else answers in the store's place ({words}): check AWS_ENDPOINT_URL_S3 and "
                "GLAD_S3_PROXY_URL"
            ) from None
        except BotoCoreError as error:
            raise AwsError(
                f"{ACTIONS[operation]} could not be asked for: {one_line(redact(str(error)), 300)}. Nothing more was "
                "done: check the network and AWS_S3_REGION, and run it again"
            ) from None
        answer.pop("ResponseMetadata", None)
        return answer


def _refusal(error: ClientError, operation: str) -> AwsError:
    code, action = code_of(error), ACTIONS[operation]
    if code in _OF_CREDENTIALS:
        cure = _OF_AWS.get(code) or CURES.get(code, _KEYS)
        return AwsError(f"{action} was refused: {cure}. AWS says: {words_of(error)}")
    return Refused(
        f"{action} was refused: {words_of(error)}",
        code=code,
        status=status_of(error),
        action=action,
        region=region_of(error),
    )


def partition_of(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`: the second word of ARNs in this region. Raises `UsageError`."""
    from botocore.exceptions import BotoCoreError

    try:
        return str(new_session(region_name=region).get_partition_for_region(region))
    except (BotoCoreError, ValueError):
        raise UsageError(f"AWS has no region {region!r}: correct AWS_S3_REGION") from None
