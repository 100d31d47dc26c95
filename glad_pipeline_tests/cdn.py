"""A CDN in front of a bucket, on this machine: passes on what anybody may read, or misbehaves as it is told."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
KEPT = ("content-type", "cache-control", "access-control-allow-origin")


class Cdn:
    """`url` is what a deployment's GLAD_PUBLIC_BASE_URL names. `misbehave` makes another answer of the right one."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.misbehave: Callable[[str, Answer], Answer] | None = None  # by path
        self.visits: list[str] = []
        cdn = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cdn.visits.append(self.path)
                status, headers, body = cdn.answer(self.path, self.headers.get("Origin"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, path: str, origin: str | None) -> Answer:
        request = urllib.request.Request(f"{self.origin}{path}", headers={"Origin": origin} if origin else {})
        try:
            with urllib.request.urlopen(request, timeout=10) as found:
                status, headers, body = found.status, found.headers, found.read()
        except urllib.error.HTTPError as error:
            status, headers, body = error.code, error.headers, error.read()
        right = status, {name: headers[name] for name in KEPT if headers[name]}, body
        return self.misbehave(path, right) if self.misbehave else right

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
