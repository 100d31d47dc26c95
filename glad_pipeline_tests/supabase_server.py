"""Supabase's Storage on 127.0.0.1: the part of its REST API that pictures need, with its races and traps.

Made by what a real server (1.11.2) was seen to do:

- an upload always overwrites when it completes: what is there is looked for only when it begins;
- an upload that is refused early, on a connection that is kept, is not answered until `hanging` seconds are over;
- an absent object is HTTP 400 with `statusCode: "404"`, a taken key the same with "409", a wrong JWT with "403";
- a removal without the right to it answers `[]`;
- a bucket that does not exist is listed as an empty one, and its objects are absent;
- all of a public bucket is public; without a type an object is text/plain; public files have `x-robots-tag: none`;
- a move is atomic, fails with 409 where something is there, and keeps id, type, metadata and cache header;
- a key has to be ASCII, and of few signs.

`python -m glad_pipeline_tests.supabase_server PORT` serves one with a public bucket `images`, and prints its settings.
"""

import base64
import hashlib
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

KEY = re.compile(r"[A-Za-z0-9_/!\-.*'() &$@=;:+,?]+")
SECRET = "sb_secret_of-the-tests_0123456789abcdef"


def jwt(role, signature="of-the-tests"):
    """A key of the older generation; the server knows those with its own signature."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iss": "supabase", "role": role, "exp": 4_102_444_800})
    head = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{signature}"


@dataclass(frozen=True)
class Kept:
    """One object."""

    id: str
    body: bytes
    type: str
    cache: str
    metadata: dict
    updated: datetime


@dataclass
class Bucket:
    public: bool = False
    allowed: list[str] | None = None
    largest: int | None = None
    objects: dict[str, Kept] = field(default_factory=dict)


@dataclass
class Supabase:
    """What it holds, what was asked, and what it does wrong."""

    buckets: dict[str, Bucket] = field(default_factory=lambda: {"images": Bucket(public=True)})
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)  # method, path without /storage/v1
    headers: list[dict[str, str]] = field(default_factory=list)  # of these
    damaged: int = 0  # uploads that lose a byte on the way, from now on
    lost: list[str] = field(default_factory=list)  # paths whose next request is done, and not answered
    failing: list[tuple[int, bytes]] = field(default_factory=list)  # what the next requests are answered with
    before: dict[str, Callable[[], None]] = field(default_factory=dict)  # what is done before a path's next request
    powerless: bool = False  # every key may read and write, and not delete
    nameless: bool = False  # a move is answered without the object's id
    hanging: float = 30.0  # seconds
    page: bytes | None = None  # answered to every request, as a login page is
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keys(self, bucket):
        with self.lock:
            return sorted(self.buckets[bucket].objects) if bucket in self.buckets else []


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Whoever asks may be killed meanwhile."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(supabase: Supabase, port: int = 0) -> Iterator[Supabase]:
    handler = type("Handler", (_Handler,), {"supabase": supabase})
    server = _Server(("127.0.0.1", port), handler)
    supabase.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield supabase
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Refused(Exception):
    def __init__(self, status, error, message):
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


NOT_FOUND = (404, "not_found", "Object not found")
NO_BUCKET = (404, "Bucket not found", "Bucket not found")
TAKEN = (409, "Duplicate", "The resource already exists")
DENIED = (403, "Unauthorized", "new row violates row-level security policy")


class _Handler(BaseHTTPRequestHandler):
    supabase: Supabase
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        self._serve()

    do_HEAD = do_POST = do_DELETE = do_GET

    # --- answers ---

    def _serve(self):
        self.unread = int(self.headers.get("Content-Length") or 0)
        path = urlsplit(self.path).path
        if not path.startswith("/storage/v1/"):
            return self._send(404, json.dumps({"message": "no Route matched with those values"}).encode())
        self.path_asked = path.removeprefix("/storage/v1")
        with self.supabase.lock:
            self.supabase.asked.append((self.command, self.path_asked))
            self.supabase.headers.append({name.lower(): value for name, value in self.headers.items()})
            meanwhile = self.supabase.before.pop(self.path_asked, None)
        if meanwhile:
            meanwhile()
        with self.supabase.lock:
            failing = self.supabase.failing.pop(0) if self.supabase.failing else None
        if self.supabase.page:
            self._body()
            return self._send(200, self.supabase.page, {"Content-Type": "text/html"})
        if failing:
            self._body()
            return self._send(*failing)
        try:
            self._route([unquote(part) for part in self.path_asked.strip("/").split("/")])
        except Refused as refused:
            self._refuse(refused)

    def _refuse(self, refused):
        if self.unread > 65_536 and self.headers.get("Connection", "").lower() != "close":
            time.sleep(self.supabase.hanging)
            self.close_connection = True
            return
        said = {"statusCode": str(refused.status), "error": refused.error, "message": refused.message}
        self._send(500 if refused.status == 500 else 400, json.dumps(said).encode())
        self._body()  # so that the answer is not lost with what is still on the way

    def _json(self, said):
        self._send(200, json.dumps(said).encode())

    def _send(self, status, body, headers=None):
        if self.path_asked in self.supabase.lost if hasattr(self, "path_asked") else False:
            self.supabase.lost.remove(self.path_asked)
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):
                self.wfile.write(body)

    def _body(self):
        body, self.unread = self.rfile.read(self.unread), 0
        return body

    # --- who asks ---

    def _require_key(self):
        """What the gateway and Storage make of the key; its role."""
        key, bearer = self.headers.get("apikey", ""), self.headers.get("Authorization", "").removeprefix("Bearer ")
        if key.startswith("sb_"):
            if bearer or key != SECRET:  # a gateway's answer, not Storage's
                self._body()
                self._send(401, json.dumps({"message": "Invalid API key", "hint": "Double check it."}).encode())
                return None
            return "service_role"
        for role in ("service_role", "anon"):
            if key == bearer == jwt(role):
                return role
        raise Refused(403, "Unauthorized", "signature verification failed")

    def _route(self, parts):
        if parts[:2] == ["object", "public"]:
            return self._show(parts[2], "/".join(parts[3:]), public=True)
        role = self._require_key()
        if role is None:
            return None
        self.may_write = role == "service_role"
        self.may_delete = self.may_write and not self.supabase.powerless
        match (self.command, *parts):
            case ("GET", "bucket", name):
                return self._tell_of_bucket(name)
            case ("POST", "bucket"):
                return self._make_bucket(json.loads(self._body()))
            case ("GET", "object", "info", bucket, *key):
                return self._tell_of(bucket, "/".join(key))
            case ("GET", "object", "authenticated", bucket, *key):
                return self._show(bucket, "/".join(key), public=False)
            case ("POST", "object", "move"):
                return self._move(json.loads(self._body()))
            case ("POST", "object", "copy"):
                return self._copy(json.loads(self._body()))
            case ("POST", "object", "list-v2", bucket):
                return self._list(bucket, json.loads(self._body()))
            case ("POST", "object", bucket, *key):
                return self._upload(bucket, "/".join(key))
            case ("DELETE", "object", bucket):
                return self._delete(bucket, json.loads(self._body())["prefixes"])
        raise Refused(404, "Not Found", f"Route {self.command}:{self.path} not found")

    # --- buckets ---

    def _tell_of_bucket(self, name):
        with self.supabase.lock:
            bucket = self.supabase.buckets.get(name)
        if bucket is None:
            raise Refused(*NO_BUCKET)
        said = {"id": name, "name": name, "public": bucket.public, "file_size_limit": bucket.largest}
        self._json(said | {"allowed_mime_types": bucket.allowed})

    def _make_bucket(self, said):
        if not self.may_write:
            raise Refused(*DENIED)
        with self.supabase.lock:
            if said["name"] in self.supabase.buckets:
                raise Refused(*TAKEN)
            self.supabase.buckets[said["name"]] = Bucket(public=said.get("public", False))
        self._json({"name": said["name"]})

    # --- objects ---

    def _found(self, bucket, key):
        with self.supabase.lock:
            found = self.supabase.buckets[bucket].objects.get(key) if bucket in self.supabase.buckets else None
        if found is None:
            raise Refused(*NOT_FOUND)
        return found

    def _tell_of(self, bucket, key):
        if not KEY.fullmatch(key):
            raise Refused(400, "InvalidKey", f"Invalid key: {key}")
        found = self._found(bucket, key)
        said = {"id": found.id, "name": key, "bucket_id": bucket, "size": len(found.body), "content_type": found.type}
        said |= {"cache_control": found.cache, "etag": f'"{hashlib.md5(found.body).hexdigest()}"'}
        self._json(said | {"metadata": found.metadata or None, "last_modified": found.updated.isoformat()})

    def _show(self, bucket, key, *, public):
        if public:
            with self.supabase.lock:
                there = self.supabase.buckets.get(bucket)
            if there is None or not there.public:
                raise Refused(*NO_BUCKET)
        found = self._found(bucket, key)
        headers = {"Content-Type": found.type, "Cache-Control": found.cache, "x-robots-tag": "none"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked is None:
            return self._send(200, found.body, headers)
        start, end = int(asked[1]), min(int(asked[2]), len(found.body) - 1)
        if start >= len(found.body):
            raise Refused(416, "InvalidRange", "The requested range is not satisfiable")
        headers["Content-Range"] = f"bytes {start}-{end}/{len(found.body)}"
        return self._send(206, found.body[start : end + 1], headers)

    def _upload(self, name, key):
        with self.supabase.lock:
            bucket = self.supabase.buckets.get(name)
            taken = bucket is not None and key in bucket.objects
        kind = self.headers.get("Content-Type", "text/plain;charset=UTF-8")
        if bucket is None:
            raise Refused(*NO_BUCKET)
        if not KEY.fullmatch(key):
            raise Refused(400, "InvalidKey", f"Invalid key: {key}")
        if not self.may_write:
            raise Refused(*DENIED)
        if bucket.allowed and kind not in bucket.allowed:
            raise Refused(415, "invalid_mime_type", f"mime type {kind} is not supported")
        if bucket.largest and self.unread > bucket.largest:
            raise Refused(413, "Payload too large", "The object exceeded the maximum allowed size")
        if taken and self.headers.get("x-upsert") != "true":
            raise Refused(*TAKEN)
        body = self._body()
        with self.supabase.lock:
            if self.supabase.damaged:
                self.supabase.damaged -= 1
                body = body[:-1]
            kept = Kept(
                id=str(uuid.uuid4()),
                body=body,
                type=kind,
                cache=self.headers.get("Cache-Control", "no-cache"),
                metadata=json.loads(base64.b64decode(self.headers.get("x-metadata", "")) or "{}"),
                updated=datetime.now(UTC),
            )
            bucket.objects[key] = kept  # whatever was there meanwhile
        self._json({"Id": kept.id, "Key": f"{name}/{key}"})

    def _transfer(self, said, *, upsert, keep):
        if not self.may_write:
            raise Refused(*DENIED)
        source, target = said["bucketId"], said.get("destinationBucket") or said["bucketId"]
        buckets = self.supabase.buckets
        if not KEY.fullmatch(said["destinationKey"]):
            raise Refused(400, "InvalidKey", f"Invalid key: {said['destinationKey']}")
        with self.supabase.lock:
            found = buckets[source].objects.get(said["sourceKey"]) if source in buckets else None
            if found is None:
                raise Refused(*NOT_FOUND)
            if target not in buckets:
                raise Refused(404, "InvalidRequest", "The related resource does not exist")
            if said["destinationKey"] in buckets[target].objects and not upsert:
                raise Refused(*TAKEN)
            if keep:
                found = replace(found, id=str(uuid.uuid4()))
            else:
                del buckets[source].objects[said["sourceKey"]]
            buckets[target].objects[said["destinationKey"]] = replace(found, updated=datetime.now(UTC))
        return found

    def _move(self, said):
        found = self._transfer(said, upsert=False, keep=False)
        named = {} if self.supabase.nameless else {"Id": found.id, "Key": said["destinationKey"]}
        self._json({"message": "Successfully moved", **named})

    def _copy(self, said):
        found = self._transfer(said, upsert=self.headers.get("x-upsert") == "true", keep=True)
        self._json({"Id": found.id, "Key": said["destinationKey"]})

    def _list(self, bucket, said):
        cursor = base64.b64decode(said.get("cursor", "")).decode().removeprefix("l:")
        # SQL's LIKE: % and _ of the prefix stand for others
        pattern = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in said.get("prefix", ""))
        with self.supabase.lock:
            kept = dict(self.supabase.buckets[bucket].objects) if bucket in self.supabase.buckets else {}
        names = sorted((each for each in kept if re.match(pattern, each) and each > cursor), key=str.encode)
        page = names[: min(said.get("limit", 1_000), 1_000)]
        objects = [
            {
                "id": kept[name].id,
                "name": name,
                "updated_at": kept[name].updated.isoformat().replace("+00:00", "Z"),
                "metadata": {"size": len(kept[name].body), "mimetype": kept[name].type},
            }
            for name in page
        ]
        more = len(names) > len(page)
        said = {"hasNext": more, "folders": [], "objects": objects}
        self._json(said | ({"nextCursor": base64.b64encode(f"l:{page[-1]}".encode()).decode()} if more else {}))

    def _delete(self, bucket, keys):
        if not self.may_delete:
            return self._json([])
        with self.supabase.lock:
            kept = self.supabase.buckets[bucket].objects if bucket in self.supabase.buckets else {}
            return self._json([{"name": key} for key in keys if kept.pop(key, None)])


if __name__ == "__main__":
    with serving(Supabase(), int(sys.argv[1])) as served:
        print(f"SUPABASE_URL={served.url} SUPABASE_KEY={SECRET}", flush=True)
        threading.Event().wait()
