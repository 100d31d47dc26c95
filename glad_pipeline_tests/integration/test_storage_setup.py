"""`glad storage`: buckets on moto (as AWS has them) and on SeaweedFS, stacks on a CloudFormation of our own."""

import json
import logging
import urllib.request
import uuid
from functools import cache

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from moto.server import ThreadedMotoServer

from glad_pipeline import cli
from glad_pipeline.aws import stack
from glad_pipeline_tests import gateways
from glad_pipeline_tests.cloudformation import CloudFormation, Made, made, rolled_back

REGION = "eu-central-1"
FOREIGN_CORS = {"AllowedOrigins": ["https://other.example"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["x"]}
FOREIGN_RULE = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}
PARTS = ["objects", "ownership", "Block Public Access", "encryption", "CORS", "lifecycle", "versioning"]


@pytest.fixture(scope="module", autouse=True)
def _models_read_once():
    """Most of a command's time boto3 reads the models of S3 and CloudFormation."""
    read = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda self, path: read(path))
        yield


@pytest.fixture(scope="module")
def moto():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def formation(monkeypatch):
    server = CloudFormation()
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", server.url)
    monkeypatch.setattr(stack, "PAUSES", (0.01, 0.01))
    yield server
    server.close()


class Glad:
    """The commands on one bucket, and the bucket itself."""

    def __init__(self, settings, monkeypatch, capsys):
        self.bucket = settings["AWS_S3_BUCKET"]
        self._capsys = capsys
        for name, value in {**settings, "GLAD_REVALIDATE_SECRET": "a-revalidation-secret"}.items():
            monkeypatch.setenv(name, value)
        self.s3 = boto3.client(
            "s3",
            endpoint_url=settings.get("AWS_ENDPOINT_URL_S3") or settings["AWS_ENDPOINT_URL"],
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=settings["AWS_S3_REGION"],
        )

    def __call__(self, *words):
        code = cli.main(["storage", *words])
        said = self._capsys.readouterr()
        return code, said.out + said.err

    def make(self):
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def rules(self):
        return self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"]

    def cors(self):
        return self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"]

    def checked(self):
        code, said = self("check", "--json")
        return code, {each["check"]: each["level"] for each in json.loads(said)}


@pytest.fixture
def settings(moto):
    return {
        "AWS_S3_BUCKET": f"pictures-{uuid.uuid4().hex[:12]}",
        "AWS_S3_REGION": REGION,
        "AWS_ENDPOINT_URL": moto,  # in AWS's place: AWS_ENDPOINT_URL_S3 names a store that is not AWS
        "AWS_ACCESS_KEY_ID": "AKIDNOBODY",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-nobody",
        "GLAD_SITE_URL": "https://blog.example/path",
    }


@pytest.fixture
def glad(settings, monkeypatch, capsys):
    return Glad(settings, monkeypatch, capsys)


@pytest.fixture
def on_seaweedfs(s3, monkeypatch, capsys):
    return Glad(s3 | {"GLAD_SITE_URL": "https://blog.example"}, monkeypatch, capsys)


# --- the bucket ---


def test_a_bucket_is_planned_made_and_found_right(glad):
    code, plan = glad("setup", "--plan")
    assert code == 0, plan
    assert [name for name in ("bucket", *PARTS[1:6]) if f"to do      {name}: " not in plan] == [], plan
    assert glad.s3.list_buckets()["Buckets"] == [] or glad.bucket not in str(glad.s3.list_buckets()["Buckets"])
    assert glad.checked() == (1, {"bucket": "error"})

    code, said = glad("setup")
    assert code == 0, said
    assert f"AWS_S3_BUCKET={glad.bucket}\nAWS_S3_REGION={REGION}\n" in said
    assert glad.s3.get_bucket_location(Bucket=glad.bucket)["LocationConstraint"] == REGION
    blocked = glad.s3.get_public_access_block(Bucket=glad.bucket)["PublicAccessBlockConfiguration"]
    encryption = glad.s3.get_bucket_encryption(Bucket=glad.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert len(blocked) == 4
    assert all(blocked.values())
    (rule,) = glad.cors()
    assert rule["AllowedOrigins"] == ["https://blog.example", "https://www.blog.example"]
    assert rule["AllowedMethods"] == ["GET", "HEAD"]
    assert rule["MaxAgeSeconds"] == 3000
    assert {each["ID"]: each["Filter"] for each in glad.rules()} == {
        "glad-quarantine": {"Prefix": "quarantine/"},
        "glad-unfinished-uploads": {"Prefix": ""},
    }
    assert glad.s3.get_bucket_ownership_controls(Bucket=glad.bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]

    code, said = glad("setup")
    assert (code, "Nothing is to do" in said, "to do" in said.replace("is to do", "")) == (0, True, False), said


def test_in_us_east_1_no_location_is_named(glad, settings, monkeypatch):
    monkeypatch.setenv("AWS_S3_REGION", "us-east-1")
    assert glad("setup")[0] == 0  # moto, as AWS, refuses the name us-east-1
    assert glad.s3.get_bucket_location(Bucket=glad.bucket)["LocationConstraint"] is None


def test_what_others_have_set_up_is_kept_and_versioning_left_alone(glad):
    glad.make()
    glad.s3.put_bucket_cors(Bucket=glad.bucket, CORSConfiguration={"CORSRules": [FOREIGN_CORS]})
    glad.s3.put_bucket_lifecycle_configuration(Bucket=glad.bucket, LifecycleConfiguration={"Rules": [FOREIGN_RULE]})
    glad.s3.put_bucket_versioning(Bucket=glad.bucket, VersioningConfiguration={"Status": "Enabled"})
    _, plan = glad("setup", "--plan")
    assert "rules of others are kept: logs" in plan
    assert glad("setup")[0] == 0
    ours, kept = glad.cors()
    assert ours["ID"] == "glad-pictures"
    assert {name: kept[name] for name in FOREIGN_CORS} == FOREIGN_CORS
    assert glad.rules()[0] == FOREIGN_RULE
    assert len(glad.rules()) == 3
    assert glad.s3.get_bucket_versioning(Bucket=glad.bucket)["Status"] == "Enabled"
    assert set(glad.checked()[1].values()) <= {"ok", "not tested"}


def test_another_site_takes_the_place_of_ours_alone(glad, monkeypatch):
    assert glad("setup")[0] == 0
    monkeypatch.setenv("GLAD_SITE_URL", "https://new.example")
    code, found = glad.checked()
    assert (code, found["CORS"]) == (1, "warning")
    assert glad("setup")[0] == 0
    (rule,) = glad.cors()
    assert rule["AllowedOrigins"] == ["https://new.example", "https://www.new.example"]


@pytest.mark.parametrize("key", ["backups/x.tar", "index.html"])
def test_a_bucket_with_objects_of_others_is_not_touched(glad, key):
    glad.make()
    glad.s3.put_object(Bucket=glad.bucket, Key="generated/aa/b.png", Body=b"x")
    glad.s3.put_object(Bucket=glad.bucket, Key=key, Body=b"x")
    code, said = glad("setup")
    assert code == 1
    assert f"objects of others: {key.partition('/')[0]}" in said
    assert "Nothing is changed" in said
    with pytest.raises(glad.s3.exceptions.ClientError):
        glad.cors()


IS_PUBLIC = b"<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>"


@pytest.mark.parametrize("condition", [{}, {"Condition": {"StringLike": {"aws:Referer": "https://blog.example/*"}}}])
def test_a_bucket_that_visitors_read_by_its_policy_keeps_it(glad, settings, monkeypatch, condition):
    glad.make()
    public = {"Sid": "All", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": "x"}
    glad.s3.put_bucket_policy(Bucket=glad.bucket, Policy=json.dumps({"Statement": [public | condition]}))

    def as_aws(asked):  # moto takes none with a condition for public
        return gateways.Answer(200, IS_PUBLIC) if condition and "policyStatus" in asked.path else None

    with gateways.Gateway(settings | {"AWS_ENDPOINT_URL_S3": settings["AWS_ENDPOINT_URL"]}, as_aws) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        code, said = glad("setup")
    assert code == 1
    assert "policy's All, which it would end" in said
    assert "Nothing is changed" in said


@pytest.mark.parametrize("off", [{}, {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}], ids=["both", "block"])
def test_a_bucket_that_visitors_read_by_acls_keeps_them(glad, off):
    glad.make()
    if off:
        glad.s3.put_bucket_ownership_controls(Bucket=glad.bucket, OwnershipControls=off)
    glad.s3.put_object(Bucket=glad.bucket, Key="generated/bb/new.png", Body=b"x")
    assert "visitors are given" not in glad("setup", "--plan")[1]
    glad.s3.put_object(Bucket=glad.bucket, Key="generated/aa/old.png", Body=b"x", ACL="public-read")
    code, said = glad("setup")
    assert code == 1
    assert said.count("visitors are given generated/aa/old.png by the bucket itself") == (1 if off else 2)
    assert "Nothing is changed" in said


def test_a_setting_that_the_bucket_would_refuse_is_named_before_anything_is_made(glad, monkeypatch):
    monkeypatch.setenv("GLAD_S3_ACL", "public-read")
    code, said = glad("setup")
    assert (code, "unset GLAD_S3_ACL" in said) == (1, True), said
    assert glad.bucket not in str(glad.s3.list_buckets()["Buckets"])


@pytest.mark.parametrize(
    ("method", "query", "right"),
    [("GET", "cors", "s3:GetBucketCORS"), ("PUT", "lifecycle", "s3:PutLifecycleConfiguration")],
)
def test_a_right_that_is_lacking_is_named_and_the_rest_is_done(glad, settings, monkeypatch, method, query, right):
    glad.make()

    def deny(asked):
        if asked.method == method and query in asked.path:
            return gateways.error(403, "AccessDenied", "Access Denied")
        return None

    with gateways.Gateway(settings | {"AWS_ENDPOINT_URL_S3": settings["AWS_ENDPOINT_URL"]}, deny) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        code, said = glad("setup")
    assert code == 1
    assert f"WRONG      {'CORS' if query == 'cors' else query}: {right} was refused: AccessDenied" in said
    assert f"allow {right}" in said
    assert glad.s3.get_public_access_block(Bucket=glad.bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (gateways.error(403, "InvalidAccessKeyId", "none"), "does not know this AWS_ACCESS_KEY_ID"),
        (gateways.error(400, "ExpiredToken", "expired"), "AWS_SESSION_TOKEN"),
    ],
)
def test_wrong_credentials_end_it_with_one_message(glad, settings, monkeypatch, answer, words):
    glad.make()
    with gateways.Gateway(
        settings | {"AWS_ENDPOINT_URL_S3": settings["AWS_ENDPOINT_URL"]},
        lambda asked: answer if asked.method == "GET" else None,
    ) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        code, said = glad("setup")
    assert (code, said.count("glad: "), words in said) == (1, 1, True), said
    assert "a-secret-of-nobody" not in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (gateways.error(403, "AccessDenied", "Access Denied"), "is somebody else's, or these credentials lack"),
        (gateways.error(301, "Moved", "x", x_amz_bucket_region="ap-south-1"), "set AWS_S3_REGION=ap-south-1"),
        (gateways.Answer(200, b"<html>Log in</html>", {"content-type": "text/html"}), "something else answers"),
    ],
    ids=["another's", "another region", "login page"],
)
def test_a_bucket_that_cannot_be_looked_at_is_told_in_a_sentence(glad, settings, monkeypatch, answer, words):
    glad.make()
    with gateways.Gateway(settings | {"AWS_ENDPOINT_URL_S3": settings["AWS_ENDPOINT_URL"]}, lambda _: answer) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        code, said = glad("setup")
    assert (code, words in said, said.count("\n")) == (1, True, 1), said


def test_a_name_that_somebody_else_has_taken_is_told(glad, settings, monkeypatch):
    taken = gateways.error(409, "BucketAlreadyExists", "The requested bucket name is not available")
    front = settings | {"AWS_ENDPOINT_URL_S3": settings["AWS_ENDPOINT_URL"]}
    with gateways.Gateway(front, lambda asked: taken if asked.method == "PUT" else None) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        code, said = glad("setup")
    assert (code, "is taken by somebody else" in said, said.count("WRONG")) == (1, True, 1), said


def test_without_credentials_it_says_which_to_set(glad, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    code, said = glad("setup")
    assert (code, "there are no AWS credentials: set AWS_ACCESS_KEY_ID" in said) == (1, True), said
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    code, said = glad("setup")
    assert (code, "nobody" in said, "Traceback" in said) == (1, True, False), said


def test_a_store_that_is_not_aws_is_set_up_as_far_as_it_can_be(on_seaweedfs):
    glad = on_seaweedfs
    code, said = glad("setup")
    assert code == 0, said
    assert "Block Public Access: http" in said
    assert "has no such thing" in said
    assert glad.cors()[0]["AllowedOrigins"] == ["https://blog.example", "https://www.blog.example"]
    assert {"glad-quarantine", "glad-unfinished-uploads"} == {each["ID"] for each in glad.rules()}
    glad.s3.put_object(Bucket=glad.bucket, Key="generated/aa/b.png", Body=b"picture")
    address = f"{glad.s3.meta.endpoint_url}/{glad.bucket}/generated/aa/b.png"
    with urllib.request.urlopen(address, timeout=10) as found:  # as before
        assert found.read() == b"picture"
    assert "Nothing is to do" in glad("setup")[1]
    assert glad.checked()[0] == 0
    glad.s3.delete_object(Bucket=glad.bucket, Key="generated/aa/b.png")


def test_a_bucket_is_made_on_such_a_store_too(on_seaweedfs, monkeypatch):
    monkeypatch.setenv("AWS_S3_BUCKET", name := f"made-{uuid.uuid4().hex[:12]}")
    code, said = on_seaweedfs("setup")
    assert code == 0, said
    assert on_seaweedfs.s3.get_bucket_cors(Bucket=name)["CORSRules"][0]["ID"] == "glad-pictures"
    on_seaweedfs.s3.delete_bucket(Bucket=name)


# --- the CDN ---


def stack_of(glad, formation):
    return formation.stacks[f"glad-{glad.bucket}"]


def test_a_cdn_is_planned_made_and_its_settings_told(glad, formation, monkeypatch):
    code, plan = glad("setup", "--cdn", "--plan")
    assert code == 0
    assert f"to do      CDN: the stack glad-{glad.bucket} in {REGION} is made" in plan
    assert formation.stacks == {}

    code, said = glad("setup", "--cdn")
    assert code == 0, said
    assert "… Cdn CREATE_COMPLETE" in said
    assert "AWS_CLOUDFRONT_DOMAIN=d1.cloudfront.net\nAWS_CLOUDFRONT_DISTRIBUTION_ID=E2EXAMPLE" in said
    assert stack_of(glad, formation).parameters == {
        "BucketName": glad.bucket,
        "SiteOrigins": "https://blog.example,https://www.blog.example",
    }
    code, said = glad("setup", "--cdn")
    assert (code, "Nothing is to do" in said, formation.asked.count("CreateStack")) == (0, True, 1), said

    code, said = glad("check")
    assert code == 1
    assert "set AWS_CLOUDFRONT_DISTRIBUTION_ID=E2EXAMPLE" in said
    monkeypatch.setenv("AWS_CLOUDFRONT_DOMAIN", "d1.cloudfront.net")
    monkeypatch.setenv("AWS_CLOUDFRONT_DISTRIBUTION_ID", "E2EXAMPLE")
    assert glad("check")[0] == 0


def test_the_settings_are_written_on_request_and_all_else_in_their_file_stays(glad, formation, monkeypatch, tmp_path):
    file = tmp_path / "settings"
    monkeypatch.setenv("GLAD_ENV_FILE", str(file))
    before = f"# mine\nexport AWS_CLOUDFRONT_DOMAIN='old.example'\nAWS_S3_BUCKET={glad.bucket}\nGLAD_SITE_URL=\"a b\""
    file.write_text(before)
    file.chmod(0o640)
    assert glad("setup", "--cdn")[0] == 0
    assert file.read_text() == before
    code, said = glad("setup", "--cdn", "--plan", "--write")
    assert (code, file.read_text()) == (0, before)
    assert f"{file} would have these settings:" in said

    code, said = glad("setup", "--cdn", "--write")
    assert code == 0, said
    assert f"{file} has these settings:" in said
    assert "AWS_CLOUDFRONT_DOMAIN=d1.cloudfront.net  (was old.example)" in said
    assert "AWS_CLOUDFRONT_DISTRIBUTION_ID=E2EXAMPLE  (was not set)" in said
    assert f"AWS_S3_BUCKET={glad.bucket}\n" in said
    after = (
        f'# mine\nexport AWS_CLOUDFRONT_DOMAIN=d1.cloudfront.net\nAWS_S3_BUCKET={glad.bucket}\nGLAD_SITE_URL="a b"\n'
        f"AWS_S3_REGION={REGION}\nAWS_CLOUDFRONT_DISTRIBUTION_ID=E2EXAMPLE\n"
    )
    assert (file.read_text(), file.stat().st_mode & 0o777) == (after, 0o640)
    written = file.stat().st_mtime_ns
    code, said = glad("setup", "--cdn", "--write")
    assert (code, file.stat().st_mtime_ns) == (0, written)
    assert "has these settings already:" in said
    monkeypatch.setenv("AWS_CLOUDFRONT_DOMAIN", "another.example")
    assert (
        "the environment has AWS_CLOUDFRONT_DOMAIN=another.example, which wins" in glad("setup", "--cdn", "--write")[1]
    )
    file.unlink()
    file.mkdir()
    code, said = glad("setup", "--cdn", "--write")
    assert code == 1
    assert f"the settings cannot be written to {file}: Is a directory. Put them there by hand" in said


def test_a_domain_of_one_s_own_stays_when_it_is_not_named_again(glad, formation, monkeypatch):
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/abc-1"
    own = ("--domain", "cdn.blog.example", "--certificate", certificate)
    assert glad("setup", "--cdn", *own)[0] == 0
    monkeypatch.setenv("GLAD_SITE_URL", "https://new.example")
    code, said = glad("setup", "--cdn")
    assert code == 0
    assert "SiteOrigins https://blog.example,https://www.blog.example → https://new.example" in said
    assert stack_of(glad, formation).parameters["DomainName"] == "cdn.blog.example"
    assert stack_of(glad, formation).parameters["CertificateArn"] == certificate
    assert glad("setup", "--cdn", "--domain", "")[0] == 0
    assert stack_of(glad, formation).parameters["DomainName"] == ""


def test_a_template_of_an_older_version_is_replaced(glad, formation):
    assert glad("setup", "--cdn")[0] == 0
    stack_of(glad, formation).template = "older"
    stack_of(glad, formation).parameters |= {"DroppedSince": "x", "DomainName": "a.example"}
    code, said = glad("setup", "--cdn")
    assert (code, "template is not the one of this version" in said) == (0, True), said
    assert stack_of(glad, formation).template == stack.body()
    kept = stack_of(glad, formation).parameters
    assert ("DroppedSince" in kept, kept["DomainName"]) == (False, "a.example")


def test_a_stack_that_fails_is_told_with_the_reason_and_the_cure(glad, formation):
    formation.happens = rolled_back("The certificate is of another region")
    code, said = glad("setup", "--cdn")
    assert code == 1
    assert "Cdn CREATE_FAILED: The certificate is of another region" in said
    assert "has failed (ROLLBACK_COMPLETE, nothing of it is left but its record). Cdn: The certificate" in said
    assert "Resource creation cancelled" not in said.partition("WRONG")[2]
    assert f"aws cloudformation delete-stack --stack-name glad-{glad.bucket} --region {REGION}" in said
    assert "AWS_CLOUDFRONT_DOMAIN" not in said

    code, said = glad("setup", "--cdn")  # what is left of it is in the way
    assert (code, formation.asked.count("CreateStack")) == (1, 1)
    assert "its making has failed and was rolled back. Cdn: The certificate is of another region" in said
    assert "delete-stack" in said
    assert "Nothing is changed" in said

    del formation.stacks[f"glad-{glad.bucket}"]
    assert glad("setup", "--cdn")[0] == 0


def test_a_change_that_fails_leaves_the_cdn_as_it_was_and_is_told(glad, formation, monkeypatch):
    assert glad("setup", "--cdn")[0] == 0
    monkeypatch.setenv("GLAD_SITE_URL", "https://new.example")
    formation.happens = rolled_back("Too many origins", "UPDATE")
    code, said = glad("setup", "--cdn")
    assert (code, "UPDATE_ROLLBACK_COMPLETE, it is as it was before). Cdn: Too many origins" in said) == (1, True), said
    stack_of(glad, formation).parameters["SiteOrigins"] = "https://blog.example,https://www.blog.example"
    _, said = glad("check")
    assert "the last change of the stack" in said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ROLLBACK_FAILED", "delete-stack"),
        ("DELETE_FAILED", "delete-stack"),
        ("REVIEW_IN_PROGRESS", "made a change set"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_a_stack_out_of_which_there_is_no_way_is_told_with_the_cure(glad, formation, status, words):
    formation.stacks[f"glad-{glad.bucket}"] = Made(stack.body(), {"BucketName": glad.bucket}, status)
    code, said = glad("setup", "--cdn")
    assert (code, words in said, "Nothing is changed" in said) == (1, True, True), said


def test_a_stack_that_is_being_changed_is_waited_for(glad, formation):
    glad.make()
    parameters = {"BucketName": glad.bucket, "SiteOrigins": "https://blog.example,https://www.blog.example"}
    formation.stacks[f"glad-{glad.bucket}"] = Made(stack.body(), parameters, "CREATE_IN_PROGRESS", coming=made())
    code, said = glad("setup", "--cdn")
    assert (code, formation.asked.count("CreateStack"), formation.asked.count("UpdateStack")) == (0, 0, 0), said
    assert "this is waited for" in said
    assert "AWS_CLOUDFRONT_DISTRIBUTION_ID=E2EXAMPLE" in said


def test_a_stack_of_others_is_not_touched(glad, formation):
    formation.stacks[f"glad-{glad.bucket}"] = Made("x", {"BucketName": "another"}, "CREATE_COMPLETE")
    code, said = glad("setup", "--cdn")
    assert (code, "is not ours: its BucketName is another" in said, "UpdateStack" in formation.asked) == (
        1,
        True,
        False,
    )


def test_drift_is_told_property_by_property(glad, formation):
    assert glad("setup", "--cdn")[0] == 0
    changed = {"PropertyPath": "/DistributionConfig/Enabled", "ExpectedValue": "true", "ActualValue": "false"}
    base = {"StackId": "arn:1", "Timestamp": "2026-01-01T00:00:00Z"}
    formation.drifts = [
        base
        | {
            "LogicalResourceId": "Cdn",
            "ResourceType": "AWS::CloudFront::Distribution",
            "StackResourceDriftStatus": "MODIFIED",
            "PropertyDifferences": [changed | {"DifferenceType": "NOT_EQUAL"}],
        },
        base
        | {
            "LogicalResourceId": "Policy",
            "ResourceType": "AWS::S3::BucketPolicy",
            "StackResourceDriftStatus": "DELETED",
        },
    ]
    code, said = glad("check")
    assert code == 1
    assert "drift: Cdn was changed by hand: /DistributionConfig/Enabled true → false" in said
    assert "drift: Policy was deleted by hand" in said


@pytest.mark.parametrize(
    ("action", "level"), [("DescribeStacks", "WRONG"), ("DetectStackDrift", "not known"), ("CreateStack", "WRONG")]
)
def test_a_right_on_the_stack_that_is_lacking_is_named(glad, formation, action, level):
    glad.make()
    if action == "DetectStackDrift":
        assert glad("setup", "--cdn")[0] == 0
    formation.denied = {action}
    code, said = glad("setup", "--cdn")
    assert code == (0 if level == "not known" else 1)
    assert f"cloudformation:{action} was refused" in said
    assert f"allow cloudformation:{action}" in said
    assert glad.s3.get_public_access_block(Bucket=glad.bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]


def test_a_policy_of_others_is_not_written_over(glad, formation):
    glad.make()
    other = {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "s3:GetObject"}
    glad.s3.put_bucket_policy(Bucket=glad.bucket, Policy=json.dumps({"Statement": [other | {"Resource": "x"}]}))
    code, said = glad("setup", "--cdn")
    assert (code, "the bucket has a policy (Partner)" in said, formation.stacks) == (1, True, {}), said
    assert glad("setup")[0] == 0


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        (["--domain", "a.example"], {}, "go with --cdn"),
        (["--cdn", "--domain", "a.example"], {}, "go together"),
        (["--cdn", "--domain", "https://a.example", "--certificate", "x"], {}, "no host name"),
        (["--cdn", "--domain", "a.example", "--certificate", "arn:aws:acm:eu-west-1:1:c"], {}, "in us-east-1"),
        (["--origin", "https://a.example/b"], {}, "without a path"),
        (["--cdn"], {"AWS_ENDPOINT_URL_S3": "https://s3.other.example"}, "reads from AWS alone"),
        (["--cdn"], {"AWS_S3_REGION": "cn-north-1"}, "aws-cn"),
        (["--cdn"], {"AWS_S3_REGION": "mars-1"}, "no region 'mars-1'"),
        ([], {"AWS_S3_BUCKET": ""}, "AWS_S3_BUCKET"),
        ([], {"AWS_S3_BUCKET": "My_Pictures"}, "no bucket's name"),
        ([], {"GLAD_VOLUME": "/x", "GLAD_STORE": "volume"}, "by volume"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(glad, formation, monkeypatch, words, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, said = glad("setup", *words)
    assert (code, message in said) == (2, True), said
    assert formation.asked == []
