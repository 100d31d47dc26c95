"""A hub on 127.0.0.1: the part of the Hugging Face hub's HTTP API that its client uses to list and fetch files.

Serves directories as repositories, each at one commit, and does wrong what it is told to.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LFS = (".safetensors", ".bin")


@dataclass
class Hub:
    """What it serves, what went over the wire, and what it does wrong."""

    repositories: dict[tuple[str, str], Path] = field(default_factory=dict)  # (id, commit) → directory
    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path in the repository, Range
    refusal: tuple[int, str] | None = None  # status and X-Error-Code of every answer
    cut: set[str] = field(default_factory=set)  # files whose next GET breaks off nine tenths on
    down: set[str] = field(default_factory=set)  # files whose GETs, once one has broken off, are answered with 503

    def fetched(self) -> set[str]:
        return {path for method, path, _ in self.asked if method == "GET" and path}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def log_message(self, *args):
        pass

    def _answer(self):
        if self.hub.refusal:
            status, code = self.hub.refusal
            self.hub.asked.append((self.command, "", ""))
            return self._send(status, b"{}", {"X-Error-Code": code} if code else {})
        path = self.path.partition("?")[0]
        for (name, commit), directory in self.hub.repositories.items():
            if path == f"/api/models/{name}/tree/{commit}":
                return self._send(200, json.dumps(_tree(directory)).encode(), {"Content-Type": "application/json"})
            if path == f"/api/models/{name}/revision/{commit}":
                siblings = [{"rfilename": entry["path"]} for entry in _tree(directory)]
                info = {"id": name, "sha": commit, "siblings": siblings}
                return self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"})
            if path.startswith(f"/{name}/resolve/{commit}/"):
                return self._file(directory, path.removeprefix(f"/{name}/resolve/{commit}/"), commit)
        known = any(f"/{name}/" in path for name, _ in self.hub.repositories)
        return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})

    def _file(self, directory, name, commit):
        asked = self.headers.get("Range", "")
        self.hub.asked.append((self.command, name, asked))
        file = directory / name
        if not file.is_file():
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        content = file.read_bytes()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_git_hash(content)}"', "Accept-Ranges": "bytes"}
        if name.endswith(LFS):
            headers |= {"X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Linked-Size": str(len(content))}
        if self.command == "GET" and name in self.hub.down and name not in self.hub.cut:
            return self._send(503, b"busy", {})
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(206 if start else 200, content[start:], headers, cut=name in self.hub.cut and name)

    def _send(self, status, content, headers, cut=None):
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut:
            self.hub.cut.discard(cut)
            content = content[: len(content) * 9 // 10]  # the client keeps whole chunks of 10 MiB
            self.close_connection = True
        self.wfile.write(content)


def _tree(directory):
    entries = []
    for file in sorted(file for file in directory.rglob("*") if file.is_file()):
        content = file.read_bytes()
        entry = {"type": "file", "path": file.relative_to(directory).as_posix(), "size": len(content)}
        entry["oid"] = _git_hash(content)
        if file.suffix in LFS:
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        entries.append(entry)
    return entries


def _git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
