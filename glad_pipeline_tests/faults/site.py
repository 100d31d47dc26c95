"""The blog's site, as far as the pipeline speaks to it: notes in a file, which all processes share, what it was told."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "the-site-s-own"


def serve(log: Path) -> str:
    """Start it on a thread of this process, with which it ends; returns its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.headers["x-revalidate-secret"] == SECRET
            if known:
                with log.open("a") as file:  # one write: whole lines, whoever else writes
                    file.write("".join(f"{path}\n" for path in body["paths"]))
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), name="site", daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def told(log: Path) -> set[str]:
    """The paths that it has been told of."""
    return set(log.read_text().splitlines()) if log.exists() else set()


def settle_in(log: str) -> None:
    """Start it and have this process's settings name it."""
    os.environ["GLAD_SITE_URL"] = serve(Path(log))
    os.environ["GLAD_REVALIDATE_SECRET"] = SECRET
