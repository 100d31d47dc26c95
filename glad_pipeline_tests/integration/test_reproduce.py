"""`glad reproduce` on the real stack: posts drawn by the demo model, drawn again, and compared with their record."""

import json
import shutil
import uuid
from dataclasses import replace

import dagster as dg
import numpy as np
import psycopg
import pytest
from PIL import Image
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from glad_pipeline import cli
from glad_pipeline.cli.runtime import store_of
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import UsageError
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media.encoding import decode_png, encode_png, pixels_sha256
from glad_pipeline.operations import reproduce
from glad_pipeline.settings import Settings, load_settings
from glad_pipeline_tests.checkpoint_files import any_lora, single_file

BUCKET = 2


@pytest.fixture(scope="module")
def published(stack, tmp_path_factory):
    """The environment of a database and a bucket in which two pictures by the demo model are published."""
    from glad_pipeline.local.home import Home
    from glad_pipeline.local.object_store import S3Server

    name = f"test_{uuid.uuid4().hex[:12]}"
    bucket = name.replace("_", "-")
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}"
    S3Server(Home(stack_home := Settings(GLAD_HOME=stack["GLAD_HOME"], _env_file=None).home)).prepare_bucket(bucket)
    environment = {name: value for name, value in stack.items() if name.startswith("AWS_")} | {
        "DATABASE_URL": url,
        "DAGSTER_DATABASE_URL": stack["DAGSTER_DATABASE_URL"],
        "AWS_S3_BUCKET": bucket,
        "GLAD_HOME": str(stack_home),
        "GLAD_GPU_BATCH": str(BUCKET),
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO prompts (prompt, title, slug, seed, num_inference_steps) VALUES"
                " ('sunset over the sea 🌅', 'Sunset', 'sunset', 1, 4), ('a forest', 'Forest', 'forest', 2, 4)"
            )
            connection.execute(
                "INSERT INTO posts (title, slug, content, featured_image_url) VALUES"
                " ('Mine', 'mine', 'c', 'https://example.com/holiday.jpg'), ('Bare', 'bare', 'c', NULL)"
            )
        defs = build_defs(resource_overrides={"sdxl": SdxlResource(backend="process", device="cpu", gpu_batch=BUCKET)})
        with dg.DagsterInstance.ephemeral() as instance:
            assert defs.resolve_job_def("publish_prompts").execute_in_process(instance=instance).success
    yield environment
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def world(published, monkeypatch):
    for name, value in published.items():
        monkeypatch.setenv(name, value)
    return World(published["DATABASE_URL"])


class World:
    def __init__(self, url):
        self.url = url

    def sql(self, statement, *values):
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def image(self, slug="sunset"):
        return self.sql(
            "SELECT * FROM images WHERE url = (SELECT featured_image_url FROM posts WHERE slug = %s)", slug
        )[0]

    def record(self, target="sunset"):
        with Database(self.url) as database:
            return reproduce.record_of(str(target), database, store_of(load_settings()))

    def edited(self, monkeypatch, **columns):
        """The record of `sunset` with some columns of its row changed, for this test only."""
        image = self.image()
        pairs = ", ".join(f"{name} = %s" for name in columns)
        values = [Jsonb(value) if isinstance(value, dict) else value for value in columns.values()]
        self.sql(f"UPDATE images SET {pairs} WHERE id = %s", *values, image["id"])
        before = [Jsonb(image[name]) if isinstance(image[name], dict) else image[name] for name in columns]
        restored = (f"UPDATE images SET {pairs} WHERE id = %s", *before, image["id"])
        try:
            return self.record()
        finally:
            self.sql(*restored)


def test_a_demo_post_is_bit_equal_and_nothing_differs(world, capsys):
    assert cli.main(["reproduce", "sunset"]) == 0
    shown = capsys.readouterr().out
    assert "bit-equal: all 65,536 pixels are the same" in shown
    assert "components  as recorded" in shown
    assert "DISAGREES" not in shown


def test_after_the_scheduler_s_version_has_changed_in_the_record_it_says_so(world, monkeypatch, capsys):
    image = world.image()
    changed = image["provenance"] | {"scheduler": image["provenance"]["scheduler"] | {"version": "0.1.0"}}
    record = world.edited(monkeypatch, provenance=changed)
    outcome = reproduce.reproduce(record, load_settings())
    assert outcome.bit_equal
    (difference,) = outcome.components.differing
    assert (difference.name, difference.recorded) == ("scheduler.version", "0.1.0")
    assert f"scheduler.version: 0.1.0 → {difference.now}" in str(outcome)


def test_every_name_of_a_picture_leads_to_it(world):
    image, (post,) = world.image(), world.sql("SELECT id, featured_image_url FROM posts WHERE slug = 'sunset'")
    names = (
        image["id"],
        image["key"],
        image["url"],
        image["url"] + "?width=300",
        image["key"].replace(".png", "-256.webp"),
        post["id"],
        str(post["id"]).upper(),
        "sunset",
    )
    found = [world.record(name) for name in names]
    assert {record.recipe.hash for record in found} == {image["recipe_hash"]}
    assert {record.sha256 for record in found} == {image["sha256"]}
    assert {record.pixels_sha256 for record in found} == {pixels_sha256(decode_png(found[0].data))}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("mine", "'https://example.com/holiday.jpg', which is not in the catalogue"),
        ("bare", "has no picture"),
        ("nowhere", "no post, no image and no file 'nowhere'"),
        ("999999", "no post, no image and no file '999999'"),
        ("9" * 5_000, "no post, no image and no file"),
        (str(uuid.UUID(int=0)), "no post, no image and no file"),
        ("generated/ab/" + "ab" * 16 + ".png", "the catalogue has no picture generated/ab"),
        ("https://example.com/x.jpg", "no post, no image and no file"),
        ("no/such.png", "no post, no image and no file"),
        ("a'; DROP TABLE posts", "no post, no image and no file"),
    ],
)
def test_what_is_not_there_is_told_and_ends_with_2(world, target, told, capsys):
    assert cli.main(["reproduce", target]) == 2
    assert told in capsys.readouterr().err


def test_another_picture_differs_in_numbers_and_ends_with_1(world, monkeypatch, capsys, tmp_path):
    image = world.image()
    record = world.edited(monkeypatch, recipe=image["recipe"] | {"seed": 99})
    monkeypatch.setattr(reproduce, "record_of", lambda *_: record)
    assert cli.main(["reproduce", "sunset", "--json", "--save", str(tmp_path / "new.png")]) == 1
    told = json.loads(capsys.readouterr().out)
    stored, new = decode_png(record.data).astype(float), np.asarray(Image.open(tmp_path / "new.png")).astype(float)
    assert not told["bit_equal"]
    assert told["difference"]["largest"] == np.abs(stored - new).max()
    assert told["difference"]["mean"] == pytest.approx(np.abs(stored - new).mean())
    assert told["difference"]["share"] == pytest.approx((stored != new).any(axis=2).mean())
    assert told["difference"]["psnr"] == pytest.approx(10 * np.log10(255**2 / ((stored - new) ** 2).mean()))
    assert reproduce.record_of_file(tmp_path / "new.png").recipe.seed == 99


def test_it_draws_in_the_recorded_bucket(world, monkeypatch):
    record = world.edited(monkeypatch, provenance=world.image()["provenance"] | {"bucket": BUCKET + 1})
    outcome = reproduce.reproduce(record, load_settings())
    assert outcome.provenance["bucket"] == BUCKET + 1
    assert "bucket" not in {difference.name for difference in outcome.components.differing}


def test_a_model_that_has_changed_since_draws_and_is_told(world, monkeypatch):
    record = world.edited(monkeypatch, recipe=world.image()["recipe"] | {"model_revision": "sha256:" + "0" * 64})
    outcome = reproduce.reproduce(record, load_settings())
    assert outcome.bit_equal
    assert [difference.name for difference in outcome.components.differing] == ["model_revision"]


def test_a_local_model_that_is_not_here_is_asked_for_and_may_be_given(world, monkeypatch):
    record = world.edited(monkeypatch, recipe=world.image()["recipe"] | {"model": "my-model"})
    with pytest.raises(UsageError, match=r"local model 'my-model'.*--model"):
        reproduce.reproduce(record, load_settings())
    outcome = reproduce.reproduce(record, load_settings(), model="demo")
    assert outcome.bit_equal
    assert [difference.name for difference in outcome.components.differing] == ["model"]


def test_parts_are_found_by_the_record_s_names_on_the_hub_and_in_the_settings(tmp_path, monkeypatch):
    """Nothing is loaded here: what would be is named exactly as the record names it."""
    vae = shutil.copytree(DEMO_CHECKPOINT / "vae", tmp_path / "my vae")
    lora = tmp_path / "a style.safetensors"
    any_lora(lora)
    commit = "c" * 40
    loras = f"{lora}*0.5, owner/name/file.safetensors@{commit}"
    drawn_with = resolve_model(EngineOptions(model="owner/model", model_revision=commit, vae=str(vae), lora=loras))
    values = {"prompt": "p", "seed": 1, "width": 64, "height": 64, "num_inference_steps": 4, "guidance_scale": 1.0}
    recipe = Recipe(**values, scheduler="euler", **reproduce._named(drawn_with.weights))
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"my vae@sha256:.*GLAD_VAE"):
        reproduce._profile(recipe, load_settings(), None)
    monkeypatch.setenv("GLAD_VAE", str(vae))
    with pytest.raises(UsageError, match=r"a style@sha256:.*GLAD_LORA"):
        reproduce._profile(recipe, load_settings(), None)
    monkeypatch.setenv("GLAD_LORA", f"{lora}*0.9")
    assert reproduce._profile(recipe, load_settings(), None).weights == recipe.weights
    few_steps = replace(recipe, preset="lcm-4", vae="", lora="")
    assert reproduce._profile(few_steps, load_settings(), None).weights == few_steps.weights


def test_a_single_file_its_configuration_and_its_prediction_are_found_again(tmp_path, monkeypatch):
    """Nothing is loaded here: what would be is named exactly as the record names it."""
    file = single_file(DEMO_CHECKPOINT, tmp_path / "my model.safetensors")
    config, commit = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "configuration"), "c" * 40
    values = {"prompt": "p", "seed": 1, "width": 64, "height": 64, "num_inference_steps": 4, "guidance_scale": 1.0}
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    monkeypatch.setenv("GLAD_MODEL", str(file))

    def recorded(**options):
        drawn_with = resolve_model(EngineOptions(**options))
        return Recipe(**values, scheduler="euler", **reproduce._named(drawn_with.weights))

    for options in (
        {"model": str(file)},
        {"model": str(file), "prediction": "v_prediction", "checkpoint_config": f"owner/configuration@{commit}"},
        {"model": f"owner/name/deep/file.safetensors@{commit}", "prediction": "v_prediction_zsnr"},
    ):
        recipe = recorded(**options)
        assert reproduce._profile(recipe, load_settings(), None).weights == recipe.weights
    link = tmp_path / "a link.safetensors"
    link.symlink_to(file)
    monkeypatch.setenv("GLAD_MODEL", str(link))
    recipe = recorded(model=str(link))
    assert recipe.model == "a link"
    assert reproduce._profile(recipe, load_settings(), None).weights == recipe.weights
    monkeypatch.setenv("GLAD_MODEL", str(file))
    local = recorded(model=str(file), checkpoint_config=str(config))
    with pytest.raises(
        UsageError, match=r"local configuration \(sha256:.*\): name its directory in GLAD_CHECKPOINT_CONFIG"
    ):
        reproduce._profile(local, load_settings(), None)
    monkeypatch.setenv("GLAD_CHECKPOINT_CONFIG", str(config))
    assert reproduce._profile(local, load_settings(), None).weights == local.weights


def test_a_record_of_the_first_version_is_drawn_and_what_it_lacks_is_said_once(world, monkeypatch):
    device = world.image()["provenance"]["device"]
    record = world.edited(monkeypatch, provenance={"device": device, "bucket": BUCKET}, pixels_sha256=None)
    outcome = reproduce.reproduce(record, load_settings())
    assert outcome.bit_equal
    assert outcome.components.differing == ()
    assert {"scheduler", "torch", "dtype"} <= set(outcome.components.not_recorded)
    assert str(outcome).count("scheduler") == 1


def test_a_record_that_disagrees_with_the_stored_file_is_told(world, monkeypatch):
    record = world.edited(monkeypatch, sha256="0" * 64, pixels_sha256="1" * 64)
    outcome = reproduce.reproduce(record, load_settings())
    assert [said.partition(" 0000")[0].partition(" 1111")[0] for said in outcome.contradictions] == [
        "SHA-256 of the file",
        "pixel hash",
    ]
    assert str(outcome).count("DISAGREES") == 2


def test_a_picture_that_the_store_has_lost_is_told(world, monkeypatch, capsys):
    image = world.image("forest")
    store = store_of(load_settings())
    data = store.fetch(image["key"])
    store.client.delete_object(Bucket=store.bucket, Key=image["key"])
    try:
        assert cli.main(["reproduce", "forest"]) == 2
        assert "in the catalogue but not in bucket" in capsys.readouterr().err
    finally:
        store.put_once(image["key"], data, content_type="image/png", metadata={})


def test_a_png_file_is_drawn_again_from_its_own_record_and_needs_no_server(world, monkeypatch, tmp_path, capsys):
    file = tmp_path / "picture.png"
    file.write_bytes(world.record().data)
    for variable in ("DATABASE_URL", "AWS_S3_BUCKET", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GLAD_HOME", str(tmp_path / "home"))
    assert cli.main(["reproduce", str(file)]) == 0
    assert "bit-equal" in capsys.readouterr().out
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "carries no recipe"),
        (b"GIF89a", "carries no recipe"),
        (encode_png(np.zeros((8, 8, 3), np.uint8), text={}), "carries no recipe"),
        (encode_png(np.zeros((8, 8, 3), np.uint8), text={"glad_recipe": "{"}), "cannot be read"),
        (encode_png(np.zeros((8, 8, 3), np.uint8), text={"glad_recipe": "[]"}), "cannot be read"),
        (encode_png(np.zeros((8, 8, 3), np.uint8), text={"glad_recipe": "{}"}), "not a recipe"),
    ],
    ids=["empty", "gif", "foreign", "half", "list", "no fields"],
)
def test_a_file_without_a_record_is_told(tmp_path, data, told, capsys):
    (tmp_path / "x.png").write_bytes(data)
    assert cli.main(["reproduce", str(tmp_path / "x.png")]) == 2
    assert told in capsys.readouterr().err


def test_a_place_to_save_that_is_not_there_is_told_before_anything_is_drawn(tmp_path, capsys):
    assert cli.main(["reproduce", "sunset", "--save", str(tmp_path / "no" / "new.png")]) == 2
    assert "--save" in capsys.readouterr().err
