"""What an S3-compatible store really does, tried on a few small objects of its own under `.glad/`.

Makes about twelve requests. Knows boto3 and one store; what follows from the answer is for others to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.display import quoted
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.probe import Abilities, Checksum, Probed
from glad_pipeline.storage.protocol import CACHE_CONTROL, StoreError
from glad_pipeline.storage.s3_client import checked_by
from glad_pipeline.storage.s3_errors import CURES, code_of, explained, in_words, may_pass, skew_of, status_of, words_of

if TYPE_CHECKING:
    from glad_pipeline.storage.s3 import S3Store

BODY, OTHER = b"glad_pipeline looks at this store\n", b"glad_pipeline looked at this store\n"
METADATA = {"recipe-hash": "ab" * 32, "provenance": '{"device": "a probe", "slot": [0, 1]}'}
KIND = "image/png"
PICTURE = f"{PREFIX}a.png"  # what is sent with a trial object is sent as with a picture: no other key gets its ACL
ONCE = {"IfNoneMatch": "*"}
DAMAGED = ("BadDigest", "XAmzContentSHA256Mismatch")  # a checksum that is wrong, or that the store reckons otherwise
MOST_SKEW = 60.0  # seconds; AWS refuses requests from 900 on
TRIALS: tuple[tuple[str, dict[str, Any]], ...] = (  # what a policy may demand, by the setting that says it
    ("GLAD_S3_SSE=AES256", {"sse": "AES256"}),
    ("GLAD_S3_SSE=aws:kms (and GLAD_S3_KMS_KEY, if it has to be a key of yours)", {"sse": "aws:kms"}),
    ("GLAD_S3_REQUESTER_PAYS=true", {"requester_pays": True}),
    ("GLAD_S3_ACL=bucket-owner-full-control", {"acl": "bucket-owner-full-control"}),
)


class Looking:
    """One look at one store."""

    def __init__(self, store: S3Store) -> None:
        self.store = store
        self.client = store.client
        self.found: list[Diagnosis] = []
        self.conditional = True
        self.checksum: Checksum = "sha256"
        prefix = f".glad/probe-{uuid4().hex}/"
        self.first, self.second, self.third = f"{prefix}a.png", f"{prefix}a-256.webp", f"{prefix}b.png"

    def look(self) -> Probed:
        """Raises `StoreError` where it takes no object, or does not answer."""
        try:
            self._write()
            self._require_overwriting_refused()
            self._try_checksums()
            self._read_back()
            self._list()
            self._copy()
        finally:
            self._remove()
        self._look_at_the_bucket()
        able = Abilities(conditional=self.conditional, checksum=self.checksum)
        return Probed(able=able, found=tuple(self.found))

    def _say(self, check: str, level: Level, text: str, cure: str | None = None) -> None:
        where = f"the {self.store.where}" if level in (Level.WARNING, Level.ERROR) else ""
        self.found.append(Diagnosis(check=f"store: {check}", level=level, text=f"{where} {text}".strip(), cure=cure))

    # --- writing ---

    def _put(self, key: str, said: Mapping[str, Any], *, store: S3Store | None = None) -> None:
        store = store or self.store
        store.client.put_object(
            Bucket=store.bucket,
            Key=key,
            Body=BODY,
            ContentType=KIND,
            CacheControl=CACHE_CONTROL,
            Metadata=METADATA,
            **store.asked_to_write(PICTURE),
            **said,
        )

    def _write(self) -> None:
        """The first object, with as much of what we ask for as the store takes."""
        refused: ClientError | None = None
        with explained("store a trial object", self.store.where):
            for conditional, checksum in product((True, False), self._checksums()):
                try:
                    self._put(self.first, checked_by(checksum, BODY) | (ONCE if conditional else {}))
                except ClientError as error:
                    if not _is_unknown(error):
                        self._name_what_is_demanded(error)
                        raise
                    refused = refused or error
                else:
                    self.conditional, self.checksum = conditional, checksum
                    return
            assert refused is not None  # noqa: S101  none was taken
            raise refused

    def _checksums(self) -> tuple[Checksum, ...]:
        if self.store.checksum == "auto":
            return ("sha256", "md5", "read-back")
        return (cast("Checksum", self.store.checksum),)

    def _name_what_is_demanded(self, error: ClientError) -> None:
        """Of a refusal that may be a policy's: raises `StoreError` with the setting that satisfies it."""
        if status_of(error) != 403 or code_of(error) != "AccessDenied":
            return
        for setting, changes in TRIALS:
            if any(getattr(self.store, name) for name in changes):
                continue
            with suppress(ClientError):
                self._put(self.first, checked_by(self._checksums()[0], BODY), store=replace(self.store, **changes))
                raise StoreError(
                    f"could not store a trial object in {self.store.where}: its policy refuses what is sent without "
                    f"{setting}: set it. The store says: {words_of(error)}"
                )

    def _require_overwriting_refused(self) -> None:
        if self.conditional:
            try:
                self._put(self.first, checked_by(self.checksum, BODY) | ONCE)
                self.conditional = False
            except ClientError as error:
                with explained("store a trial object a second time", self.store.where, expected=(409, 412)):
                    raise error
        if self.conditional:
            return self._say("conditional writes", Level.OK, "a key is written once: If-None-Match is obeyed")
        return self._say(
            "conditional writes",
            Level.WARNING,
            "knows no conditional writes (If-None-Match)",
            "each key is looked at and written under a lock of the database instead, which costs one more request a "
            "picture. Let nobody but this database's runs write to the bucket",
        )

    def _try_checksums(self) -> None:
        """A checksum that is wrong has to be refused, else it is none."""
        best = self.checksum
        for checksum in self._checksums()[self._checksums().index(best) :]:
            if checksum == "read-back" or self._refuses_damage(checksum):
                self.checksum = checksum
                break
        else:
            return self._say(
                "checksums",
                Level.WARNING,
                f"does not check what GLAD_S3_CHECKSUM={best} sends: damaged uploads stay",
                "set GLAD_S3_CHECKSUM=auto",
            )
        if self.checksum == "sha256":
            return self._say("checksums", Level.OK, "a damaged upload is refused by its SHA-256")
        if self.checksum == "md5":
            return self._say("checksums", Level.OK, "a damaged upload is refused by its MD5")
        return self._say("checksums", Level.OK, "the store checks no upload: each picture is read again once stored")

    def _refuses_damage(self, checksum: Checksum) -> bool:
        with suppress(StoreError), explained("store a damaged trial object", self.store.where):
            try:
                self._put(self.second, checked_by(checksum, BODY))
                self._put(self.third, checked_by(checksum, OTHER))
            except ClientError as error:
                unknown = code_of(error) in ("NotImplemented", "InvalidArgument") or _is_hiccup(error)
                return status_of(error) == 400 and not unknown
        return False  # also for one that does not answer: to read again finds all damage

    # --- reading ---

    def _read_back(self) -> None:
        asked = self.store.asked
        with explained("look at a trial object", self.store.where):
            head = self.client.head_object(Bucket=self.store.bucket, Key=self.first, **asked)
            part = self.client.get_object(Bucket=self.store.bucket, Key=self.first, Range="bytes=5-12", **asked)
            body = part["Body"].read()
        self._judge_metadata(head["Metadata"], head.get("ContentType", ""))
        if (cache := head.get("CacheControl")) != CACHE_CONTROL:
            self._say(
                "cache header",
                Level.WARNING,
                f"makes the cache header {cache!r} of {CACHE_CONTROL!r}: visitors fetch pictures again and again",
                "set the header in the CDN",
            )
        self._judge_clock(head["ResponseMetadata"]["HTTPHeaders"].get("date"))
        if body == BODY[5:13]:
            self._say("ranges", Level.OK, "parts of an object can be read")
        elif body == BODY:
            self._say("ranges", Level.WARNING, "sends whole objects where a part is asked for", "expect more traffic")
        else:
            raise StoreError(f"the {self.store.where} gave back other bytes than it was given: do not use this store")

    def _judge_metadata(self, metadata: Mapping[str, str], kind: str) -> None:
        if metadata != METADATA:
            lost = "drops" if not metadata else "changes"
            self._say(
                "metadata",
                Level.ERROR,
                f"{lost} the metadata of objects (x-amz-meta-…), by which pictures are known again",
                "have it keep them (JuiceFS: start the gateway with --object-meta), or use another store "
                "(`rclone serve s3` forgets them when it ends)",
            )
        else:
            self._say("metadata", Level.OK, "metadata come back as they were given")
        if kind != KIND:
            self._say(
                "type",
                Level.ERROR,
                f"makes the type {kind!r} of {KIND!r}: browsers would not show it",
                "use another store",
            )

    def _judge_clock(self, date: str | None) -> None:
        skew = skew_of(date)
        if skew is None:
            self._say("clock", Level.NOT_TESTED, "the store does not say its time")
        elif abs(skew) > MOST_SKEW:
            self._say(
                "clock",
                Level.WARNING,
                f"has another time: this machine's clock is {in_words(skew)} the store's",
                "set the clock (NTP); AWS refuses requests that are 15 min off",
            )
        else:
            self._say("clock", Level.OK, "this machine's clock and the store's agree")

    def _list(self) -> None:
        prefix = self.first.rpartition("/")[0] + "/"
        with explained(f"list {prefix}", self.store.where):
            # both have the bytes that a correct upload has: the wrong one may not have been refused
            self._put(self.second, checked_by(self.checksum, BODY))
            page = self.client.list_objects_v2(Bucket=self.store.bucket, Prefix=prefix, **self.store.asked)
        listed = [each["Key"] for each in page.get("Contents", [])]
        if not {self.first, self.second} <= set(listed):
            self._say(
                "listing",
                Level.WARNING,
                "does not list an object that was just stored",
                "run ./glad audit only when nothing is drawn",
            )
        elif listed != sorted(listed, key=str.encode):
            self._say(
                "listing",
                Level.WARNING,
                "does not list keys in the order of their bytes",
                "do not use ./glad audit --fix with this store",
            )
        else:
            self._say("listing", Level.OK, "keys are listed at once and in order")
        region = page["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        if self.store.endpoint_url is None and region not in (None, self.store.region):
            detour = "each request takes a detour" if self.store.public_base_url else None
            self._say(
                "region",
                Level.WARNING if detour else Level.ERROR,
                f"lives in the region {region}: {detour or 'pictures would get URLs that do not open'}",
                f"set AWS_S3_REGION={region}",
            )

    def _copy(self) -> None:
        store = self.store
        try:
            with explained("copy a trial object", store.where):
                copy = self._copied()
        except StoreError as error:
            problem = f"copies no object ({error})"
        else:
            problem = (
                "" if copy["Metadata"] == METADATA or self._has("metadata", Level.ERROR) else "drops metadata in copies"
            )
        if problem:
            self._say("copies", Level.WARNING, problem, "./glad audit --fix cannot move what it finds to quarantine/")
        else:
            self._say("copies", Level.OK, "objects are copied with their metadata")

    def _copied(self) -> Mapping[str, Any]:
        store = self.store
        self.client.copy_object(
            Bucket=store.bucket,
            Key=self.third,
            CopySource={"Bucket": store.bucket, "Key": self.first},
            **store.asked_to_write(self.third),
        )
        return cast("Mapping[str, Any]", self.client.head_object(Bucket=store.bucket, Key=self.third, **store.asked))

    def _has(self, check: str, level: Level) -> bool:
        return any(each.check == f"store: {check}" and each.level is level for each in self.found)

    # --- afterwards ---

    def _remove(self) -> None:
        """Whatever there is of them: also of what was refused it is not known that it is not there."""
        try:
            self.store.delete((self.first, self.second, self.third))
        except StoreError as error:
            self._say(
                "deleting",
                Level.WARNING,
                f"does not let us delete the trial objects {self.first.rpartition('/')[0]}/* ({error})",
                "delete them by hand; taking pictures down and ./glad audit --fix need s3:DeleteObject",
            )

    def _look_at_the_bucket(self) -> None:
        """What its owner has set up. Who may not ask is not told."""
        rules = self._asked_for("lifecycle rules", "get_bucket_lifecycle_configuration").get("Rules", [])
        for rule in rules:
            prefix = _prefix_of(rule)
            if rule.get("Status") == "Enabled" and rule.get("Expiration") and PREFIX.startswith(prefix[: len(PREFIX)]):
                self._say(
                    "lifecycle rules",
                    Level.WARNING,
                    f"has the rule {quoted(rule.get('ID', ''))}, which deletes {quoted(prefix) if prefix else 'all'} "
                    "after a time, the pictures of posts too",
                    f"exempt {PREFIX}",
                )
        locked = self._asked_for("Object Lock", "get_object_lock_configuration").get("ObjectLockConfiguration", {})
        if locked.get("ObjectLockEnabled") == "Enabled":
            self._say(
                "Object Lock",
                Level.WARNING,
                "has Object Lock: what is taken down stays there as an older version",
                "delete the versions by hand once they are free, or use a bucket without it",
            )

    def _asked_for(self, what: str, operation: str) -> Mapping[str, Any]:
        try:
            with explained(f"ask for {what}", self.store.where, expected=(404,)):
                return cast("Mapping[str, Any]", getattr(self.client, operation)(Bucket=self.store.bucket))
            self._say(what, Level.OK, f"the bucket has no {what}")
        except StoreError as error:
            if isinstance(error.__cause__, ClientError) and status_of(error.__cause__) == 501:
                self._say(what, Level.OK, f"the store knows no {what}")
            else:
                self._say(what, Level.NOT_TESTED, f"the store does not tell {what} ({error})")
        return {}


def _is_unknown(error: ClientError) -> bool:
    """Whether a store may refuse so what it does not know."""
    known = code_of(error) in CURES.keys() - {"NotImplemented", "BadDigest"} or _is_hiccup(error)
    return status_of(error) in (400, 501) and not known


def _is_hiccup(error: ClientError) -> bool:
    return may_pass(error) and code_of(error) not in DAMAGED


def _prefix_of(rule: Mapping[str, Any]) -> str:
    chosen = rule.get("Filter") or {}
    return str(rule.get("Prefix") or chosen.get("Prefix") or (chosen.get("And") or {}).get("Prefix") or "")
