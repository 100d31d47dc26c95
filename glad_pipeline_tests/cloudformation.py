"""CloudFormation on this machine: its query protocol for one account. What is scripted for a stack happens to it.

No server that can be had deploys CloudFront (moto does not know its types), and what is ours is what we ask and what
we make of the answers.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

Event = tuple[str, str, str]  # logical id (`stack`: the stack's own), status, reason
OUTPUTS = {"DistributionId": "E2EXAMPLE", "Domain": "d1.cloudfront.net", "CloudFrontDomain": "d1.cloudfront.net"}


def made(verb: str = "CREATE") -> list[Event]:
    return [(each, f"{verb}_COMPLETE", "") for each in ("Access", "Cdn", "Policy", "stack")]


def rolled_back(reason: str, verb: str = "CREATE") -> list[Event]:
    end = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
    return [
        ("Cdn", f"{verb}_FAILED", reason),
        ("Policy", f"{verb}_FAILED", "Resource creation cancelled"),
        ("stack", f"{end}_IN_PROGRESS", "The following resource(s) failed to create: [Cdn, Policy]."),
        ("stack", f"{end}_COMPLETE", ""),
    ]


@dataclass
class Made:
    template: str
    parameters: dict[str, str]
    status: str
    events: list[Event] = field(default_factory=list)  # the oldest first
    coming: list[Event] = field(default_factory=list)


class Refusal(Exception):
    pass


class CloudFormation:
    """`url` is what AWS_ENDPOINT_URL_CLOUDFORMATION names."""

    def __init__(self) -> None:
        self.stacks: dict[str, Made] = {}
        self.happens: list[Event] | None = None  # with the next change; None: it succeeds
        self.drifts: list[dict[str, Any]] = []
        self.denied: set[str] = set()  # actions
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = server.answer(dict(parse_qsl(body, keep_blank_values=True)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        action = form["Action"]
        self.asked.append(action)
        try:
            if action in self.denied:
                raise Refusal("AccessDenied", f"User: x is not authorized to perform: cloudformation:{action}")
            result = getattr(self, action)(form)
        except Refusal as refusal:
            code, message = refusal.args
            told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            return (403 if code == "AccessDenied" else 400), f"<ErrorResponse>{told}</ErrorResponse>".encode()
        xml = f"<{action}Response><{action}Result>{_xml(result)}</{action}Result></{action}Response>"
        return 200, xml.encode()

    def _stack(self, form: dict[str, str]) -> Made:
        if form["StackName"] not in self.stacks:
            raise Refusal("ValidationError", f"Stack with id {form['StackName']} does not exist")
        return self.stacks[form["StackName"]]

    def DescribeStacks(self, form: dict[str, str]) -> dict[str, Any]:
        stack = self._stack(form)
        if stack.coming:
            stack.events.append(event := stack.coming.pop(0))
            if event[0] == "stack":
                stack.status = event[1]
        done = stack.status.endswith("_COMPLETE") and stack.status != "ROLLBACK_COMPLETE"
        described = {
            "StackName": form["StackName"],
            "CreationTime": "2026-01-01T00:00:00Z",
            "StackStatus": stack.status,
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()],
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in OUTPUTS.items()] if done else [],
        }
        return {"Stacks": [described]}

    def DescribeStackEvents(self, form: dict[str, str]) -> dict[str, Any]:
        numbered = enumerate(self._stack(form).events)
        events = [
            {
                "StackId": "arn:1",
                "EventId": str(number),
                "StackName": form["StackName"],
                "LogicalResourceId": form["StackName"] if name == "stack" else name,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "Timestamp": "2026-01-01T00:00:00Z",
            }
            for number, (name, status, reason) in numbered
        ]
        return {"StackEvents": events[::-1]}

    def GetTemplate(self, form: dict[str, str]) -> dict[str, Any]:
        return {"TemplateBody": self._stack(form).template}

    def CreateStack(self, form: dict[str, str]) -> dict[str, Any]:
        if form["StackName"] in self.stacks:
            raise Refusal("AlreadyExistsException", f"Stack [{form['StackName']}] already exists")
        self.stacks[form["StackName"]] = stack = Made(form["TemplateBody"], _parameters(form, {}), "")
        self._begin(stack, "CREATE")
        return {"StackId": "arn:1"}

    def UpdateStack(self, form: dict[str, str]) -> dict[str, Any]:
        stack = self._stack(form)
        parameters = _parameters(form, stack.parameters)
        if (stack.template, stack.parameters) == (form["TemplateBody"], parameters):
            raise Refusal("ValidationError", "No updates are to be performed.")
        stack.template, stack.parameters = form["TemplateBody"], parameters
        self._begin(stack, "UPDATE")
        return {"StackId": "arn:1"}

    def _begin(self, stack: Made, verb: str) -> None:
        stack.status = f"{verb}_IN_PROGRESS"
        stack.events.append(("stack", stack.status, "User Initiated"))
        stack.coming = made(verb) if self.happens is None else list(self.happens)
        self.happens = None

    def DetectStackDrift(self, form: dict[str, str]) -> dict[str, Any]:
        self._detecting = itertools.count()
        return {"StackDriftDetectionId": "1"}

    def DescribeStackDriftDetectionStatus(self, form: dict[str, str]) -> dict[str, Any]:
        status = "DETECTION_COMPLETE" if next(self._detecting) else "DETECTION_IN_PROGRESS"
        drifted = "DRIFTED" if self.drifts else "IN_SYNC"
        return {
            "StackId": "arn:1",
            "StackDriftDetectionId": "1",
            "StackDriftStatus": drifted,
            "DetectionStatus": status,
            "Timestamp": "2026-01-01T00:00:00Z",
        }

    def DescribeStackResourceDrifts(self, form: dict[str, str]) -> dict[str, Any]:
        return {"StackResourceDrifts": self.drifts}


def _parameters(form: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    given = {}
    for number in itertools.count(1):
        key = form.get(f"Parameters.member.{number}.ParameterKey")
        if key is None:
            return given
        value = form.get(f"Parameters.member.{number}.ParameterValue")
        given[key] = before[key] if value is None else value


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(each)}</{name}>" for name, each in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(each)}</member>" for each in value)
    return escape(str(value))
