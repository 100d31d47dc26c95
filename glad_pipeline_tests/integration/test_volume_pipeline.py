"""The whole graph with its pictures in a folder: runs, audit, rebuild, takedown; a volume that is not mounted."""

from pathlib import Path

import pytest

from glad_pipeline import cli
from glad_pipeline.cli.runtime import require_together
from glad_pipeline.database import Database
from glad_pipeline.diagnosis import Level
from glad_pipeline.errors import GladError
from glad_pipeline.operations.audit.rebuild import rebuild
from glad_pipeline.operations.doctor.checks import CHECKS
from glad_pipeline.operations.doctor.examination import Deployment, examine
from glad_pipeline.pipeline.store_check import require_store, under_a_lock
from glad_pipeline.settings import load_settings
from glad_pipeline.storage import volume as room
from glad_pipeline.storage import volume_probe
from glad_pipeline.storage.opening import open_store
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.faults.stores import shown_volume
from glad_pipeline_tests.integration.store_contract import visited
from glad_pipeline_tests.integration.test_graph import World, failures

LARGE = InstantSdxl(side=300)  # its pictures have thumbnails


class VolumeWorld(World):
    @property
    def store(self):
        return open_store(load_settings())


@pytest.fixture
def variables():
    with shown_volume() as variables:
        yield variables


@pytest.fixture
def world(migrated_url, variables, monkeypatch, tmp_path):
    for name, value in {**variables, "DATABASE_URL": migrated_url, "GLAD_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    world = VolumeWorld(migrated_url)
    yield world
    world.connection.close()


def keys(world, prefix=""):
    return [listed.key for listed in world.store.listing(prefix)]


def examined(world):
    """What the doctor says of a folder and of its pictures, but for what is not tested."""
    database = Database(load_settings().database_url.get_secret_value())
    checks = [each for each in CHECKS if each.name in ("database", "schema", "store", "together", "public")]
    with database:
        deployment = Deployment(settings=load_settings(), own_database=database, own_store=world.store)
        return [each for each in examine(deployment, checks) if each.level is not Level.OK]


def test_pictures_are_published_audited_mended_rebuilt_and_taken_down(world, capsys):
    assert [(each.check, each.level) for each in examined(world)] == [("public: visit", Level.NOT_TESTED)]
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}", seed=n)
    world.run(sdxl=LARGE)
    assert world.statuses() == ["published"] * 3
    urls = [post["featured_image_url"] for post in world.posts()]
    assert [visited(url)[0] for url in urls] == [200] * 3
    assert not [each for each in examined(world) if each.level is Level.ERROR]
    assert cli.main(["audit", "--deep", "--grace", "0s"]) == 0

    originals = [key for key in keys(world, "generated/") if key.endswith(".png")]
    world.store.delete([originals[0]])
    world.store.put_once("generated/ab/" + "ab" * 16 + ".png", b"nobody's", content_type="image/png", metadata={})
    assert cli.main(["audit", "--fix", "--grace", "0s", "--at-most", "5"]) in (0, 1)
    assert f"quarantine/generated/ab/{'ab' * 16}.png" in keys(world)
    world.run(sdxl=LARGE)
    assert cli.main(["audit", "--grace", "0s"]) == 0

    before = sorted(row["key"] for row in world.sql("SELECT key FROM images"))
    world.sql("TRUNCATE images CASCADE")
    with Database(load_settings().database_url.get_secret_value()) as database:
        assert rebuild(database, world.store).recorded == 3
    assert sorted(row["key"] for row in world.sql("SELECT key FROM images")) == before

    slug = world.posts()[0]["slug"]
    shown = world.posts()[0]["featured_image_url"]
    key = next(key for key in before if shown.endswith(key))
    assert cli.main(["images", "delete", key, "--reason", "a test"]) == 0, capsys.readouterr()
    assert visited(shown)[0] == 404, slug
    assert not [left for left in keys(world) if left.startswith(key.removesuffix(".png"))]


def test_a_volume_that_is_mounted_elsewhere_is_the_same_and_each_run_tells_what_threatens_it(
    world, variables, monkeypatch, capsys
):
    world.add("a hill", title="Hill", seed=1)
    world.run()
    [key] = [row["key"] for row in world.sql("SELECT key FROM images")]
    root = Path(variables["GLAD_VOLUME"])
    away = root.with_name(f"{root.name}.away")
    root.rename(away)
    monkeypatch.setenv("GLAD_VOLUME", str(away))
    monkeypatch.setattr(room, "_marks", {})  # as a process sees it that has just been started
    monkeypatch.setattr(volume_probe, "LITTLE", 1 << 80)
    told = []
    try:
        assert cli.main(["migrate", "--adopt"]) == 0, capsys.readouterr().err
        with Database(load_settings().database_url.get_secret_value()) as database:
            for _ in range(2):
                require_store(database, world.store, exclusively=under_a_lock(database), tell=told.append)
        assert cli.main(["images", "delete", key, "--reason", "a test"]) == 0, capsys.readouterr().err
        assert not [left for left in keys(world) if left.startswith("generated/")]
    finally:
        away.rename(root)
    assert [each.startswith("only ") for each in told] == [True] * 2


def test_a_volume_that_is_not_mounted_is_no_loss_of_all_pictures(world, variables, monkeypatch, capsys):
    world.add("a hill", title="Hill", seed=1)
    world.run()
    [post] = world.posts()
    world.add("a sea", title="Sea", seed=2)
    root = Path(variables["GLAD_VOLUME"])
    away = root.with_name(f"{root.name}.away")
    root.rename(away)
    root.mkdir()
    monkeypatch.setattr(room, "_marks", {})  # as a process sees it that has just been started
    try:
        result = world.run(expect_success=False)
        assert "the volume is not mounted. Mount it" in failures(result)
        assert cli.main(["audit"]) != 0
        assert "the volume is not mounted" in capsys.readouterr().err
        assert cli.main(["prompts", "add", "a moor", "--title", "Moor"]) == 0  # it waits for the volume
        assert "a run could not store pictures: " in capsys.readouterr().err
        with pytest.raises(GladError, match="the volume is not mounted"):
            require_together(load_settings().database_url.get_secret_value(), load_settings())
        assert [each.check for each in examined(world) if "is not mounted" in each.text] == ["together"]
        assert list(root.iterdir()) == []
    finally:
        root.rmdir()
        away.rename(root)
    assert world.statuses() == ["published", "pending", "pending"]
    assert world.posts() == [post]
    world.run()
    assert world.statuses() == ["published"] * 3


def test_a_folder_that_is_not_there_is_said_before_anything_is_promised_whoever_shows_it(
    world, variables, monkeypatch, capsys
):
    missing = f"{variables['GLAD_VOLUME']}-missing"
    monkeypatch.setenv("GLAD_VOLUME", missing)
    for shown in (variables["GLAD_PUBLIC_BASE_URL"], ""):
        monkeypatch.setenv("GLAD_PUBLIC_BASE_URL", shown)
        for command in (["up"], ["demo", "--yes"]):
            assert cli.main(command) == 1
            assert f"in the folder {missing}: it does not exist" in capsys.readouterr().err
    monkeypatch.setenv("GLAD_PUBLIC_BASE_URL", variables["GLAD_PUBLIC_BASE_URL"])
    assert cli.main(["prompts", "add", "a hill", "--title", "Hill"]) == 0
    said = capsys.readouterr().err
    assert "a run could not store pictures: " in said
    assert f"in the folder {missing}: it does not exist: create it" in said
    assert world.statuses() == ["pending"]
