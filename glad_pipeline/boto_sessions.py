"""boto3 sessions that share what botocore knows of AWS."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.loaders import Loader


def new_session(**given: str | None) -> Session:
    """A boto3 session of these arguments. What botocore knows of AWS is parsed once in a process: two megabytes of
    JSON, which each session would else read again for its first client."""
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    loader = _loader()
    core.register_component("data_loader", loader)
    session = boto3.session.Session(botocore_session=core, **given)
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # each session has added boto3's own
    return session


@cache
def _loader() -> Loader:
    import botocore.session

    loader: Loader = botocore.session.get_session().get_component("data_loader")
    return loader
