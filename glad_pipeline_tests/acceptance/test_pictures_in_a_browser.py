"""`glad demo` on each kind of store: its gallery in headless Chromium, which loads the renditions of every post."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from glad_pipeline_tests import supabase_server
from glad_pipeline_tests.acceptance.conftest import Machine, browser  # noqa: F401  a fixture
from glad_pipeline_tests.acceptance.test_demo import TITLES
from glad_pipeline_tests.leftovers import left_running
from glad_pipeline_tests.supabase_server import Supabase

LOADED = """async () => {
    const found = [];
    for (const image of document.images) {
        image.scrollIntoView();
        await new Promise(done => image.complete ? done() : (image.onload = image.onerror = done));
        found.push({ shown: image.currentSrc, width: image.naturalWidth, original: image.src });
    }
    return found;
}"""


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["s3", "supabase", "volume"])
def test_the_pictures_of_the_demo_s_posts_load_in_a_browser(tmp_path, browser, kind):  # noqa: F811
    settings = {"GLAD_RENDITIONS": "webp,avif", "GLAD_STORE": kind, "GLAD_HOME": str(tmp_path / "home")}
    with supabase_server.serving(Supabase()) if kind == "supabase" else nullcontext() as supabase:
        if supabase:
            settings |= {"SUPABASE_URL": supabase.url, "SUPABASE_KEY": supabase_server.SECRET}
        machine = Machine(tmp_path / "home", settings)
        try:
            said = machine.glad("demo", timeout=600)
            assert f"{len(TITLES)} published" in said
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto((machine.home / "gallery.html").as_uri())
            found = page.evaluate(LOADED)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=str(Path(tmp_path, "gallery.png")), full_page=True)
            page.close()
        finally:
            machine.glad("down")
        assert left_running(machine.home) == []
    assert len(found) == len(TITLES)
    assert [each for each in found if not each["width"]] == []
    assert [each for each in found if not each["shown"].endswith(".avif")] == []  # the best that a browser knows
    if supabase:
        assert all(each["shown"].startswith(f"{supabase.url}/storage/v1/object/public/images/") for each in found)
