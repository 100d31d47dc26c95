"""The graph, audit, rebuild, takedown, spool and doctor on Supabase Storage."""

import threading
from datetime import timedelta

import pytest

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.operations.audit.rebuild import rebuild
from glad_pipeline.operations.audit.walk import audit
from glad_pipeline.operations.doctor import of_store
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests import supabase_server
from glad_pipeline_tests.door import Door
from glad_pipeline_tests.integration.store_contract import visited
from glad_pipeline_tests.integration.test_graph import World, metadata
from glad_pipeline_tests.supabase_server import SECRET, Supabase

LARGE = InstantSdxl(side=300)  # its pictures have thumbnails


@pytest.fixture
def supabase():
    with supabase_server.serving(Supabase()) as served:
        yield served


@pytest.fixture
def door(supabase):
    door = Door(supabase.url)
    yield door
    door.shut()


@pytest.fixture
def world(migrated_url, supabase, door, tmp_path, monkeypatch):
    variables = {
        "DATABASE_URL": migrated_url,
        "SUPABASE_URL": door.url,
        "SUPABASE_KEY": SECRET,
        "GLAD_HOME": str(tmp_path),
        "GLAD_STORE_PATIENCE_SECONDS": "20",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    world = World(migrated_url)
    yield world
    world.connection.close()


@pytest.fixture
def problems(world, migrated_url):
    """What an audit finds, by kind."""

    def look(**options):
        with Database(migrated_url) as database:
            report = audit(database, world.store, grace=timedelta(0), at_most=100, **options)
        return {kind: finding.found for kind, finding in report.findings.items() if finding.found}

    return look


@pytest.fixture
def glad(capsys):
    def run(*arguments):
        code = cli.main([*arguments])
        out, error = capsys.readouterr()
        return code, out + error

    return run


def hills(world, count):
    for n in range(count):
        world.add(f"a hill {n}", title=f"Hill {n}")


def test_rows_become_posts_whose_pictures_anybody_sees_and_nothing_else(world, supabase, problems):
    hills(world, 3)
    world.run(sdxl=LARGE)
    assert world.statuses() == ["published"] * 3
    for post in world.posts():
        status, headers, body = visited(post["featured_image_url"])
        assert (status, headers["Content-Type"], body[:4]) == (200, "image/png", b"\x89PNG")
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert len(supabase.keys("images")) == 6
    assert supabase.keys("images-private") == [".glad/deployment.json"]
    assert problems(deep=True) == {}


@pytest.mark.parametrize(
    "key", [f"sb_secret_{'geheim' * 4}", supabase_server.jwt("service_role", signature="geheim" * 4)]
)
def test_a_key_that_is_refused_is_nowhere_in_what_a_run_leaves(world, monkeypatch, tmp_path, key, capfd):
    monkeypatch.setenv("SUPABASE_KEY", key)
    hills(world, 1)
    result = world.run(expect_success=False)
    told = str([event.event_specific_data for event in result.all_events]) + "".join(capfd.readouterr())
    told += str([world.sql(f"SELECT * FROM {table}") for table in ("prompts", "deployments", "run_reports")])
    told += "".join(file.read_text(errors="replace") for file in tmp_path.rglob("*") if file.is_file())
    assert "SUPABASE_KEY is not a key of this project" in told
    assert "geheim" not in told
    assert world.statuses() == ["pending"]


def test_an_audit_mends_a_bucket_in_disorder_and_a_lost_catalogue_is_rebuilt(world, supabase, problems, migrated_url):
    hills(world, 3)
    world.run(sdxl=LARGE)
    gone, damaged = [row["key"] for row in world.sql("SELECT key FROM images ORDER BY id LIMIT 2")]
    nobodys = original_key("ab" * 32)
    world.store.delete([gone, damaged])
    for key in (damaged, nobodys):
        world.store.put_once(key, b"no picture", content_type="image/png", metadata={})
    assert problems(deep=True, fix=True)
    quarantined = supabase.keys("images-private")
    assert {f"quarantine/{damaged}", f"quarantine/{nobodys}"} <= set(quarantined)
    assert [visited(world.store.url(key))[0] for key in quarantined] == [400] * len(quarantined)
    assert not {damaged, nobodys} & set(supabase.keys("images"))
    world.run(sdxl=LARGE)
    assert problems(deep=True) == {}
    before = world.sql("SELECT key, sha256, width FROM images ORDER BY key")
    world.sql("TRUNCATE images CASCADE")
    with Database(migrated_url) as database:
        assert rebuild(database, world.store).recorded == 3
    assert world.sql("SELECT key, sha256, width FROM images ORDER BY key") == before


def test_a_picture_that_is_taken_down_is_reachable_nowhere(world, supabase, glad):
    hills(world, 1)
    world.run(sdxl=LARGE)
    (image,) = world.sql("SELECT * FROM images")
    code, told = glad("posts", "unpublish", "hill-0", "--reason", "not ours to show")
    assert code == 0, told
    assert f"delete {image['key']}, {image['thumbnail_key']} from the bucket: done" in told
    assert [visited(image[name])[0] for name in ("url", "thumbnail_url")] == [400, 400]
    assert supabase.keys("images") == []


def test_a_removal_that_supabase_passes_over_in_silence_is_not_told_as_done(world, supabase, glad):
    hills(world, 1)
    world.run()
    supabase.powerless = True
    _, told = glad("posts", "unpublish", "hill-0", "--reason", "not ours to show")
    assert "SUPABASE_KEY may not delete" in told
    assert "from the bucket: done" not in told
    assert "waiting" in {
        row["status"] for row in world.sql("SELECT status FROM outbox WHERE last_error LIKE '%delete%'")
    }


def test_pictures_wait_in_the_spool_while_supabase_is_away(world, door):
    hills(world, 6)
    shut, back = threading.Event(), threading.Timer(1.5, door.open)

    class Watched(InstantSdxl):
        def generate(self, recipes, *, on_batch_start=lambda recipes: None):
            for picture in super().generate(recipes, on_batch_start=on_batch_start):
                if not shut.is_set():
                    shut.set()
                    door.shut()
                    back.start()
                yield picture

    result = world.run(sdxl=Watched())
    back.join()
    assert metadata(result, "generated_images")["drawn"] == 6
    assert world.statuses() == ["published"] * 6


def test_the_doctor_tells_of_a_bucket_that_is_right_wrong_and_of_a_key_that_is_none(world, supabase, monkeypatch):
    def doctor():
        return [each.in_words() for each in of_store.store(Deployment(settings=load_settings()))]

    assert any("a key is written once" in line for line in doctor())
    supabase.buckets["images"].public = False
    with pytest.raises(StoreError, match="make it public in Supabase's dashboard"):
        doctor()
    monkeypatch.setenv("SUPABASE_KEY", "sb_secret_another-projects-geheim")
    with pytest.raises(StoreError, match="SUPABASE_KEY is not a key of this project"):
        doctor()
