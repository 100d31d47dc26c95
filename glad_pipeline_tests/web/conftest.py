"""One site for each worker: PostgreSQL, bucket, gateway and the packed site, and a real browser.

Without Node.js or without a browser the tests that need it are left out, which is said. What tests of different files
publish lies beside one another in one database: a test looks for what it has added, by a name of its own.
"""

import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from glad_pipeline.local.node import OLDEST, find_node
from glad_pipeline_tests.acceptance.conftest import browser  # noqa: F401
from glad_pipeline_tests.web.site import WEB, archive_of_these_sources, serving


@pytest.fixture(scope="session")
def archive() -> Path:
    """The packed site of these sources."""
    if find_node(Path(sys.prefix)) is None:
        pytest.skip(f"no Node.js {'.'.join(map(str, OLDEST))} or newer on this machine: the web was not tested")
    return archive_of_these_sources()


@pytest.fixture(scope="session")
def serve(archive, stack, migrated_template, tmp_path_factory):
    """`with serve(GLAD_…="…") as site:` a site over a database of its own, with these settings; all in one bucket."""
    from glad_pipeline.local.home import Home
    from glad_pipeline.local.object_store import S3Server

    bucket = f"web-{uuid.uuid4().hex[:12]}"
    S3Server(Home(Path(stack["GLAD_HOME"]))).prepare_bucket(bucket)
    store = {key: value for key, value in stack.items() if key.startswith("AWS_")} | {"AWS_S3_BUCKET": bucket}

    @contextmanager
    def serve(**settings):
        name = f"web_{uuid.uuid4().hex[:12]}"
        url = stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}"
        with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
            try:
                with serving(archive, url, store, tmp_path_factory.mktemp("web"), **settings) as site:
                    yield site
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    return serve


@pytest.fixture(scope="session")
def site(serve):
    """A running site with nothing on it yet."""
    with serve() as site:
        yield site


# What a look in another scheme waits for: colours that pass over into others, and those that begin to where these end.
SETTLED = """async () => { for (let calm = 0; calm < 2;) {
    await new Promise(requestAnimationFrame);
    calm = document.getAnimations().some((each) => each instanceof CSSTransition) ? 0 : calm + 1; } }"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, for `page.evaluate`: `axe.run()` then says what keeps people out."""
    try:
        import axe_playwright_python
    except ImportError:
        return (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
