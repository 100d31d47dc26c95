"""The CDN's template: cfn-lint finds nothing in it, and what it promises is in it. Faults planted in it are found."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from glad_pipeline.aws import stack
from glad_pipeline.aws.access import Access
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.options import S3Options

YEAR = 365 * 24 * 3600


class Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` is read as `("Ref", "x")`."""


def _tagged(loader, suffix, node):
    made = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    return (suffix, made[type(node)](node))


Template.add_multi_constructor("!", _tagged)


def problems(text):
    """What is wrong with a template, by the name of the promise that it breaks."""
    resources = yaml.load(text, Template)["Resources"].values()
    kinds = {each["Type"]: each["Properties"] for each in resources}
    cdn = kinds["AWS::CloudFront::Distribution"]["DistributionConfig"]
    behaviour, (origin,) = cdn["DefaultCacheBehavior"], cdn["Origins"]
    access = kinds.get("AWS::CloudFront::OriginAccessControl", {}).get("OriginAccessControlConfig", {})
    cache = kinds["AWS::CloudFront::CachePolicy"]["CachePolicyConfig"]
    key = cache["ParametersInCacheKeyAndForwardedToOrigin"]
    headers = kinds["AWS::CloudFront::ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
    security, cors = headers["SecurityHeadersConfig"], headers["CorsConfig"]
    statements = kinds["AWS::S3::BucketPolicy"]["PolicyDocument"]["Statement"]
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    denied = [each for each in statements if each["Effect"] == "Deny"]
    csp = security.get("ContentSecurityPolicy", {}).get("ContentSecurityPolicy", "")
    promises = {
        "GET and HEAD alone": behaviour["AllowedMethods"] == behaviour["CachedMethods"] == ["GET", "HEAD"],
        "the cache key is the path": {k: v for k, v in key.items() if not k.startswith("Enable")}
        == {
            "CookiesConfig": {"CookieBehavior": "none"},
            "HeadersConfig": {"HeaderBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
        "https": behaviour["ViewerProtocolPolicy"] == "redirect-to-https",
        "signed requests": access.get("SigningBehavior") == "always"
        and access.get("OriginAccessControlOriginType") == "s3"
        and origin.get("OriginAccessControlId") == ("GetAtt", "Access.Id"),
        "only pictures are read": [(each["Resource"], each["Action"]) for each in allowed]
        == [(("Sub", "arn:${AWS::Partition}:s3:::${BucketName}/" + f"{PREFIX}*"), "s3:GetObject")],
        "only by this CDN": all(
            each["Principal"] == {"Service": "cloudfront.amazonaws.com"}
            and each.get("Condition", {}).get("StringEquals", {}).get("AWS:SourceArn", ("", ""))[1].endswith("/${Cdn}")
            for each in allowed
        ),
        "no reading without TLS": [each.get("Condition") for each in denied]
        == [{"Bool": {"aws:SecureTransport": "false"}}],
        "SVG and HTML run nothing": "default-src 'none'" in csp and "sandbox" in csp.split("; "),
        "nosniff": security.get("ContentTypeOptions") == {"Override": True},
        "CORS": cors["AccessControlAllowMethods"]["Items"] == ["GET", "HEAD"]
        and cors["AccessControlAllowOrigins"]["Items"] == ("Ref", "SiteOrigins")
        and cors["AccessControlMaxAgeSec"] == 3000
        and not cors["AccessControlAllowCredentials"],
        "a year": cache["MaxTTL"] == cache["DefaultTTL"] == YEAR and cache["MinTTL"] == 0,
        "an absent picture is remembered 10 s": {
            each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in cdn.get("CustomErrorResponses", [])
        }
        == {403: 10, 404: 10},
        "IPv6 and HTTP/3": cdn.get("IPV6Enabled") is True and cdn.get("HttpVersion") == "http2and3",
        "compressed": behaviour["Compress"] is True,
        "policies are used": behaviour["CachePolicyId"] == ("Ref", "Cache")
        and behaviour.get("ResponseHeadersPolicyId") == ("Ref", "Headers"),
        "enabled": cdn["Enabled"] is True,
        "no bucket": "AWS::S3::Bucket" not in kinds,
        "TLS 1.2": "TLSv1.2_2021" in str(cdn["ViewerCertificate"]),
    }
    return [name for name, kept in promises.items() if not kept]


def linted(path):
    return subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", "--non-zero-exit-code", "informational", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_wrong_with_it():
    assert problems(stack.body()) == []


def test_its_parameters_are_those_that_an_update_keeps():
    assert set(yaml.load(stack.body(), Template)["Parameters"]) == stack.PARAMETERS


def test_cfn_lint_finds_nothing(tmp_path):
    (tmp_path / "cdn.yaml").write_text(stack.body())
    found = linted(tmp_path / "cdn.yaml")
    assert (found.returncode, found.stdout) == (0, "")


FAULTS = {  # what is planted: from, to, and the promise that it breaks
    "HEAD is missing": ("AllowedMethods: [GET, HEAD]\n", "AllowedMethods: [GET]\n", "GET and HEAD alone"),
    "HEAD is not cached": ("CachedMethods: [GET, HEAD]", "CachedMethods: [GET]", "GET and HEAD alone"),
    "PUT is passed on": (
        "AllowedMethods: [GET, HEAD]\n",
        "AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]\n",
        "GET and HEAD alone",
    ),
    "query strings in the cache key": (
        "QueryStringBehavior: none",
        "QueryStringBehavior: all",
        "the cache key is the path",
    ),
    "http is allowed": ("redirect-to-https", "allow-all", "https"),
    "no OAC": ("            OriginAccessControlId: !GetAtt Access.Id\n", "", "signed requests"),
    "requests are not signed": ("SigningBehavior: always", "SigningBehavior: never", "signed requests"),
    "everything may be read": ("${BucketName}/generated/*'", "${BucketName}/*'", "only pictures are read"),
    "more may be done": ("Action: s3:GetObject", "Action: s3:*", "only pictures are read"),
    "anybody may read": ("Principal: {Service: cloudfront.amazonaws.com}", "Principal: '*'", "only by this CDN"),
    "every CDN may read": ("distribution/${Cdn}'", "distribution/*'", "only by this CDN"),
    "no CSP": (
        """          ContentSecurityPolicy: {ContentSecurityPolicy: "default-src 'none'; sandbox", Override: true}\n""",
        "",
        "SVG and HTML run nothing",
    ),
    "a CSP that lets scripts run": ("'none'; sandbox", "'self'; sandbox", "SVG and HTML run nothing"),
    "no nosniff": ("          ContentTypeOptions: {Override: true}\n", "", "nosniff"),
    "a day": ("DefaultTTL: 31536000", "DefaultTTL: 86400", "a year"),
    "404 remembered for minutes": (
        "          - {ErrorCode: 404, ErrorCachingMinTTL: 10}\n",
        "",
        "an absent picture is remembered 10 s",
    ),
    "403 remembered for minutes": (
        "ErrorCode: 403, ErrorCachingMinTTL: 10",
        "ErrorCode: 403, ErrorCachingMinTTL: 300",
        "an absent picture is remembered 10 s",
    ),
    "IPv6 off": ("IPV6Enabled: true", "IPV6Enabled: false", "IPv6 and HTTP/3"),
    "HTTP/1.1": ("http2and3", "http1.1", "IPv6 and HTTP/3"),
    "not compressed": ("Compress: true", "Compress: false", "compressed"),
    "headers are not sent": ("          ResponseHeadersPolicyId: !Ref Headers\n", "", "policies are used"),
    "CORS with credentials": ("AllowCredentials: false", "AllowCredentials: true", "CORS"),
    "old TLS": ("TLSv1.2_2021", "TLSv1", "TLS 1.2"),
    "plain http to the bucket": (
        "'aws:SecureTransport': 'false'",
        "'aws:SecureTransport': 'true'",
        "no reading without TLS",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_is_planted_is_found(name):
    was, becomes, promise = FAULTS[name]
    assert stack.body().count(was) == 1
    assert problems(stack.body().replace(was, becomes)) == [promise]


def test_cfn_lint_finds_what_aws_would_refuse(tmp_path):
    text = stack.body().replace("SigningProtocol: sigv4", "SigningProtocol: sigv5")
    (tmp_path / "cdn.yaml").write_text(text.replace("!GetAtt Cdn.DomainName", "!GetAtt Cdn.Host"))
    found = linted(tmp_path / "cdn.yaml")
    assert found.returncode != 0
    assert "sigv5" in found.stdout
    assert "Host" in found.stdout


@pytest.mark.parametrize("bucket", ["pictures", "img.example.com", "a" * 63])
def test_a_stack_s_name_is_one_that_aws_takes(bucket):
    name = stack.Stack(access=Access(options=S3Options(bucket=bucket))).name
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name)
