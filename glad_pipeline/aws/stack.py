"""The CloudFormation stack of the CDN: looked at, made, brought up to date, watched until it is done.

The template is `cdn.yaml`. What CloudFormation reports is told as it happens; a failure with the reason of the first
resource that failed. A stack that was left half-way, or that is somebody else's, is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from glad_pipeline.aws.access import Access, AwsError, Refused
from glad_pipeline.aws.bucket import NAMED, statements
from glad_pipeline.aws.parts import Part, Tell, denied, differs, foreign, right, unknown
from glad_pipeline.diagnosis import Level
from glad_pipeline.display import in_time, one_line

PAUSES = (0.5, 10.0)  # seconds between two looks: at first, at most
LONGEST = 45 * 60.0  # seconds that a stack is watched; CloudFront takes five minutes as a rule
DOMAIN, CERTIFICATE, ORIGINS, BUCKET = "DomainName", "CertificateArn", "SiteOrigins", "BucketName"
PARAMETERS = {DOMAIN, CERTIFICATE, ORIGINS, BUCKET}  # of the template that is shipped
STUCK = {  # states out of which CloudFormation lets a stack no more: it has to be deleted
    "ROLLBACK_COMPLETE": "its making has failed and was rolled back",
    "ROLLBACK_FAILED": "its making has failed, and so has the rolling back",
    "CREATE_FAILED": "its making has failed",
    "DELETE_FAILED": "its deletion has failed",
    "REVIEW_IN_PROGRESS": "somebody has made a change set for it, and not carried it out",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What differs from CDN to CDN. None: as the stack has it already, else the template's default."""

    origins: tuple[str, ...] | None = None  # whose pages may read pictures by script
    domain: str | None = None  # of one's own; empty: CloudFront's
    certificate: str | None = None  # ARN of its certificate, in us-east-1; empty with an empty domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A stack as CloudFormation describes it."""

    status: str
    reason: str | None
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The stack of one bucket, whether it is there or not."""

    access: Access

    @property
    def name(self) -> str:
        return f"glad-{self.access.bucket.replace('.', '-')}"

    @property
    def place(self) -> str:
        return f"the stack {self.name} in {self.access.region}"

    def find(self) -> Found | None:
        """As it is now; None: there is none. Raises `Refused`, `AwsError`."""
        try:
            (found,) = self.access.ask_cloudformation("describe_stacks", StackName=self.name)["Stacks"]
        except Refused as refused:
            if refused.code == "ValidationError" and "does not exist" in str(refused):
                return None
            raise
        return Found(
            status=found["StackStatus"],
            reason=found.get("StackStatusReason"),
            parameters={each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])},
            outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
        )

    def look(self, wanted: Wanted, *, is_wanted: bool = True) -> list[Part]:
        """The stack beside the shipped template and these parameters, and what has drifted of it.

        `is_wanted`: whether one that is not there is to be made.
        """
        try:
            found = self.find()
            if found is None:
                return self._absent(wanted) if is_wanted else [unknown("CDN", f"there is no {self.name}")]
            return self._present(found, wanted)
        except Refused as refused:
            return [denied("CDN", refused)]

    def _absent(self, wanted: Wanted) -> list[Part]:
        if present := self._sids():
            return [self._others(present)]
        at = f"at {wanted.domain}" if wanted.domain else "at the domain that CloudFront gives it"
        return [
            differs(
                "CDN",
                f"{self.place} is made: CloudFront {at}, which alone may read generated/*. It takes about five minutes",
                lambda tell: self._change("create_stack", wanted, {}, tell),
                "run ./glad storage setup --cdn",
            )
        ]

    def _sids(self) -> list[str]:
        try:
            return [str(each.get("Sid") or "(without Sid)") for each in statements(self.access)]
        except Refused as refused:
            if refused.status == 404 or refused.is_lacking:
                return []
            raise

    @staticmethod
    def _others(names: list[str]) -> Part:
        return foreign(
            "CDN",
            f"the bucket has a policy ({', '.join(names[:NAMED])}), and a stack writes its own where there is none",
            "remove it, and give whom it names the rights by IAM (./glad storage policy), then run it again",
        )

    def _present(self, found: Found, wanted: Wanted) -> list[Part]:
        if (bucket := found.parameters.get(BUCKET)) != self.access.bucket and found.status != "REVIEW_IN_PROGRESS":
            text = f"{self.place} is not ours: its {BUCKET} is {bucket}"
            return [foreign("CDN", text, "rename or delete it, or choose another AWS_S3_BUCKET")]
        if found.status in STUCK:
            return [foreign("CDN", f"{self.place}: {STUCK[found.status]}{self._because()}", self._deleting())]
        if found.status == "UPDATE_ROLLBACK_FAILED":
            text = f"{self.place}: a change has failed, and so has the rolling back{self._because()}"
            return [foreign("CDN", text, self._said("continue-update-rollback"))]
        if found.status.endswith("_IN_PROGRESS"):
            text = f"{self.place} is being changed ({found.status})"
            return [differs("CDN", f"{text}: this is waited for", lambda tell: self._wait_and_change(wanted, tell))]
        return [*self._current(found, wanted), *self._drifted()]

    def _current(self, found: Found, wanted: Wanted) -> list[Part]:
        differences = self._differences(found, wanted)
        lines = [right("CDN", f"{self.place} is as it should be ({found.status})")]
        if differences:
            lines = [
                differs(
                    "CDN",
                    f"{self.place} is changed: {'; '.join(differences)}",
                    lambda tell: self._change("update_stack", wanted, found.parameters, tell),
                    "run ./glad storage setup --cdn",
                )
            ]
        if found.status == "UPDATE_ROLLBACK_COMPLETE":
            text = f"the last change of {self.place} has failed and was rolled back{self._because()}"
            lines.append(Part(name="CDN", level=Level.WARNING, text=text, cure="mend that, and run it again"))
        return lines

    def _differences(self, found: Found, wanted: Wanted) -> list[str]:
        template = self.access.ask_cloudformation("get_template", StackName=self.name)["TemplateBody"]
        differences = []
        if str(template).strip() != body().strip():
            differences.append("its template is not the one of this version")
        for name, value in _values(wanted).items():
            if (now := found.parameters.get(name)) != value:
                differences.append(f"{name} {now or '(empty)'} → {value or '(empty)'}")
        return differences

    # --- changing ---

    def _wait_and_change(self, wanted: Wanted, tell: Tell) -> None:
        self._wait(tell, seen=self._events())
        found = self.find()
        if found is None:
            self._change("create_stack", wanted, {}, tell)
        elif self._differences(found, wanted):
            self._change("update_stack", wanted, found.parameters, tell)

    def _change(self, operation: str, wanted: Wanted, now: Mapping[str, str], tell: Tell) -> None:
        given = {BUCKET: self.access.bucket, **_values(wanted)}
        kept = [
            {"ParameterKey": name, "UsePreviousValue": True} for name in sorted(PARAMETERS & now.keys() - given.keys())
        ]
        seen = self._events() if now else set()
        try:
            self.access.ask_cloudformation(
                operation,
                StackName=self.name,
                TemplateBody=body(),
                Parameters=[*({"ParameterKey": k, "ParameterValue": v} for k, v in given.items()), *kept],
                Tags=[{"Key": "glad_pipeline", "Value": self.access.bucket}],
            )
        except Refused as refused:
            if refused.code == "ValidationError" and "No updates" in str(refused):
                return
            if refused.code == "AlreadyExistsException":
                raise AwsError(f"{self.place} was made by somebody else just now: run it again") from None
            raise
        self._wait(tell, seen)

    def _wait(self, tell: Tell, seen: set[str]) -> None:
        """Until it is done; each event is told. Raises `AwsError` with the reasons where it has failed."""
        ends = time.monotonic() + LONGEST
        pause, most = PAUSES
        while True:
            found = self.find()  # before the events: those of its end are there by then
            self._tell_events(tell, seen)
            if found is None:
                raise AwsError(f"{self.place} was deleted meanwhile: run it again")
            if not found.status.endswith("_IN_PROGRESS"):
                break
            if time.monotonic() > ends:
                raise AwsError(
                    f"{self.place} is not done after {in_time(LONGEST)} ({found.status}): it goes on by itself. Run "
                    "this again to wait for it"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, most)
        if found.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            cure = self._deleting() if found.status in STUCK else "mend that, and run it again"
            done = "nothing of it is left but its record" if found.status == "ROLLBACK_COMPLETE" else "see what is left"
            if found.status == "UPDATE_ROLLBACK_COMPLETE":
                done = "it is as it was before"
            raise AwsError(f"{self.place} has failed ({found.status}, {done}){self._because()}: {cure}")

    def _events(self) -> set[str]:
        """Which there are already: of those nothing is told."""
        return {each["EventId"] for each in self._recent()}

    def _recent(self) -> list[dict[str, Any]]:
        """The newest page of its events, the newest first."""
        found = self.access.ask_cloudformation("describe_stack_events", StackName=self.name)
        return list(found["StackEvents"])

    def _tell_events(self, tell: Tell, seen: set[str]) -> None:
        for event in reversed(self._recent()):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                reason = f": {_words(event)}" if event["ResourceStatus"].endswith("FAILED") else ""
                tell(f"{event['LogicalResourceId']} {event['ResourceStatus']}{reason}")

    def _because(self) -> str:
        """The reasons of what failed last, each resource's once."""
        reasons: dict[str, str] = {}
        try:
            recent = self._recent()
        except Refused:
            return ""
        for event in recent:
            failed = event["ResourceStatus"].endswith("FAILED") and event["LogicalResourceId"] != self.name
            if failed and "cancelled" not in event.get("ResourceStatusReason", ""):
                reasons.setdefault(event["LogicalResourceId"], _words(event))
            if event["LogicalResourceId"] == self.name and event["ResourceStatus"] in _BEGINNINGS:
                break
        told = "; ".join(f"{name}: {reason}" for name, reason in reversed(reasons.items()))
        return f". {told}" if told else ""

    def _deleting(self) -> str:
        what = "no picture is in it. Delete it, wait a minute, mend what it says and run this again"
        return f"{what}: aws cloudformation delete-stack --stack-name {self.name} --region {self.access.region}"

    def _said(self, command: str) -> str:
        return f"aws cloudformation {command} --stack-name {self.name} --region {self.access.region}, then run it again"

    # --- drift ---

    def _drifted(self) -> list[Part]:
        """What somebody has changed by hand, property by property."""
        try:
            asked = self.access.ask_cloudformation("detect_stack_drift", StackName=self.name)
            told = self._detection(asked["StackDriftDetectionId"])
            if told.get("StackDriftStatus") == "IN_SYNC":
                return [right("drift", "nothing of the stack was changed by hand")]
            if told["DetectionStatus"] != "DETECTION_COMPLETE":
                why = one_line(told.get("DetectionStatusReason", "it is not done"), 200)
                return [unknown("drift", f"it could not be found out: {why}")]
            drifts = self.access.ask_cloudformation(
                "describe_stack_resource_drifts",
                StackName=self.name,
                StackResourceDriftStatusFilters=["MODIFIED", "DELETED"],
            )["StackResourceDrifts"]
        except Refused as refused:
            return [replace(denied("drift", refused), level=Level.NOT_TESTED)]
        cure = "undo it in AWS's console: a change by the stack may overwrite it, or keep it"
        lines = [Part(name="drift", level=Level.WARNING, text=_drift(each), cure=cure) for each in drifts]
        return lines or [right("drift", "nothing of the stack was changed by hand")]

    def _detection(self, id: str) -> dict[str, Any]:
        ends = time.monotonic() + LONGEST / 10
        pause, most = PAUSES
        while True:
            told = self.access.ask_cloudformation("describe_stack_drift_detection_status", StackDriftDetectionId=id)
            if told["DetectionStatus"] != "DETECTION_IN_PROGRESS" or time.monotonic() > ends:
                return told
            time.sleep(pause)
            pause = min(pause * 1.5, most)


_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


def body() -> str:
    """The template that is shipped."""
    return (files("glad_pipeline.aws") / "cdn.yaml").read_text(encoding="utf-8")


def settings_of(access: Access, outputs: Mapping[str, str]) -> dict[str, str]:
    """The settings that lead a pipeline to the bucket and its CDN, by their variables."""
    named = {"AWS_S3_BUCKET": access.bucket, "AWS_S3_REGION": access.region}
    cdn = {"AWS_CLOUDFRONT_DOMAIN": "Domain", "AWS_CLOUDFRONT_DISTRIBUTION_ID": "DistributionId"}
    return named | {name: outputs[output] for name, output in cdn.items() if output in outputs}


def _values(wanted: Wanted) -> dict[str, str]:
    """The parameters that are given."""
    values = {DOMAIN: wanted.domain, CERTIFICATE: wanted.certificate}
    if wanted.origins:
        values[ORIGINS] = ",".join(wanted.origins)
    return {name: value for name, value in values.items() if value is not None}


def _drift(drift: Mapping[str, Any]) -> str:
    name = drift["LogicalResourceId"]
    if drift["StackResourceDriftStatus"] == "DELETED":
        return f"{name} was deleted by hand"
    changes = [
        f"{each['PropertyPath']} {each.get('ExpectedValue') or '(nothing)'} → {each.get('ActualValue') or '(nothing)'}"
        for each in drift.get("PropertyDifferences", [])
    ]
    return one_line(f"{name} was changed by hand: {'; '.join(changes) or 'CloudFormation does not say how'}", 400)


def _words(event: Mapping[str, Any]) -> str:
    return one_line(event.get("ResourceStatusReason", "no reason is given"), 300)
