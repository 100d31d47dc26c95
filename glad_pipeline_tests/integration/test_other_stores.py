"""Stores as people have them: what one lacks is made up for, or it is refused before anything is drawn."""

import hashlib
import json
import logging
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.pipeline import store_check
from glad_pipeline.storage import s3_probe
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.probe import ALL, Abilities, Probed, recalled
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.storage.s3_probe import Looking
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests import gateways
from glad_pipeline_tests.gateways import Gateway
from glad_pipeline_tests.integration.test_graph import World, failures

SECRET = "gateway-secret-of-nobody"
PICTURE = {"content_type": "image/png", "metadata": {"recipe-hash": "ab" * 32}}


@pytest.fixture
def gate(s3):
    """Makes gateways before a bucket of its own."""
    open_ones = []

    def make(*given, **more):
        open_ones.append(Gateway(s3, *given, **more).__enter__())
        return open_ones[-1]

    yield make
    for each in open_ones:
        each.__exit__()


@pytest.fixture
def store_at(s3):
    def make(url, **options):
        return S3Store(
            bucket=s3["AWS_S3_BUCKET"],
            endpoint_url=url,
            access_key_id="AKIDNOBODY",
            secret_access_key=SECRET,
            **options,
        )

    return make


def levels(probed, *wanted):
    return {each.check.removeprefix("store: "): each.level for each in probed.found if each.level in wanted}


def mine(store):
    return [each.key for each in store.listing(".glad/")]


@contextmanager
def one_at_a_time():
    """In place of the database's lock."""
    lock = threading.Lock()

    def exclusively(key, work):
        with lock:
            return work()

    yield exclusively


# --- what a look finds ---


def test_a_store_that_does_everything_is_found_to_and_keeps_nothing_of_the_look(gate, store_at):
    store = store_at(gate().url)
    probed = store.probe()
    assert probed.able == ALL
    assert levels(probed, Level.WARNING, Level.ERROR) == {}
    assert {"conditional writes", "checksums", "metadata", "clock", "ranges", "listing", "copies"} <= levels(
        probed, Level.OK
    ).keys()
    assert mine(store) == []


@pytest.mark.parametrize(
    ("behave", "able"),
    [
        (gateways.as_backblaze, Abilities(conditional=False, checksum="md5")),
        (gateways.overwriting, Abilities(conditional=False)),
        (gateways.checking_nothing, Abilities(conditional=False, checksum="read-back")),
    ],
    ids=["as Backblaze", "overwriting", "checking nothing"],
)
def test_what_a_store_lacks_is_found_and_told_and_made_up_for(gate, store_at, behave, able):
    store = store_at(gate(behave).url)
    probed = store.probe()
    assert probed.able == able
    assert levels(probed, Level.WARNING, Level.ERROR) == {"conditional writes": Level.WARNING}
    assert "lock of the database" in probed.warnings()[0]
    assert mine(store) == []
    store_check.require(probed)
    with one_at_a_time() as exclusively:
        adapted = store.adapted(probed.able, exclusively)
        keys = [f"{PREFIX}{uuid.uuid4().hex}.png" for _ in range(2)]
        with ThreadPoolExecutor(8) as pool:
            bodies = [bytes([n]) * 9_000 for n in range(8)]
            written = list(pool.map(lambda body: adapted.put_once(keys[0], body, **PICTURE), bodies))
        assert sorted(written) == [False] * 7 + [True]
        assert adapted.sha256(keys[0]) == hashlib.sha256(bodies[written.index(True)]).hexdigest()
        assert adapted.put_once(keys[1], b"another", **PICTURE) is True
    adapted.delete(keys)
    assert list(store.listing(PREFIX)) == []


def test_without_a_lock_a_store_that_overwrites_is_not_written_to(gate, store_at):
    store = replace(store_at(gate(gateways.overwriting).url), able=Abilities(conditional=False))
    with pytest.raises(StoreError, match="would overwrite"):
        store.put_once(f"{PREFIX}a.png", b"x", **PICTURE)
    assert list(store.listing(PREFIX)) == []


@pytest.mark.parametrize("checksum", ["sha256", "md5", "read-back"])
def test_what_is_damaged_on_the_way_is_not_kept_however_that_is_found_out(gate, store_at, checksum):
    def damage(asked):
        if asked.writes and PREFIX in asked.path:
            asked.body = b"?" + asked.body[1:]

    store = store_at(gate(damage).url, checksum=checksum)
    with pytest.raises(StoreError, match="damaged on the way") as error:
        store.put_once(f"{PREFIX}a.png", b"a picture", **PICTURE)
    assert error.value.transient
    assert list(store.listing(PREFIX)) == []


LIFECYCLE = (
    "<LifecycleConfiguration><Rule><ID>tidy</ID><Filter><Prefix>{}</Prefix></Filter><Status>Enabled</Status>"
    "<Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>"
)
LOCK = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (gateways.answering("lifecycle", LIFECYCLE.format("gen")), "rule 'tidy', which deletes 'gen' after a time"),
        (gateways.answering("lifecycle", LIFECYCLE.format("")), "deletes all after a time"),
        (gateways.answering("object-lock", LOCK), "has Object Lock"),
    ],
    ids=["lifecycle of generated/", "lifecycle of all", "Object Lock"],
)
def test_what_the_bucket_s_owner_has_set_up_is_told(gate, store_at, behave, words):
    probed = store_at(gate(behave).url).probe()
    assert any(words in warning for warning in probed.warnings()), probed.warnings()
    store_check.require(probed)


def test_rules_for_other_keys_and_what_may_not_be_asked_are_no_warning(gate, store_at):
    other = store_at(gate(gateways.answering("lifecycle", LIFECYCLE.format("logs/"))).url).probe()
    assert other.warnings() == []

    def private(asked):
        if "lifecycle" in asked.path or "object-lock" in asked.path:
            return gateways.error(403, "AccessDenied", "Access Denied")
        return None

    probed = store_at(gate(private).url).probe()
    assert probed.warnings() == []
    assert levels(probed, Level.NOT_TESTED).keys() == {"lifecycle rules", "Object Lock"}


def test_what_a_gateway_answers_with_nonsense_is_not_told_and_no_reason_to_stop(gate, store_at):
    def babble(asked):
        return gateways.logging_in(asked) if "lifecycle" in asked.path or "object-lock" in asked.path else None

    probed = store_at(gate(babble).url).probe()
    assert probed.warnings() == []
    assert levels(probed, Level.NOT_TESTED).keys() == {"lifecycle rules", "Object Lock"}
    store_check.require(probed)


def test_an_acl_that_a_bucket_takes_for_no_picture_is_found_at_the_look(gate, store_at):
    def enforced(asked):
        if asked.headers.get("x-amz-acl") == "public-read":
            return gateways.error(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
        return None

    with pytest.raises(StoreError, match="unset GLAD_S3_ACL"):
        store_at(gate(enforced).url, acl="public-read").probe()


@pytest.mark.parametrize(("base", "level"), [(None, Level.ERROR), ("https://cdn.example", Level.WARNING)])
def test_a_wrong_region_is_an_error_where_public_urls_are_made_of_it(base, level):
    store = S3Store(bucket="pictures", region="us-east-1", public_base_url=base)
    vars(store)["client"] = client = Mock()
    looking = Looking(store)
    client.list_objects_v2.return_value = {
        "Contents": [{"Key": looking.second}, {"Key": looking.first}],
        "ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "eu-north-1"}},
    }
    looking._list()
    (region,) = [each for each in looking.found if each.check == "store: region"]
    assert region.level is level
    assert region.cure == "set AWS_S3_REGION=eu-north-1"


def test_a_hiccup_is_nothing_that_a_store_does_not_know():
    def refused(status, code):
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return s3_probe._is_unknown(ClientError(answer, "PutObject"))

    assert [refused(400, code) for code in ("RequestTimeout", "SlowDown", "ExpiredToken")] == [False] * 3
    assert [refused(400, "BadDigest"), refused(400, "InvalidArgument"), refused(501, "NotImplemented")] == [True] * 3


def test_a_store_that_does_not_let_us_delete_is_told_with_what_stays(gate, store_at):
    def keeping(asked):
        if asked.method in ("DELETE", "POST"):
            return gateways.error(403, "AccessDenied", "Access Denied")
        return None

    (warning,) = store_at(gate(keeping).url).probe().warnings()
    assert ".glad/probe-" in warning
    assert "s3:DeleteObject" in warning


def test_clocks_that_differ_and_cache_headers_that_change_are_told(gate, store_at):
    def spoil(asked, answer):
        answer.headers["date"] = "Sun, 29 Nov 2020 10:00:00 GMT"
        answer.headers.pop("cache-control", None)

    warnings = " ".join(store_at(gate(spoil=spoil).url).probe().warnings())
    assert "ahead of the store's" in warnings
    assert "cache header" in warnings


# --- what can never work: by the setting that is to be changed, and in the store's own words ---

REFUSED = {
    "metadata dropped": (gateways.dropping_metadata, ["drops the metadata", "--object-meta"]),
    "encryption demanded": (
        gateways.demanding("x-amz-server-side-encryption", "AES256"),
        ["set it", "GLAD_S3_SSE=AES256", "AccessDenied: Access Denied"],
    ),
    "KMS demanded": (gateways.demanding("x-amz-server-side-encryption", "aws:kms"), ["GLAD_S3_SSE=aws:kms"]),
    "requester pays": (gateways.demanding("x-amz-request-payer", "requester"), ["GLAD_S3_REQUESTER_PAYS=true"]),
    "ACL demanded": (
        gateways.demanding("x-amz-acl", "bucket-owner-full-control"),
        ["GLAD_S3_ACL=bucket-owner-full-control"],
    ),
    "no right": (
        gateways.refusing(403, "AccessDenied", "User: x is not authorized", methods=("PUT",)),
        ["s3:PutObject", "is not authorized"],
    ),
    "wrong region": (
        gateways.refusing(400, "AuthorizationHeaderMalformed", "the region is wrong", "<Region>eu-north-1</Region>"),
        ["AWS_S3_REGION=eu-north-1", "the region is wrong"],
    ),
    "moved": (
        gateways.refusing(301, "PermanentRedirect", "must be addressed", x_amz_bucket_region="ap-south-1"),
        ["AWS_S3_REGION=ap-south-1", "must be addressed"],
    ),
    "expired token": (
        gateways.refusing(400, "ExpiredToken", "The provided token has expired."),
        ["AWS_SESSION_TOKEN", "The provided token has expired"],
    ),
    "wrong secret": (
        gateways.refusing(403, "SignatureDoesNotMatch", "The request signature"),
        ["AWS_SECRET_ACCESS_KEY", "AWS_S3_REGION", "The request signature"],
    ),
    "login page": (gateways.logging_in, ["login page", "AWS_ENDPOINT_URL_S3", "text/html"]),
    "clock": (gateways.in_the_past(20), ["clock is 20 min ahead of the store's", "too large"]),
    "bucket gone": (
        gateways.refusing(404, "NoSuchBucket", "The specified bucket does not exist"),
        ["create it or correct AWS_S3_BUCKET"],
    ),
    "no such storage class": (
        gateways.refusing(400, "InvalidStorageClass", "The storage class", methods=("PUT",)),
        ["GLAD_S3_STORAGE_CLASS", "The storage class"],
    ),
    "no such KMS key": (
        gateways.refusing(400, "KMS.NotFoundException", "Key 'arn:…' does not exist", methods=("PUT",)),
        ["GLAD_S3_KMS_KEY", "does not exist"],
    ),
    "ACL not taken": (
        gateways.refusing(400, "AccessControlListNotSupported", "The bucket does not allow ACLs", methods=("PUT",)),
        ["unset GLAD_S3_ACL", "does not allow ACLs"],
    ),
    "nothing implemented": (
        gateways.refusing(501, "NotImplemented", "A header you provided", methods=("PUT",)),
        ["unset GLAD_S3_SSE", "A header you provided"],
    ),
}


SIMILAR = ["ACL demanded", "KMS demanded", "no such KMS key", "ACL not taken", "moved"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.deep] if name in SIMILAR else []) for name in REFUSED]
)
def test_a_store_that_can_never_take_a_picture_is_refused_with_the_setting(gate, store_at, name):
    behave, words = REFUSED[name]
    store = store_at(gate(behave).url)
    with pytest.raises(StoreError) as error:
        store_check.require(store.probe())
    assert not error.value.transient
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("header", "value", "options"),
    [
        ("x-amz-server-side-encryption", "aws:kms", {"sse": "aws:kms", "kms_key": "our-key"}),
        pytest.param("x-amz-server-side-encryption", "AES256", {"sse": "AES256"}, marks=pytest.mark.deep),
        pytest.param("x-amz-acl", "bucket-owner-read", {"acl": "bucket-owner-read"}, marks=pytest.mark.deep),
        pytest.param("x-amz-storage-class", "STANDARD_IA", {"storage_class": "STANDARD_IA"}, marks=pytest.mark.deep),
    ],
    ids=["KMS", "SSE", "ACL", "storage class"],
)
def test_the_setting_that_was_named_satisfies_the_policy(gate, store_at, header, value, options):
    store = store_at(gate(gateways.demanding(header, value)).url, **options)
    assert levels(store.probe(), Level.WARNING, Level.ERROR) == {}
    key = f"{PREFIX}{uuid.uuid4().hex}.png"
    assert store.put_once(key, b"x", **PICTURE)
    assert store.copy(key, f"quarantine/{key}")
    store.delete([key, f"quarantine/{key}"])


def test_whoever_pays_says_so_with_every_request(gate, store_at):
    all_of_it = ("GET", "HEAD", "PUT", "POST", "DELETE")
    paid = store_at(gate(gateways.demanding("x-amz-request-payer", "requester", all_of_it)).url, requester_pays=True)
    probed = paid.probe()
    assert levels(probed, Level.WARNING, Level.ERROR) == {}
    key = f"{PREFIX}{uuid.uuid4().hex}.png"
    assert paid.put_once(key, b"xyz", **PICTURE)
    assert paid.start(key, 2)[1] == b"xy"
    assert (paid.fetch(key), paid.sha256(key)) == (b"xyz", hashlib.sha256(b"xyz").hexdigest())
    assert [each.key for each in paid.listing(PREFIX)] == [key]
    paid.check()
    paid.delete([key])


def test_who_may_read_pictures_may_not_read_what_is_put_aside(gate, store_at):
    said = {}

    def note(asked):
        if asked.writes:
            said[asked.path.partition("?")[0].split("/")[2]] = asked.headers.get("x-amz-acl")
        asked.without("x-amz-acl")

    store = store_at(gate(note).url, acl="public-read")
    store.put_once(f"{PREFIX}a.png", b"x", **PICTURE)
    store.put_once(".glad/x.json", b"x", **PICTURE)
    store.copy(f"{PREFIX}a.png", f"quarantine/{PREFIX}a.png")
    assert said == {"generated": "public-read", ".glad": None, "quarantine": None}
    store.delete([f"{PREFIX}a.png", ".glad/x.json", f"quarantine/{PREFIX}a.png"])


# --- remembered ---


@pytest.fixture
def database(database_url):
    migrate(database_url)
    with Database(database_url) as database:
        yield database


@pytest.mark.deep
def test_a_store_is_tried_once_and_again_when_its_options_change(gate, store_at, database):
    gateway, told = gate(gateways.as_backblaze), []
    store = store_at(gateway.url)
    required = partial(
        store_check.require_store, database, exclusively=store_check.under_a_lock(database), tell=told.append
    )
    assert required(store).able == Abilities(conditional=False, checksum="md5")
    assert len(told) == 1
    gateway.asked.clear()
    assert required(store_at(gateway.url)).able == Abilities(conditional=False, checksum="md5")
    assert gateway.asked == [("GET", f"/{store.bucket}/.glad/deployment.json")]
    assert len(told) == 1
    required(store_at(gateway.url, checksum="read-back"))
    assert len(gateway.asked) > 8
    gateway.behave = gateways.overwriting  # it is another one by now: `glad migrate` and `glad doctor` see that
    assert store_check.look_again(database, store).able == Abilities(conditional=False)
    assert required(store).able == Abilities(conditional=False)
    store.delete([".glad/deployment.json"])  # the bucket was made anew
    gateway.behave = gateways.checking_nothing
    assert required(store).able == Abilities(conditional=False, checksum="read-back")
    store.delete([".glad/deployment.json"])


def test_what_an_older_version_or_nobody_has_remembered_is_not_believed():
    assert recalled(None, "mark") is None
    assert recalled({"version": 0, "options": "mark", "able": {}, "found": []}, "mark") is None
    assert recalled({"version": 1, "options": "mark", "able": {"else": 1}, "found": []}, "mark") is None
    assert recalled({"version": 1, "options": "mark", "able": {}, "found": []}, "mark").able == ALL
    wrong = Probed(able=ALL, found=(Diagnosis(check="store: metadata", level=Level.ERROR, text="gone", cure="mend"),))
    assert recalled(json.loads(wrong.remembered("mark")), "mark") is None
    risk = Probed(able=ALL, found=(Diagnosis(check="store: clock", level=Level.WARNING, text="off", cure="set it"),))
    assert recalled(json.loads(risk.remembered("mark")), "mark") == risk


def test_under_the_lock_of_a_key_nobody_else_of_this_database_works_on_it(database_url, database):
    inside, together = [], []

    def work(name):
        inside.append(name)
        together.append(len(inside))
        threading.Event().wait(0.05)
        inside.remove(name)
        return True

    with Database(database_url) as other, ThreadPoolExecutor(4) as pool:
        locks = [store_check.under_a_lock(each) for each in (database, other, database, other)]
        assert all(pool.map(lambda pair: pair[1]("a key", lambda: work(pair[0])), enumerate(locks)))
    assert together == [1] * 4


def test_an_upload_that_takes_longer_than_any_transaction_may_keeps_its_lock(database_url, database, monkeypatch):
    monkeypatch.setattr("glad_pipeline.database.ANSWER", 0.1)
    with database.transaction() as connection:
        connection.execute(
            f"ALTER DATABASE \"{connection.info.dbname}\" SET idle_in_transaction_session_timeout = '100ms'"
        )
    inside = []

    def work():
        inside.append(1)
        threading.Event().wait(0.4)
        return inside == [1]

    with Database(database_url) as other, ThreadPoolExecutor(2) as pool:
        locks = [store_check.under_a_lock(each) for each in (database, other)]
        first = pool.submit(locks[0], "a key", lambda: work() and not inside.clear())
        threading.Event().wait(0.2)
        assert pool.submit(locks[1], "a key", lambda: inside == []).result()
        assert first.result()


def test_more_uploads_than_connections_wait_for_their_turn(database, monkeypatch):
    monkeypatch.setattr("glad_pipeline.database.BUSY", 0.05)
    monkeypatch.setattr(store_check, "AT_ONCE", 2)
    most, inside = [], []

    def work():
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.05)
        inside.pop()
        return True

    with ThreadPoolExecutor(16) as pool:
        lock = store_check.under_a_lock(database)
        assert all(pool.map(lambda n: lock(f"key {n}", work), range(16)))
    assert max(most) <= 2


def test_what_was_written_under_a_lock_that_was_lost_is_to_be_looked_at(database):
    def work():
        with database.transaction() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'glad-put' AND datname = current_database()"
            )
        return True

    assert store_check.under_a_lock(database)("a key", work) is False
    assert store_check.under_a_lock(database)("a key", lambda: True) is True


# --- through the graph ---


@pytest.fixture
def world(database_url, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    migrate(database_url)
    world = World(database_url)
    yield world
    world.connection.close()


drawn = []


class Watched(InstantSdxl):
    def generate(self, recipes, **more):
        for each in super().generate(recipes, **more):
            drawn.append(each.recipe)
            yield each


def warnings(world, result):
    return [e.user_message for e in world.instance.all_logs(result.run_id) if e.level == 30]


def attempts(world):
    return {(row["status"], row["attempts"]) for row in world.prompts().values()}


def test_on_a_store_as_backblaze_every_picture_is_published_once(world, gate, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", gate(gateways.as_backblaze).url)
    for n in range(5):
        world.add(f"a hill {n}", title=f"Hill {n}")
    result = world.run()
    assert attempts(world) == {("published", 1)}
    assert len(world.objects()) == len(world.posts()) == 5
    assert sum("If-None-Match" in each for each in warnings(world, result)) == 1
    world.add("a hill 6", title="Hill 6")
    assert not any("If-None-Match" in each for each in warnings(world, world.run()))
    assert len(world.posts()) == 6


END_TO_END = ["metadata dropped"]


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "name", [name if name in END_TO_END else pytest.param(name, marks=pytest.mark.deep) for name in REFUSED]
)
def test_nothing_is_claimed_or_drawn_for_a_store_that_can_take_no_picture(world, gate, monkeypatch, name):
    behave, words = REFUSED[name]
    gateway = gate(behave)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", gateway.url)
    world.add("a hill", title="Hill")
    drawn.clear()
    result = world.run(sdxl=Watched(), expect_success=False)
    assert [word for word in words if word not in failures(result)] == [], failures(result)
    assert [e.step_key for e in result.all_events if e.is_step_failure] == ["prompts"]
    assert attempts(world) == {("pending", 0)}
    assert drawn == []
    gateway.behave = lambda asked: None  # mended
    world.run()
    assert attempts(world) == {("published", 1)}


def test_a_bucket_that_is_deleted_meanwhile_ends_the_run_and_its_pictures_wait_and_are_counted(
    world, gate, monkeypatch
):
    gateway = gate(lambda asked: None, lambda asked, answer: None)
    gone = gateways.refusing(404, "NoSuchBucket", "The specified bucket does not exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", gateway.url)
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}")

    def deleted(asked):
        return gone(asked) if asked.writes and PREFIX in asked.path else None

    gateway.behave = deleted
    drawn.clear()
    result = world.run(sdxl=Watched(), expect_success=False)
    assert "create it or correct AWS_S3_BUCKET" in failures(result)
    assert re.search(r"3 pictures \([0-9.]+ [kM]?B\) wait in", failures(result)), failures(result)
    assert "are delivered once this is mended: none of them is lost or drawn again" in failures(result)
    assert attempts(world) == {("pending", 0)}
    gateway.behave = gone
    result = world.run(sdxl=Watched(), expect_success=False)  # before the claim, and they are counted
    assert [e.step_key for e in result.all_events if e.is_step_failure] == ["prompts"]
    assert "3 pictures" in failures(result)
    gateway.behave = lambda asked: None
    world.run(sdxl=Watched())
    assert len(drawn) == 3
    assert attempts(world) == {("published", 0)}  # a try is counted with a drawing, and that one was given back


@pytest.mark.deep
def test_on_moto_every_picture_is_published_once(world, monkeypatch):
    """A server that somebody else wrote by AWS's documents."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    try:
        world.store.client.create_bucket(Bucket=world.store.bucket)
        anybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
        policy = {
            "Version": "2012-10-17",
            "Statement": [anybody | {"Resource": f"arn:aws:s3:::{world.store.bucket}/*"}],
        }
        world.store.client.put_bucket_policy(Bucket=world.store.bucket, Policy=json.dumps(policy))
        for n in range(3):
            world.add(f"a hill {n}", title=f"Hill {n}")
        world.run()
        assert attempts(world) == {("published", 1)}
        assert len(world.objects()) == len(world.posts()) == 3
        assert world.store.put_once(world.objects()[0], b"another", **PICTURE) is False
    finally:
        server.stop()
