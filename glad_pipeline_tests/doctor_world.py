"""A deployment in which nothing is wrong, for the tests of the doctor: database, bucket, CDN, site and Dagster's home."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psycopg

from glad_pipeline.database import Database, connect
from glad_pipeline.media.encoding import encode_png
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.pipeline import identity
from glad_pipeline.publishing.images import CatalogueEntry, record
from glad_pipeline.settings import settings_of
from glad_pipeline.storage.opening import open_store
from glad_pipeline_tests.cdn import Cdn

SECRET = "the-site-s-own-secret"
RECIPE = "ab" * 32
KEY = f"generated/ab/{RECIPE[:32]}.png"
DAGSTER = """
run_coordinator: { module: dagster.core.run_coordinator, class: QueuedRunCoordinator }
concurrency: { pools: { granularity: run, default_limit: 1 } }
telemetry: { enabled: false }
"""


class Site:
    """The blog's: revalidation, and Next.js's pictures. Its attributes are what may be wrong with it."""

    def __init__(self) -> None:
        self.takes_any = self.has_no_route = self.redirects = self.refuses_in_words = False
        self.allows = True
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if site.has_no_route:
                    return self._say(404)
                if site.redirects:
                    return self._say(308, headers={"Location": "https://www.example.com/api/revalidate"})
                known = site.takes_any or self.headers["x-revalidate-secret"] == SECRET
                if site.refuses_in_words and not known:
                    return self._say(200, b'{"revalidated": false}')
                return self._say(200 if known else 401)

            def do_GET(self) -> None:
                wanted = parse_qs(urlsplit(self.path).query).get("url")
                if not self.path.startswith("/_next/image") or not wanted:
                    return self._say(404)
                if not site.allows:
                    return self._say(400, b'"url" parameter is not allowed')
                return self._say(200, b"picture", {"Content-Type": "image/webp"})

            def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class World:
    """The healthy deployment; `deployment()` is what is examined."""

    def __init__(self, folder: Path, url: str, s3: dict[str, str], instance: Any) -> None:
        self.url, self.s3, self.instance = url, s3, instance
        self.cdn, self.site = Cdn(f"{s3['AWS_ENDPOINT_URL_S3']}/{s3['AWS_S3_BUCKET']}"), Site()
        self.home = folder / "home"
        self.dagster = folder / "dagster"
        self.dagster.mkdir()
        (self.dagster / "dagster.yaml").write_text(DAGSTER)
        from glad_pipeline.local.home import Home

        Home(self.home).prepare()
        self.values: dict[str, Any] = {
            **{name: s3[name] for name in s3 if name.startswith("AWS_S3_")},
            **{name: s3[name] for name in ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
            "DATABASE_URL": url,
            "GLAD_PUBLIC_BASE_URL": self.cdn.url,
            "GLAD_SITE_URL": self.site.url,
            "GLAD_REVALIDATE_SECRET": SECRET,
            "GLAD_HOME": str(self.home),
        }
        self.store = open_store(settings_of(self.values))
        self._settle()

    def _settle(self) -> None:
        """One picture, and bucket and database that know each other."""
        body = encode_png(np.random.default_rng(1).integers(0, 255, (40, 30, 3), dtype=np.uint8), text={})
        self.store.put_once(KEY, body, content_type="image/png", metadata={})
        import hashlib

        entry = CatalogueEntry(
            key=KEY,
            recipe_hash=RECIPE,
            recipe={},
            model="demo",
            model_revision="1",
            url=self.store.url(KEY),
            sha256=hashlib.sha256(body).hexdigest(),
            bytes=len(body),
            width=30,
            height=40,
            content_type="image/png",
            seconds=None,
            contrast=None,
            provenance={},
            pixels_sha256=None,
            thumbnail_key=None,
            thumbnail_url=None,
        )
        with Database(self.url) as database:
            identity.settle(database, self.store, tell=lambda text: None)
            with database.transaction() as connection:
                record(connection, [entry])

    def deployment(self, environment: dict[str, str] | None = None, **values: Any) -> Deployment:
        """As a person would have set it, with these settings others (None: absent)."""
        chosen = {name: value for name, value in (self.values | values).items() if value is not None}
        return Deployment(
            settings=settings_of(chosen), environment=environment or {}, draws=False, instance=self.instance
        )

    def sql(self, statement: str, *values: Any) -> None:
        with connect(self.url, autocommit=True) as connection:
            connection.execute(statement, values or None)  # type: ignore[call-overload]

    @contextmanager
    def another_database(self, options: str = "") -> Iterator[str]:
        """The URL of an empty one beside it."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} {options}")
        try:
            yield self.url.rpartition("/")[0] + f"/{name}"
        finally:
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def role(self, options: str = "") -> Iterator[str]:
        """The URL of this database as a role that may do all that the owner may, and that has these options."""
        name = f"role_{uuid.uuid4().hex[:8]}"
        parts = urlsplit(self.url)
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'Tr0ubador-of-this-role' IN ROLE {parts.username} {options}")
        try:
            host = parts.netloc.rpartition("@")[2]
            yield f"postgresql://{name}:Tr0ubador-of-this-role@{host}{parts.path}"
        finally:
            self.sql(f"DROP OWNED BY {name}")
            self.sql(f"DROP ROLE {name}")

    def close(self) -> None:
        self.cdn.close()
        self.site.close()
        with psycopg.connect(self.url):
            self.store.delete([listed.key for listed in self.store.listing("")])


def up_json(home: Path) -> None:
    """What a `glad up` writes that runs now: this process."""
    import psutil

    me = psutil.Process()
    state = {"pid": me.pid, "created": me.create_time(), "url": "http://127.0.0.1:1", "children": []}
    (home / "up.json").write_text(json.dumps(state))
