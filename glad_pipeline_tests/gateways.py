"""HTTP servers before the S3 server that behave as other people's stores, policies and proxies do.

A gateway signs anew what it passes on, so that it may change requests.
"""

import http.client
import http.server
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

UNSIGNED = (
    "authorization",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
    "content-length",
    "connection",
)


@dataclass
class Asked:
    method: str
    path: str  # with its query
    headers: dict[str, str]  # by names in lower case
    body: bytes

    @property
    def writes(self):
        return self.method == "PUT"

    def without(self, *beginnings):
        for name in [name for name in self.headers if name.startswith(beginnings)]:
            del self.headers[name]


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def error(status, code, message, more="", **headers):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"content-type": "application/xml", "x-amz-request-id": "1", **given})


class Gateway:
    """A context manager. `behave(asked)` may change the request, or answer it; `spoil(asked, answer)` the answer."""

    def __init__(self, s3, behave=lambda asked: None, spoil=lambda asked, answer: None):
        self.behave, self.spoil, self.asked = behave, spoil, []
        self._behind = urlsplit(s3["AWS_ENDPOINT_URL_S3"])
        self._signer = S3SigV4Auth(
            Credentials(s3["AWS_ACCESS_KEY_ID"], s3["AWS_SECRET_ACCESS_KEY"]), "s3", s3["AWS_S3_REGION"]
        )
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, asked):
        self.asked.append((asked.method, asked.path))
        given = self.behave(asked)
        answer = given if given is not None else self._pass_on(asked)
        self.spoil(asked, answer)
        return answer

    def _pass_on(self, asked):
        asked.without(*UNSIGNED)
        asked.headers["host"] = self._behind.netloc
        request = AWSRequest(asked.method, f"http://{self._behind.netloc}{asked.path}", asked.headers, asked.body)
        if "authorization" not in asked.headers and asked.signed:
            request.context["payload_signing_enabled"] = False
            self._signer.add_auth(request)
        connection = http.client.HTTPConnection(self._behind.netloc, timeout=20)
        try:
            connection.request(asked.method, asked.path, asked.body or None, dict(request.headers.items()))
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.read(), headers)
        finally:
            connection.close()


def _handler_of(gateway):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self):
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            asked = Asked(self.command, self.path, headers, body)
            asked.signed = "authorization" in headers
            answer = gateway.answer(asked)
            self.send_response_only(answer.status)
            told = {name: value for name, value in answer.headers.items() if name not in ("connection", "server")}
            length = told.pop("content-length", None)
            told.pop("transfer-encoding", None)
            for name, value in ({"date": formatdate(usegmt=True)} | told).items():
                self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

        def handle_expect_100(self):
            self.send_response_only(100)
            self.end_headers()
            return True

        def log_message(self, *_):
            pass

    return Handler


# --- what stores do -----------------------------------------------------------------------------------------------


def as_backblaze(asked):
    if "if-none-match" in asked.headers:
        return error(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    if "x-amz-checksum-sha256" in asked.headers:
        return error(400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256'")
    return None


def overwriting(asked):
    asked.without("if-none-match")


def checking_nothing(asked):
    asked.without("if-none-match", "x-amz-checksum", "x-amz-sdk-checksum", "content-md5", "x-amz-trailer")
    if asked.method == "POST":
        return error(400, "MalformedXML", "The XML you provided was not well-formed")
    return None


def dropping_metadata(asked):
    asked.without("x-amz-meta-")


def demanding(header, value, methods=("PUT",)):
    """A policy that denies what is sent without a header."""

    def behave(asked):
        if asked.method in methods and not asked.headers.get(header, "").startswith(value):
            return error(403, "AccessDenied", "Access Denied")
        asked.without("x-amz-server-side-encryption", "x-amz-request-payer", "x-amz-acl")
        return None

    return behave


def refusing(status, code, message, more="", methods=("GET", "HEAD", "PUT", "POST", "DELETE"), **headers):
    def behave(asked):
        return error(status, code, message, more, **headers) if asked.method in methods else None

    return behave


def logging_in(asked):
    return Answer(200, b"<html><title>Welcome to Hotel Wi-Fi</title>", {"content-type": "text/html; charset=utf-8"})


def in_the_past(minutes):
    def behave(asked):
        then = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)
        words = "The difference between the request time and the current time is too large."
        return error(403, "RequestTimeTooSkewed", words, date=then)

    return behave


def answering(query, body):
    """One sub-resource of the bucket as the owner has set it up."""

    def behave(asked):
        wanted = asked.method == "GET" and query in urlsplit(asked.path).query
        return (
            Answer(200, body.encode(), {"content-type": "application/xml", "x-amz-request-id": "1"}) if wanted else None
        )

    return behave
