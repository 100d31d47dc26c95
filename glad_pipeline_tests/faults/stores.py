"""Buckets for the rig's worlds, on each kind of store that there is."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from glad_pipeline.local.file_server import FileServer
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.storage.volume_files import OLD, sweep
from glad_pipeline_tests import supabase_server

KIND = "GLAD_STORE"  # of a stack's variables: which kind its worlds have
Variables = dict[str, str]

_numbers = itertools.count()


@contextmanager
def buckets(stack: Mapping[str, str], count: int) -> Iterator[list[Variables]]:
    """The variables of `count` buckets, or folders, of the stack's kind of store, by default on its S3 server; removed
    afterwards."""
    names = [f"rig-{os.getpid()}-{number}" for number in itertools.islice(_numbers, count)]
    with KINDS[stack.get(KIND, "s3")](stack, names) as variables:
        yield variables


@contextmanager
def _on_s3(stack: Mapping[str, str], names: list[str]) -> Iterator[list[Variables]]:
    store = S3Server(Home(Path(stack["GLAD_HOME"])))
    for name in names:
        store.prepare_bucket(name)
    common = {name: value for name, value in stack.items() if name.startswith("AWS_")}
    try:
        yield [{**common, "AWS_S3_BUCKET": name} for name in names]
    finally:
        for name in names:
            with suppress(Exception):
                store.client().delete_bucket(Bucket=name)


@contextmanager
def _on_supabase(_: Mapping[str, str], names: list[str]) -> Iterator[list[Variables]]:
    """On a server in this process, which outlives those that are killed."""
    buckets = {name: supabase_server.Bucket(public=True) for name in names}
    with supabase_server.serving(supabase_server.Supabase(buckets=buckets)) as supabase:
        common = {KIND: "supabase", "SUPABASE_URL": supabase.url, "SUPABASE_KEY": supabase_server.SECRET}
        yield [{**common, "GLAD_SUPABASE_BUCKET": name} for name in names]


@contextmanager
def _in_folders(_: Mapping[str, str], names: list[str]) -> Iterator[list[Variables]]:
    with ExitStack() as resources:
        places = [resources.enter_context(shown_volume()) for _ in names]
        yield places
        for place in places:  # a process that was killed may have been in the middle of a file, on another thread
            top = os.open(place["GLAD_VOLUME"], os.O_RDONLY | os.O_DIRECTORY)
            sweep(top, time.time() + OLD + 1)  # as who writes later does
            os.close(top)
            left = [file.name for file in Path(place["GLAD_VOLUME"], "tmp").glob("*") if "lock-" not in file.name]
            assert not left, f"tmp holds more than locks: {left}"


@contextmanager
def shown_volume() -> Iterator[Variables]:
    """The variables of a folder that a file server of this process shows; both gone afterwards."""
    with TemporaryDirectory(prefix="rig-volume-") as root, FileServer(root, 0) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        yield {
            KIND: "volume",
            "GLAD_VOLUME": root,
            "GLAD_PUBLIC_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}",
        }
        server.shutdown()
        serving.join()


KINDS: dict[str, Callable[[Mapping[str, str], list[str]], AbstractContextManager[list[Variables]]]] = {
    "s3": _on_s3,
    "supabase": _on_supabase,
    "volume": _in_folders,
}
