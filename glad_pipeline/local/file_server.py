"""A web server for the folder of pictures, where nobody has another: the public area alone, on 127.0.0.1, to read.

A program of its own (`python -m glad_pipeline.local.file_server FOLDER PORT [HOST]`), started for `glad demo` and `up`.
It answers GET and HEAD of keys, with ranges; it lists nothing, follows no link and leaves the folder by no path. A blog
on the internet has nginx or Caddy do this (docs/setup.md).
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from glad_pipeline.storage.volume_shown import ShownFile, answer_of, open_shown

READY = "/.glad/ready"  # answers 200: somebody is there
SECONDS = 20.0  # for one that says nothing
AT_ONCE = 64  # visitors that are answered; who comes then waits, and is sent away after SECONDS


class FileServer(ThreadingHTTPServer):
    """One folder, at one port."""

    daemon_threads = True

    def __init__(self, root: str, port: int, host: str = "127.0.0.1") -> None:
        self.root = root
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((host, port), Visit)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._turns.acquire(timeout=SECONDS):
            return self.shutdown_request(request)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._turns.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._turns.release()


class Visit(BaseHTTPRequestHandler):
    """One visitor's requests."""

    server: FileServer
    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def version_string(self) -> str:
        return "glad"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self._has_begun = False
        try:
            path = unquote(urlsplit(self.path).path, errors="strict")
        except ValueError:
            return self._say(HTTPStatus.BAD_REQUEST)
        if path == READY:
            return self._say(HTTPStatus.OK)
        try:
            shown = open_shown(self.server.root, path.removeprefix("/"))
            return self._say(HTTPStatus.NOT_FOUND) if shown is None else self._give(shown)
        except (ConnectionError, TimeoutError):  # the visitor has gone
            self.close_connection = True
        except OSError:
            if not self._has_begun:
                return self._say(HTTPStatus.SERVICE_UNAVAILABLE)
            self.close_connection = True  # of what was promised not all is there

    def _give(self, shown: ShownFile) -> None:
        with shown.file as file:
            answer = answer_of(
                shown,
                if_none_match=self.headers.get("If-None-Match", ""),
                wanted=self.headers.get("Range", ""),
                if_range=self.headers.get("If-Range"),
            )
            file.seek(answer.first)
            self._say(HTTPStatus(answer.status), answer.headers, length=answer.length, file=file)

    def _say(
        self,
        status: HTTPStatus,
        headers: Mapping[str, str] | None = None,
        *,
        length: int = 0,
        file: IO[bytes] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(length))
        self._has_begun = True
        self.end_headers()
        if file is not None and self.command == "GET":
            _copy(file, self.wfile, length)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what visitors look at is not recorded."""


def _copy(file: IO[bytes], target: BufferedIOBase, length: int) -> None:
    if length == os.fstat(file.fileno()).st_size:
        shutil.copyfileobj(file, target, 1 << 18)
        return
    while length > 0 and (piece := file.read(min(length, 1 << 18))):
        target.write(piece)
        length -= len(piece)


def main(arguments: list[str]) -> None:
    """Serve until somebody ends it."""
    root, port, *host = arguments
    with FileServer(root, int(port), *host) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
