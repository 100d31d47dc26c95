"""The studio's pictures: listed and filtered, one with its lineage, its file, drawn again."""

import hashlib
import json
import logging
import time

import httpx2
import numpy as np
import pytest

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.media.encoding import encode_png
from glad_pipeline.operations.gallery import GalleryImage, ImageLineage
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.records import Prompt
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.opening import open_store
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.studio_rows import image_in, prompt_in, sql

IMAGES = "/api/studio/images"


@pytest.fixture
def reader(client_with):
    return client_with("read")


def ids(client, **asked):
    answer = client.get(IMAGES, params=asked)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


def image_of(database, prompt_id):
    return sql(database, "SELECT image_id FROM prompts WHERE id = %s", prompt_id)[0]["image_id"]


def test_pictures_are_listed_newest_first_with_their_prompt_and_found_by_what_is_asked(reader, database):
    [post] = sql(
        database,
        "INSERT INTO posts (title, slug, content, status) VALUES ('Dawn', 'dawn', 'c', 'published') RETURNING id",
    )
    published = prompt_in(database, "published", title="A Harbour", category="Sea")
    sql(database, "UPDATE prompts SET published_post_id = %s WHERE id = %s", post["id"], published)
    ready, waits = prompt_in(database, "ready"), prompt_in(database, "awaiting_approval")
    unused, removed = image_in(database, 901), image_in(database, 902)
    sql(database, "UPDATE images SET removed_at = now(), removed_reason = 'a complaint' WHERE id = %s", removed)
    sql(database, "UPDATE images SET model = 'other' WHERE id = %s", unused)
    of = {name: image_of(database, each) for name, each in (("p", published), ("r", ready), ("w", waits))}
    assert ids(reader) == [removed, unused, of["w"], of["r"], of["p"]]
    states = {"published": of["p"], "ready": of["r"], "waiting": of["w"], "unused": unused, "removed": removed}
    for state, image in states.items():
        assert ids(reader, state=state) == [image]
    assert ids(reader, model="other") == [unused]
    assert ids(reader, category="Sea") == ids(reader, text="harbour") == [of["p"]]
    assert ids(reader, since="2099-01-01T00:00:00Z") == []
    assert ids(reader, until="2000-01-01T00:00:00Z") == []
    assert len(ids(reader, stale=True)) == 5  # no revision of these rows is today's
    assert ids(reader, stale=False) == []
    first = reader.get(IMAGES, params={"limit": 2}).json()
    assert ids(reader, limit=2, after=first["meta"]["after"]) == [of["w"], of["r"]]
    [shown] = reader.get(IMAGES, params={"state": "published"}).json()["data"]
    assert shown.keys() == GalleryImage.__dataclass_fields__.keys()
    assert (shown["prompt_id"], shown["title"], shown["post_path"]) == (published, "A Harbour", "/posts/dawn")
    assert shown["picture"]["srcset"]["webp"].endswith("32w")
    [gone] = reader.get(IMAGES, params={"state": "removed"}).json()["data"]
    assert (gone["picture"], gone["removed_reason"]) == (None, "a complaint")
    assert reader.get(IMAGES, params={"state": "lost"}).status_code == 422


def test_one_picture_has_its_whole_lineage(reader, database):
    published = prompt_in(database, "published", title="A Harbour")
    image = image_of(database, published)
    found = reader.get(f"{IMAGES}/{image}").json()["data"]
    assert found.keys() == ImageLineage.__dataclass_fields__.keys()
    assert found["image"]["recipe"] == {"seed": 5}
    assert [each["id"] for each in found["prompts"]] == [published]
    assert [each["width"] for each in found["renditions"]] == [16, 32]
    assert found["picture"]["thumbnail"].endswith("-256.webp")
    assert reader.get(f"{IMAGES}/999").status_code == 404


def drawn_in(database, settings):
    """A picture whose record says that the demo model has drawn it, of noise; its id and bytes."""
    recipe = Sdxl(options=EngineOptions(), log=logging.getLogger()).recipe(
        Prompt(id=1, prompt="a lake", seed=7, width=64, height=64, num_inference_steps=1)
    )
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    png = encode_png(noise, text={})
    key = original_key(recipe.hash)
    store = open_store(settings)
    store.put_once(key, png, content_type="image/png", metadata={})
    image = image_in(database, 77)
    sql(
        database,
        """UPDATE images SET key = %s, recipe_hash = %s, recipe = %s, sha256 = %s, bytes = %s, width = 64, height = 64,
               model_revision = %s, thumbnail_key = NULL WHERE id = %s""",
        *(key, recipe.hash, json.dumps(recipe.as_dict()), hashlib.sha256(png).hexdigest(), len(png)),
        *(recipe.model_revision, image),
    )
    return image, png


def test_a_file_is_read_from_the_store_for_who_may_see_it_and_kept_by_nobody(reader, database, settings, client_with):
    image, png = drawn_in(database, settings)
    answer = reader.get(f"{IMAGES}/{image}/file")
    assert (answer.content, answer.headers["content-type"]) == (png, "image/png")
    assert answer.headers["cache-control"] == "private, no-store"
    [copy] = sql(database, "SELECT key FROM renditions WHERE image_id = %s AND width = 32", image)
    open_store(settings).put_once(copy["key"], b"small", content_type="image/webp", metadata={})
    assert reader.get(f"{IMAGES}/{image}/file?size=20").content == b"small"
    for size in ("10", "4000", "thumbnail"):  # a copy that is lost, none so wide, no thumbnail: the original
        assert reader.get(f"{IMAGES}/{image}/file?size={size}").content == png
    for size in ("0", "-1", "x", "../x", "999999"):
        assert reader.get(f"{IMAGES}/{image}/file", params={"size": size}).status_code == 422
    assert client_with().get(f"{IMAGES}/{image}/file").status_code == 401
    assert client_with("submit").get(f"{IMAGES}/{image}/file").status_code == 403
    lost = image_in(database, 78)
    assert reader.get(f"{IMAGES}/{lost}/file").status_code == 404
    sql(database, "UPDATE images SET removed_at = now(), removed_reason = 'a complaint' WHERE id = %s", image)
    assert reader.get(f"{IMAGES}/{image}/file").status_code == 410


def ended(client, answer):
    """The job, once it is over."""
    until = time.monotonic() + 120
    while answer.status_code == 202 and time.monotonic() < until:
        time.sleep(0.5)
        answer = client.get(f"/api/studio/jobs/{answer.json()['data']['id']}")
        if answer.json()["data"]["state"] == "running":
            answer.status_code = 202
    return answer.json()["data"]


def test_a_picture_is_drawn_again_in_a_process_of_its_own_and_compared(client_with, database, settings):
    image, _ = drawn_in(database, settings)
    client = client_with("review")
    job = ended(client, client.post(f"{IMAGES}/reproduce", json={"image": str(image)}))
    assert job["state"] == "done", job
    assert job["result"]["bit_equal"] is False
    assert job["result"]["difference"]["share"] > 0.5
    assert client.post(f"{IMAGES}/reproduce", json={"image": "999"}).status_code == 404
    assert client_with("submit").post(f"{IMAGES}/reproduce", json={"image": str(image)}).status_code == 403


def test_what_cannot_be_drawn_again_says_why(client_with, database):
    lost = image_in(database, 78)
    sql(database, "UPDATE images SET recipe = %s WHERE id = %s", "{}", lost)
    client = client_with("review")
    answer = client.post(f"{IMAGES}/reproduce", json={"image": str(lost)})
    if answer.status_code == 202:
        assert ended(client, answer)["problem"].startswith("glad reproduce: ")
    else:
        assert (answer.status_code, answer.json()["detail"].startswith("glad reproduce: ")) == (409, True)


def test_which_pictures_are_stale_is_not_known_without_the_model(settings, client_with):
    headers = client_with("read").headers
    with served(settings.model_copy(update={"model": "/nowhere"})) as address:
        answer = httpx2.get(f"{address}{IMAGES}?stale=true", headers=headers)
        assert answer.status_code == 409
        assert "stale" in answer.json()["detail"]
