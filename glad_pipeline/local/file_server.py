"""A web server for the folder of pictures, where nobody has another: the public area alone, on 127.0.0.1, to read.

A program of its own (`python -m glad_pipeline.local.file_server FOLDER PORT [HOST]`), started for `glad demo` and `up`.
It answers GET and HEAD of keys, with ranges; it lists nothing, follows no link and leaves the folder by no path. A blog
on the internet has nginx or Caddy do this (docs/setup.md).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import ExitStack
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import IO
from urllib.parse import unquote, urlsplit

from glad_pipeline.storage.keys import is_private
from glad_pipeline.storage.protocol import CACHE_CONTROL
from glad_pipeline.storage.volume_files import MARK, find, parts_of
from glad_pipeline.storage.volume_folders import FOLDER, IsLinkError

READY = "/.glad/ready"  # answers 200: somebody is there
SECONDS = 20.0  # for one that says nothing
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class FileServer(ThreadingHTTPServer):
    """One folder, at one port."""

    daemon_threads = True

    def __init__(self, root: str, port: int, host: str = "127.0.0.1") -> None:
        self.root = root
        super().__init__((host, port), Visit)


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
        try:
            path = unquote(urlsplit(self.path).path, errors="strict")
        except ValueError:
            return self._say(HTTPStatus.BAD_REQUEST)
        if path == READY:
            return self._say(HTTPStatus.OK)
        key = path.removeprefix("/")
        if is_private(key) or parts_of(key) is None:
            return self._say(HTTPStatus.NOT_FOUND)
        try:
            with ExitStack() as opens:
                top = os.open(self.server.root, FOLDER)
                opens.callback(os.close, top)
                os.stat(MARK, dir_fd=top)  # not mounted is no `not found`
                found = find(opens, top, key)
                return self._say(HTTPStatus.NOT_FOUND) if found is None else self._give(found[0], found[1].content_type)
        except (ConnectionError, TimeoutError):  # the visitor has gone
            self.close_connection = True
        except IsLinkError:
            return self._say(HTTPStatus.NOT_FOUND)
        except OSError:
            return self._say(HTTPStatus.SERVICE_UNAVAILABLE)

    def _give(self, file: IO[bytes], kind: str) -> None:
        about = os.fstat(file.fileno())
        size, tag = about.st_size, f'"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"'
        headers = {
            "Content-Type": kind,
            "Cache-Control": CACHE_CONTROL,
            "ETag": tag,
            "Last-Modified": formatdate(about.st_mtime, usegmt=True),
            "Accept-Ranges": "bytes",
            "Access-Control-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
        }
        if tag in [each.strip() for each in self.headers.get("If-None-Match", "").split(",")]:
            return self._say(HTTPStatus.NOT_MODIFIED, headers)
        wanted = self.headers.get("Range", "")
        if self.headers.get("If-Range", tag) != tag:
            wanted = ""
        first, last = _range(wanted, size)
        if first >= size and wanted and size:
            return self._say(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{size}"})
        status = HTTPStatus.OK
        if (first, last) != (0, size - 1):
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        file.seek(first)
        return self._say(status, headers, length=last - first + 1, file=file)

    def _say(
        self,
        status: HTTPStatus,
        headers: dict[str, str] | None = None,
        *,
        length: int = 0,
        file: IO[bytes] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if file is not None and self.command == "GET":
            _copy(file, self.wfile, length)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what visitors look at is not recorded."""


def _range(wanted: str, size: int) -> tuple[int, int]:
    """First and last byte of one range, all for none or one that is not understood; the first may be past the end."""
    asked = _RANGE.fullmatch(wanted.strip())
    if asked is None or not (asked[1] or asked[2]) or not size:
        return 0, size - 1
    if not asked[1]:  # so many at the end
        return (size, size) if int(asked[2]) == 0 else (max(0, size - int(asked[2])), size - 1)
    first, last = int(asked[1]), int(asked[2] or size - 1)
    return (0, size - 1) if last < first < size else (first, min(last, size - 1))


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
