"""The policies of `glad storage policy`: as little as each role needs, in every partition of AWS."""

import json
from fnmatch import fnmatchcase

import pytest

from glad_pipeline import cli
from glad_pipeline.aws.policies import ROLES, Place, policy
from glad_pipeline.errors import UsageError

PICTURE = "arn:aws:s3:::pictures/generated/ab/c.png"
PUT_ASIDE = "arn:aws:s3:::pictures/quarantine/generated/ab/c.png"
IDENTITY = "arn:aws:s3:::pictures/.glad/deployment.json"
BACKUP = "arn:aws:s3:::pictures/backups/x"
WHOLE = "arn:aws:s3:::pictures"


def place(**more):
    return Place(**{"bucket": "pictures", "region": "eu-central-1", "distribution": "E2EXAMPLE"} | more)


def allows(role, action, resource, **more):
    def listed(value):
        return [value] if isinstance(value, str) else value

    def fits(statement):
        return any(fnmatchcase(action, each) for each in listed(statement["Action"])) and any(
            fnmatchcase(resource, each) for each in listed(statement["Resource"])
        )

    found = [each["Effect"] for each in policy(role, place(**more))["Statement"] if fits(each)]
    return "Allow" in found


@pytest.mark.parametrize(
    ("role", "action", "resource", "allowed"),
    [
        ("pipeline", "s3:PutObject", PICTURE, True),
        ("pipeline", "s3:DeleteObject", PICTURE, True),
        ("pipeline", "s3:PutObject", PUT_ASIDE, True),
        ("pipeline", "s3:PutObject", IDENTITY, True),
        ("pipeline", "s3:ListBucket", WHOLE, True),
        ("pipeline", "s3:PutObject", BACKUP, False),
        ("pipeline", "s3:GetObject", BACKUP, False),
        ("pipeline", "s3:PutBucketPolicy", WHOLE, False),
        ("pipeline", "s3:DeleteBucket", WHOLE, False),
        ("pipeline", "s3:PutObjectAcl", PICTURE, False),
        ("pipeline", "cloudfront:CreateInvalidation", "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE", True),
        ("pipeline", "cloudfront:CreateInvalidation", "arn:aws:cloudfront::123456789012:distribution/E3OTHER", False),
        ("writer", "s3:PutObject", PICTURE, True),
        ("writer", "s3:GetObject", IDENTITY, True),
        ("writer", "s3:DeleteObject", PICTURE, False),
        ("writer", "s3:DeleteObject", IDENTITY, False),
        ("writer", "s3:DeleteObject", "arn:aws:s3:::pictures/.glad/probe-1/a", True),
        ("writer", "s3:GetObject", PUT_ASIDE, False),
        ("writer", "cloudfront:CreateInvalidation", "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE", False),
        ("reader", "s3:GetObject", PICTURE, True),
        ("reader", "s3:GetObject", PUT_ASIDE, False),
        ("reader", "s3:GetObject", IDENTITY, False),
        ("reader", "s3:ListBucket", WHOLE, False),
        ("setup", "s3:PutBucketCORS", WHOLE, True),
        ("setup", "s3:DeleteObject", PICTURE, False),
        ("setup", "s3:GetObject", PICTURE, False),
        ("setup", "cloudformation:CreateStack", "arn:aws:cloudformation:eu-central-1:1:stack/glad-pictures/1", True),
        ("setup", "cloudformation:CreateStack", "arn:aws:cloudformation:eu-central-1:1:stack/others/1", False),
        ("setup", "cloudformation:DeleteStack", "arn:aws:cloudformation:eu-central-1:1:stack/glad-pictures/1", True),
        (
            *("setup", "cloudformation:ContinueUpdateRollback"),
            *("arn:aws:cloudformation:eu-central-1:1:stack/glad-pictures/1", True),
        ),
        ("setup", "s3:GetBucketPolicyStatus", WHOLE, True),
        ("setup", "s3:GetObject", WHOLE, False),
        ("setup", "cloudformation:DescribeStackDriftDetectionStatus", "*", True),
        ("setup", "iam:CreateUser", "*", False),
    ],
)
def test_who_may_do_what(role, action, resource, allowed):
    assert allows(role, action, resource) is allowed


def test_what_the_settings_ask_for_needs_rights_too():
    assert allows("pipeline", "s3:PutObjectAcl", PICTURE, acl="bucket-owner-full-control")
    key = "arn:aws:kms:eu-central-1:123456789012:key/k-1"
    assert allows("pipeline", "kms:GenerateDataKey", key, kms_key="k-1")
    assert allows("writer", "kms:Decrypt", key, kms_key=key)
    assert not allows("pipeline", "kms:Decrypt", key)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_each_is_of_its_partition_and_names_nothing_that_is_everything(role, partition):
    made = policy(role, place(partition=partition, kms_key="alias/pictures"))
    assert made["Version"] == "2012-10-17"
    for statement in made["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        cannot_be_named = role == "setup" and statement["Sid"] in ("Cdn", "Drift")  # ids that are not known before
        assert cannot_be_named or all(each.startswith(f"arn:{partition}:") for each in resources)
        assert statement["Effect"] == "Deny" or not any("*" in each for each in statement["Action"])


def test_the_cdn_s_needs_the_cdn_s_id():
    with pytest.raises(UsageError, match="AWS_CLOUDFRONT_DISTRIBUTION_ID"):
        policy("reader", place(distribution=None))


@pytest.mark.parametrize(("region", "partition"), [("eu-central-1", "aws"), ("cn-north-1", "aws-cn")])
def test_the_command_prints_json_and_asks_nobody(monkeypatch, capsys, region, partition):
    monkeypatch.setenv("AWS_S3_BUCKET", "pictures")
    monkeypatch.setenv("AWS_S3_REGION", region)
    assert cli.main(["storage", "policy", "pipeline"]) == 0
    first = json.loads(capsys.readouterr().out)["Statement"][0]
    assert first["Resource"] == [f"arn:{partition}:s3:::pictures"]
    assert cli.main(["storage", "policy", "nobody"]) == 2
