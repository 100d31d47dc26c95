"""Blog and studio as `glad up` serves them: the site that lies packed beside this file, run by Node.js.

Its process gets what it is to know and nothing else of the environment: no database, no store, no key of theirs. Knows
the archive and the variables that the site reads, not what it shows.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from glad_pipeline.errors import GladError
from glad_pipeline.local.children import Program
from glad_pipeline.local.home import Home
from glad_pipeline.local.node import OLDEST, WHEEL, WHEEL_SIZE, find_node
from glad_pipeline.local.site_keys import draw_keys
from glad_pipeline.settings import Settings, settings_of
from glad_pipeline.storage.opening import open_store

# Beside it site.json: a hash, by which versions are told apart and nothing is checked, and the files that have keys.
ARCHIVE = Path(__file__).with_name("site.tar.xz")
STORE = (  # what names the one that shows the pictures
    *("AWS_S3_BUCKET", "AWS_S3_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *("GLAD_VOLUME", "GLAD_PUBLIC_BASE_URL"),
)
PROBE = "/robots.txt"  # whatever it answers, it answers
UNPACKED = "unpacked"  # which archive it was; written last
MEGABYTES = 512  # of JavaScript's objects, beyond which Node.js ends and is started again
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


def is_wanted(settings: Settings) -> bool:
    """Whether `glad up` is to serve it: where somebody has a site of their own, only if they say so."""
    return settings.site_url is None if settings.site is None else settings.site


def required_node() -> Path:
    """The Node.js that runs it. Raises `GladError` with what is missing."""
    if not ARCHIVE.exists():
        raise GladError(f"the site is not in this installation: `npm run pack` in web/ makes {ARCHIVE}")
    if node := find_node(Path(sys.prefix)):
        return node
    raise GladError(
        f"the site needs Node.js {'.'.join(map(str, OLDEST))} or newer, and there is none here. Install it, or run: "
        f"{sys.executable} -m pip install {WHEEL}  ({WHEEL_SIZE})"
    )


@dataclass(frozen=True, kw_only=True)
class Site:
    """The site, unpacked, and what runs it."""

    settings: Settings
    node: Path
    folder: Path

    def program(self, environment: Mapping[str, str], port: int, gateway: str) -> Program:
        """How it is started. `environment`: of the programs beside it; `gateway`: the address of ours."""
        return Program(
            command=[str(self.node), "server.js"],
            environment=variables(self.settings, environment, port=port, gateway=gateway),
            folder=self.folder,
            grace=5,  # whoever watches a picture being drawn holds a connection open
        )


def prepared(settings: Settings, home: Home) -> Site | str:
    """The site, ready to be started; or, for people, why it is not served. All else runs."""
    if not is_wanted(settings):
        return "off (GLAD_SITE)" if settings.site is False else "off (GLAD_SITE_URL is a site of yours)"
    try:
        if not settings.gateway:
            raise GladError("the site reads everything from the gateway, and GLAD_GATEWAY is off")
        return Site(settings=settings, node=required_node(), folder=unpack(home))
    except GladError as error:
        return f"not served: {error}. GLAD_SITE=off leaves it out"


def note(home: Home, url: str | None) -> None:
    """Remember where this process serves it, for as long as it lives: other commands tell it, too, what has changed."""
    me = psutil.Process()
    with home.lock():
        home.remember("site", url and {"url": url, "pid": me.pid, "created": me.create_time()})


def unpack(home: Home, packed: Path = ARCHIVE) -> Path:
    """The folder of the site, as this version has it, with keys of its own and nothing remembered of its last run.

    What was taken down while it did not run, it was not told. Raises `GladError`.
    """
    folder = home.path / "site"
    mark = folder / UNPACKED
    try:
        facts = json.loads(packed.with_name("site.json").read_text(encoding="utf-8"))
        if not mark.is_file() or mark.read_text(encoding="utf-8") != facts["sha256"]:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            with tarfile.open(packed) as archive:
                if hasattr(tarfile, "data_filter"):  # Python 3.11 has it since 3.11.4
                    archive.extraction_filter = tarfile.data_filter
                archive.extractall(folder)  # noqa: S202 - it is our own
            draw_keys(folder / name for name in facts["keys"])
            mark.write_text(facts["sha256"], encoding="utf-8")
        shutil.rmtree(folder / ".next" / "cache", ignore_errors=True)
    except (OSError, EOFError, ValueError, KeyError, TypeError, tarfile.TarError, lzma.LZMAError) as error:
        raise GladError(f"the site cannot be unpacked to {folder}: {error}") from error
    return folder


def variables(settings: Settings, environment: Mapping[str, str], *, port: int, gateway: str) -> dict[str, str]:
    """The environment of its process; `environment` is that of the programs beside it."""
    site_url = environment["GLAD_SITE_URL"]
    host = urlsplit(site_url).hostname or ""
    hosts = {f"[{host}]" if ":" in host else host, *("localhost", "127.0.0.1", "[::1]"), *_listed(settings.site_hosts)}
    shown = [image_origin(settings, environment), *_listed(settings.image_hosts)]
    optional = {
        "GLAD_SITE_NAME": settings.site_name,
        "GLAD_SITE_DESCRIPTION": settings.site_description,
    }
    return (
        {name: os.environ[name] for name in KEPT if name in os.environ}
        | {name: value for name, value in optional.items() if value}
        | {
            "NODE_ENV": "production",
            "NEXT_TELEMETRY_DISABLED": "1",
            "NODE_OPTIONS": f"--max-old-space-size={MEGABYTES}",
            "HOSTNAME": "127.0.0.1",
            "PORT": str(port),
            "GLAD_API_URL": gateway,
            "GLAD_SITE_URL": site_url,
            "GLAD_SITE_HOSTS": ",".join(sorted(filter(None, hosts))),
            "GLAD_REVALIDATE_SECRET": environment["GLAD_REVALIDATE_SECRET"],
            "GLAD_IMAGE_HOSTS": ",".join(dict.fromkeys(shown)),
        }
    )


def image_origin(settings: Settings, environment: Mapping[str, str]) -> str:
    """Scheme, host and port of the pictures that this pipeline publishes."""
    embedded = {name: environment[name] for name in STORE if name in environment}
    parts = urlsplit(open_store(settings if settings.names_store else settings_of(embedded)).url("generated/any.png"))
    return f"{parts.scheme}://{parts.netloc}"


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]
