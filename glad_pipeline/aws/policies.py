"""The least rights of each who needs some, as IAM's JSON: for the pipeline, for who only writes, the CDN, the set-up.

Made of the settings alone: nobody is asked. ARNs are of the region's partition (`aws`, `aws-cn`, `aws-us-gov`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from glad_pipeline.aws.access import ACTIONS
from glad_pipeline.errors import UsageError
from glad_pipeline.storage.keys import PREFIX, QUARANTINE

Role = Literal["pipeline", "writer", "reader", "setup"]
ROLES: tuple[Role, ...] = get_args(Role)
OURS = ".glad/"  # whose bucket it is, and trial objects
LOOKS = (  # without them the doctor and the trial of a store say "not tested"
    "s3:GetLifecycleConfiguration",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketVersioning",
)
DRIFT = "cloudformation:DescribeStackDriftDetectionStatus"
WITH_STACK = (
    *("cloudformation:DetectStackResourceDrift", "cloudformation:TagResource"),  # what others of these ask too
    *("cloudformation:DeleteStack", "cloudformation:ContinueUpdateRollback"),  # what cures tell to do
)
_CLOUDFRONT = ("OriginAccessControl", "CachePolicy", "ResponseHeadersPolicy", "Distribution")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What the ARNs are made of."""

    bucket: str
    region: str
    partition: str = "aws"
    distribution: str | None = None  # the CDN's id
    kms_key: str | None = None  # ARN of the key of GLAD_S3_SSE=aws:kms; an id or alias becomes one of this region
    acl: str | None = None  # what GLAD_S3_ACL sends

    def keys(self, *prefixes: str) -> list[str]:
        return [f"arn:{self.partition}:s3:::{self.bucket}/{prefix}*" for prefix in prefixes]

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"


def policy(role: Role, place: Place) -> dict[str, Any]:
    """The policy document of one of them.

    pipeline: all that runs, audits and takedowns ask. writer: draws and publishes, and deletes no picture. reader: the
    CDN (the bucket's own policy, not IAM's). setup: who runs `glad storage setup`. Raises `UsageError`.
    """
    makers = {"pipeline": _pipeline, "writer": _writer, "reader": _reader, "setup": _setup}
    return {"Version": "2012-10-17", "Statement": makers[role](place)}


def _pipeline(place: Place) -> list[dict[str, Any]]:
    statements = [
        _allow("Bucket", ["s3:ListBucket", *LOOKS], [place.arn]),
        _allow("Objects", ["s3:GetObject", *_writes(place), "s3:DeleteObject"], place.keys(PREFIX, QUARANTINE, OURS)),
        *_key(place),
    ]
    if place.distribution:
        actions = ["cloudfront:CreateInvalidation", "cloudfront:GetDistribution"]
        statements.append(_allow("Cdn", actions, [_distribution(place)]))
    return statements


def _writer(place: Place) -> list[dict[str, Any]]:
    return [
        _allow("Bucket", ["s3:ListBucket", *LOOKS], [place.arn]),
        _allow("Objects", ["s3:GetObject", *_writes(place)], place.keys(PREFIX, OURS)),
        _allow("TrialObjects", ["s3:DeleteObject"], place.keys(f"{OURS}probe-")),
        *_key(place),
    ]


def _reader(place: Place) -> list[dict[str, Any]]:
    if place.distribution is None:
        raise UsageError("set AWS_CLOUDFRONT_DISTRIBUTION_ID: the policy lets one distribution read, and no other")
    return [
        {
            "Sid": "CdnReadsPictures",
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": place.keys(PREFIX)[0],
            # an id is one account's alone
            "Condition": {"ArnLike": {"AWS:SourceArn": _distribution(place)}},
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [place.arn, f"{place.arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


def _setup(place: Place) -> list[dict[str, Any]]:
    of_bucket = sorted({action for action in ACTIONS.values() if action.startswith("s3:")} - {"s3:GetObject"})
    of_stack = {action for action in ACTIONS.values() if action.startswith("cloudformation:")} - {DRIFT}
    stack = f"arn:{place.partition}:cloudformation:{place.region}:*:stack/glad-{place.bucket.replace('.', '-')}/*"
    policies = ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]
    of_cdn = [f"cloudfront:{verb}{what}" for what in _CLOUDFRONT for verb in ("Create", "Get", "Update", "Delete")]
    listing = [f"cloudfront:Get{what}Config" for what in _CLOUDFRONT]
    return [
        _allow("Bucket", [*of_bucket, *policies], [place.arn]),
        _allow("Stack", sorted(of_stack | set(WITH_STACK)), [stack]),
        _allow("Drift", [DRIFT], ["*"]),  # it is asked by the number of a look, and not by a stack
        # CloudFormation makes these in the caller's name; their ids are not known before
        _allow("Cdn", sorted([*of_cdn, *listing, "cloudfront:TagResource", "cloudfront:ListTagsForResource"]), ["*"]),
    ]


def _writes(place: Place) -> list[str]:
    return ["s3:PutObject", "s3:PutObjectAcl"] if place.acl else ["s3:PutObject"]


def _key(place: Place) -> list[dict[str, Any]]:
    if not place.kms_key:
        return []
    key = place.kms_key
    if not key.startswith("arn:"):
        named = key if key.startswith("alias/") else f"key/{key}"
        key = f"arn:{place.partition}:kms:{place.region}:*:{named}"
    return [_allow("Key", ["kms:GenerateDataKey", "kms:Decrypt"], [key])]


def _distribution(place: Place) -> str:
    return f"arn:{place.partition}:cloudfront::*:distribution/{place.distribution}"


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
