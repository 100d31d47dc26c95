"""The bucket of the pictures as it should be: private, encrypted, read by the site's pages, tidied after a time.

Only what is ours is written: rules of others for CORS and lifecycle are kept as they are, and a bucket with objects of
others is not touched. Versioning is the owner's choice and left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glad_pipeline.aws.access import Access, AwsError, Refused
from glad_pipeline.aws.parts import Part, Tell, denied, differs, foreign, right, unknown
from glad_pipeline.display import quoted
from glad_pipeline.storage.keys import PREFIX, QUARANTINE

KNOWN = (PREFIX, QUARANTINE, ".glad/")  # whatever else lies in the bucket is somebody else's
CORS_ID = "glad-pictures"
CORS_SECONDS = 3_000
QUARANTINE_ID, QUARANTINE_DAYS = "glad-quarantine", 30
UPLOADS_ID, UPLOADS_DAYS = "glad-unfinished-uploads", 7
BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
HOME_REGION = "us-east-1"  # the one region that is not named when a bucket is made
NAMED = 3  # things of others that a message names
OWN_OBJECTS_ACL = "bucket-owner-full-control"  # the one ACL that a bucket without ACLs takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What differs from blog to blog."""

    origins: tuple[str, ...] = ()  # `https://example.com`, whose pages may read pictures by script; empty: CORS is left
    acl: str | None = None  # what GLAD_S3_ACL sends with each upload


Look = Callable[[Access, Wanted], Part]


def look(access: Access, wanted: Wanted) -> list[Part]:
    """Every part of the bucket. Of one that does not exist, the making of it and all that follows.

    Raises `AwsError` where it cannot be looked at: no credentials, nobody answers, another region, another's bucket.
    """
    if not _exists(access):
        made = differs("bucket", f"{access.bucket} is made in {access.region}", lambda tell: _make(access))
        refused = [each] if (each := _acl(wanted)) else []
        return [made, *refused, *(_planned(name, access, wanted) for name, (_, says) in PARTS.items() if says(wanted))]
    found = [right("bucket", f"{access.bucket} is there")]
    for name, (part, _) in PARTS.items():
        try:
            found.append(part(access, wanted))
        except Refused as refused:
            if refused.is_lacking:
                found.append(
                    unknown(name, f"{access.options.endpoint_url} has no such thing: nothing is done about it")
                )
            else:
                found.append(denied(name, refused))
    return found


def _exists(access: Access) -> bool:
    try:
        access.ask("head_bucket")
    except Refused as refused:
        if refused.status == 404:
            return False
        if refused.region and refused.region != access.region:
            raise AwsError(
                f"the bucket {access.bucket} lives in the region {refused.region}: set AWS_S3_REGION={refused.region}"
            ) from None
        if not refused.is_denied:
            raise
        raise AwsError(
            f"the bucket {access.bucket} is somebody else's, or these credentials lack s3:ListBucket: names are taken "
            "worldwide, so choose another AWS_S3_BUCKET, or allow it"
        ) from None
    return True


def _make(access: Access) -> None:
    place = {"CreateBucketConfiguration": {"LocationConstraint": access.region}}
    more: dict[str, Any] = {} if access.region in (HOME_REGION, "auto") else place
    try:
        access.ask("create_bucket", **more)
    except Refused as refused:
        if refused.code == "BucketAlreadyOwnedByYou":  # made meanwhile
            return
        if refused.code == "BucketAlreadyExists":
            raise AwsError(
                f"the name {access.bucket} is taken by somebody else: names are taken worldwide, choose another "
                "AWS_S3_BUCKET"
            ) from None
        raise


def _planned(name: str, access: Access, wanted: Wanted) -> Part:
    text = PARTS[name][1](wanted) or ""
    return differs(name, text, lambda tell: _change_once_there(name, access, wanted, tell))


def _change_once_there(name: str, access: Access, wanted: Wanted, tell: Tell) -> None:
    """A new bucket has some of it by itself, on AWS all but CORS and lifecycle."""
    try:
        part = PARTS[name][0](access, wanted)
    except Refused as refused:
        if not refused.is_lacking:
            raise
        tell(_lacking(access))
        return
    if part.change:
        part.change(tell)
    else:
        tell(part.text)


def _lacking(access: Access) -> str:
    return f"{access.options.endpoint_url or 'the store'} has no such thing: nothing is done about it"


def _configured(access: Access, operation: str, field: str) -> Any:
    """What the bucket has under this field; None where nothing is configured."""
    try:
        return access.ask(operation).get(field)
    except Refused as refused:
        if refused.status == 404:
            return None
        raise


# --- whose it is ---


def _objects(access: Access, wanted: Wanted) -> Part:
    page = access.ask("list_objects_v2", Delimiter="/")
    names = [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    names += [each["Key"] for each in page.get("Contents", [])]
    if others := [each for each in names if each not in KNOWN]:
        return foreign(
            "objects",
            f"there are objects of others: {_some(others)}",
            "use a bucket of its own for the pictures, or set up this one by hand (docs/setup.md)",
        )
    return right("objects", f"there is nothing beside {', '.join(KNOWN)}")


def statements(access: Access) -> list[dict[str, Any]]:
    """The statements of the bucket's policy."""
    policy = _configured(access, "get_bucket_policy", "Policy")
    found = json.loads(policy).get("Statement", []) if policy else []
    return [found] if isinstance(found, dict) else list(found)


def _opened(name: str, access: Access) -> Part | None:
    """Why this part is left as it is: visitors read at the bucket itself, which it would end. None: they do not."""
    if _is_public(access):
        allowing = [each.get("Sid") or "(without Sid)" for each in statements(access) if each.get("Effect") == "Allow"]
        return foreign(
            name,
            f"anybody may read by the bucket policy's {_some(allowing)}, which it would end",
            "keep the bucket as it is; or put the CDN in its place: remove that statement and at once run ./glad "
            "storage setup --cdn. For about five minutes visitors are then given no picture",
        )
    shown = next(filter(access.gives_visitors, _oldest_and_newest(access)), None)
    if shown is None:
        return None
    if not access.is_aws:
        return unknown(name, f"visitors are given {shown} by the store itself: left as it is")
    return foreign(
        name,
        f"visitors are given {shown} by the bucket itself (by its ACL), which it would end",
        "keep the bucket as it is; or put the CDN in its place: deploy glad_pipeline/aws/cdn.yaml by hand, move the "
        "posts to its addresses (./glad urls rewrite), switch IgnorePublicAcls on, and run it again",
    )


def _is_public(access: Access) -> bool:
    """As S3 itself sees its policy: by this it decides what Block Public Access ends. Conditions may count or not."""
    try:
        return bool((_configured(access, "get_bucket_policy_status", "PolicyStatus") or {}).get("IsPublic"))
    except Refused as refused:
        if refused.is_lacking and not access.is_aws:
            return False
        raise


def _oldest_and_newest(access: Access) -> list[str]:
    """Keys of a thousand pictures' oldest and newest: uploads may have had an ACL once, or only of late."""
    found = access.ask("list_objects_v2", Prefix=PREFIX).get("Contents", [])
    keys = [each["Key"] for each in sorted(found, key=lambda each: each["LastModified"])]
    return list(dict.fromkeys([*keys[:1], *keys[-1:]]))


# --- as it should be ---


def _block(access: Access, wanted: Wanted) -> Part:
    now = _configured(access, "get_public_access_block", "PublicAccessBlockConfiguration") or {}
    if all(now.get(name) for name in BLOCKED):
        return right("Block Public Access", "on")
    if opened := _opened("Block Public Access", access):
        return opened
    off = [name for name in BLOCKED if not now.get(name)]
    return differs(
        "Block Public Access",
        f"{_some(off, len(off))} is off: all four are switched on",
        lambda tell: _put(access, "put_public_access_block", PublicAccessBlockConfiguration=BLOCKED),
    )


def _ownership(access: Access, wanted: Wanted) -> Part:
    now = _configured(access, "get_bucket_ownership_controls", "OwnershipControls") or {}
    owners = [each.get("ObjectOwnership") for each in now.get("Rules", [])]
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    if refused := _acl(wanted):
        return refused
    if owners == ["BucketOwnerEnforced"]:
        return right("ownership", "the bucket's owner owns every object, ACLs are off")
    if opened := _opened("ownership", access):
        return opened
    return differs(
        "ownership",
        f"it is {_some(owners) or 'not set'}: the bucket's owner is to own every object, ACLs are switched off",
        lambda tell: _put(access, "put_bucket_ownership_controls", OwnershipControls=enforced),
    )


def _acl(wanted: Wanted) -> Part | None:
    if wanted.acl in (None, OWN_OBJECTS_ACL):
        return None
    return foreign(
        "ownership",
        f"GLAD_S3_ACL is {wanted.acl}, and a bucket whose owner owns every object takes no such ACL",
        "unset GLAD_S3_ACL, and let visitors read by a CDN",
    )


def _encryption(access: Access, wanted: Wanted) -> Part:
    now = _configured(access, "get_bucket_encryption", "ServerSideEncryptionConfiguration") or {}
    ways = [each.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for each in now.get("Rules", [])]
    if kind := next(filter(None, ways), None):
        key = "" if kind == "AES256" else ": let the CDN use the key (kms:Decrypt for cloudfront.amazonaws.com)"
        return right("encryption", f"{kind}{key}")
    if not access.is_aws:  # SeaweedFS takes the rule, and without keys of its own refuses every upload from then on
        return unknown("encryption", "there is none by default, left as it is: only AWS is known to have keys for it")
    by_default = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    return differs(
        "encryption",
        "there is none: it becomes AES256",
        lambda tell: _put(access, "put_bucket_encryption", ServerSideEncryptionConfiguration=by_default),
    )


def _cors(access: Access, wanted: Wanted) -> Part:
    if not wanted.origins:
        return right("CORS", "left as it is: GLAD_SITE_URL is not set, and no --origin given")
    now = _configured(access, "get_bucket_cors", "CORSRules") or []
    ours = {
        "ID": CORS_ID,
        "AllowedOrigins": list(wanted.origins),
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": ["*"],
        "MaxAgeSeconds": CORS_SECONDS,
    }
    if any(_same_cors(each, ours) for each in now):
        return right("CORS", f"pages of {', '.join(wanted.origins)} may read pictures")
    kept = [each for each in now if each.get("ID") != CORS_ID]
    return differs(
        "CORS",
        f"pages of {', '.join(wanted.origins)} are allowed to read pictures (GET, HEAD, {CORS_SECONDS} s){_kept(kept)}",
        # ours first: of several rules that fit S3 takes the first
        lambda tell: _put(access, "put_bucket_cors", CORSConfiguration={"CORSRules": [ours, *kept]}),
    )


def _same_cors(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rules allow the same. Not every store keeps a rule's name."""
    lists = ("AllowedOrigins", "AllowedMethods", "AllowedHeaders")
    same = all(sorted(one.get(name) or []) == sorted(other.get(name) or []) for name in lists)
    return same and one.get("MaxAgeSeconds") == other.get("MaxAgeSeconds")


def _lifecycle(access: Access, wanted: Wanted) -> Part:
    now = access_lifecycle(access)
    rules = now.get("Rules", [])
    lacking = []
    if not any(_expires(each, QUARANTINE) for each in rules):
        days = {"Expiration": {"Days": QUARANTINE_DAYS}}
        lacking.append({"ID": QUARANTINE_ID, "Status": "Enabled", "Filter": {"Prefix": QUARANTINE}, **days})
    if not any(_ends_uploads(each) for each in rules):
        days = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOADS_DAYS}}
        lacking.append({"ID": UPLOADS_ID, "Status": "Enabled", "Filter": {"Prefix": ""}, **days})
    if not lacking:
        return right("lifecycle", f"{QUARANTINE} and unfinished uploads are removed after a time")
    names = {each["ID"] for each in lacking}
    kept = [each for each in rules if each.get("ID") not in names]
    put: dict[str, Any] = {"LifecycleConfiguration": {"Rules": [*kept, *lacking]}}
    if size := now.get("TransitionDefaultMinimumObjectSize"):
        put["TransitionDefaultMinimumObjectSize"] = size  # else S3 takes its own, for the rules of others too
    says = {
        QUARANTINE_ID: f"{QUARANTINE} is emptied after {QUARANTINE_DAYS} days",
        UPLOADS_ID: f"unfinished uploads are removed after {UPLOADS_DAYS}",
    }
    return differs(
        "lifecycle",
        ", ".join(says[name] for name in says if name in names) + _kept(kept),
        lambda tell: _put(access, "put_bucket_lifecycle_configuration", **put),
    )


def access_lifecycle(access: Access) -> dict[str, Any]:
    """The bucket's lifecycle rules, with what holds for all of them."""
    try:
        return access.ask("get_bucket_lifecycle_configuration")
    except Refused as refused:
        if refused.status == 404:
            return {}
        raise


def _expires(rule: Mapping[str, Any], prefix: str) -> bool:
    return rule.get("Status") == "Enabled" and _prefix_of(rule) == prefix and bool(rule.get("Expiration"))


def _ends_uploads(rule: Mapping[str, Any]) -> bool:
    ends = bool(rule.get("AbortIncompleteMultipartUpload"))
    return rule.get("Status") == "Enabled" and _prefix_of(rule) == "" and ends


def _prefix_of(rule: Mapping[str, Any]) -> str | None:
    """Which keys a rule is for; None where it asks for more than a prefix."""
    chosen = rule.get("Filter") or {}
    if chosen.keys() - {"Prefix"}:
        return None
    return str(rule.get("Prefix") or chosen.get("Prefix") or "")


def _versioning(access: Access, wanted: Wanted) -> Part:
    state = access.ask("get_bucket_versioning").get("Status")
    if state == "Enabled":
        return right("versioning", "on, left as it is: what is taken down stays as an older version")
    return right("versioning", f"{(state or 'off').lower()}, left as it is")


def _put(access: Access, operation: str, **configuration: Any) -> None:
    try:
        access.ask(operation, **configuration)
    except Refused as refused:
        if refused.code == "InvalidBucketAclWithObjectOwnership":
            raise AwsError(
                f"the ACL of {access.bucket} gives others rights, which has to end first: reset it to private "
                "(aws s3api put-bucket-acl --acl private), and run it again"
            ) from None
        raise


def _kept(rules: Sequence[Mapping[str, Any]]) -> str:
    if not rules:
        return ""
    named = _some([str(each.get("ID") or "(without ID)") for each in rules])
    return f"; rules of others are kept: {named}"


def _some(names: Sequence[Any], most: int = NAMED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(quoted(each) if " " in str(each) else str(each) for each in names[:most]) + more


# by name: what is looked at, and what is done to a bucket that is made
PARTS: dict[str, tuple[Look, Callable[[Wanted], str | None]]] = {
    "objects": (_objects, lambda wanted: None),
    "ownership": (_ownership, lambda wanted: "the bucket's owner owns every object, ACLs are off"),
    "Block Public Access": (_block, lambda wanted: "all four are switched on"),
    "encryption": (_encryption, lambda wanted: "AES256, on AWS"),
    "CORS": (
        _cors,
        lambda wanted: f"pages of {', '.join(wanted.origins)} may read pictures" if wanted.origins else None,
    ),
    "lifecycle": (
        _lifecycle,
        lambda wanted: f"{QUARANTINE} is emptied after {QUARANTINE_DAYS} days, unfinished uploads after {UPLOADS_DAYS}",
    ),
    "versioning": (_versioning, lambda wanted: None),
}
