"""What the studio's form needs, and what a prompt would become before it is asked for."""

import shutil

import pytest

from glad_pipeline.gateway.studio_options import Options
from glad_pipeline.generation.models import DEMO_CHECKPOINT
from glad_pipeline.operations.checking import Checked
from glad_pipeline.operations.checking import check as look_at
from glad_pipeline.operations.choices import NVIDIA
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.gateway.studio_rows import prompt_in, sql

CHECK = "/api/studio/prompts/check"
OPTIONS = "/api/studio/options"


@pytest.fixture
def check(client_with, database):
    client = client_with("submit")

    def asked(**given):
        answer = client.post(CHECK, json={"prompt": "a quiet harbour", **given})
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"].keys() == Checked.__dataclass_fields__.keys()
        assert sql(database, "SELECT FROM prompts WHERE prompt LIKE 'a quiet%%'") == []
        return answer.json()["data"]

    return asked


def test_a_form_gets_the_model_its_presets_sizes_and_limits_and_the_blog_s_labels(client_with, database):
    sql(database, "INSERT INTO categories (name, slug) VALUES ('Nature', 'nature')")
    found = client_with("submit").get(OPTIONS).json()["data"]
    assert found.keys() == Options.__dataclass_fields__.keys()
    assert (found["model"]["name"], found["model"]["license"], found["model"]["is_demo"]) == (
        "demo",
        "Apache-2.0",
        True,
    )
    presets = {each["name"]: each for each in found["presets"]}
    assert (presets["base"]["num_inference_steps"], presets["base"]["guidance_scale"]) == (20, 3.0)
    assert presets["base"]["is_default"]
    assert presets["fast"]["num_inference_steps"] == 13
    assert presets["refined"]["problem"]  # the demo model has no refiner
    assert bool(presets["fp8"]["problem"]) is not NVIDIA.exists()
    sizes = {each["ratio"]: (each["width"], each["height"]) for each in found["sizes"]}
    assert (sizes["1:1"], sizes["16:9"], sizes["9:16"]) == ((256, 256), (336, 192), (192, 336))
    assert found["limits"]["chars"]["title"] == 255
    assert found["limits"]["side"] == {"low": 64, "high": 4096, "step": 8}
    assert [each["slug"] for each in found["blog"]["categories"]] == ["nature"]
    assert (found["dagster_url"], found["site_url"]) == (None, None)
    assert client_with("review").get(OPTIONS).status_code == 200
    assert client_with().get(OPTIONS).status_code == 401


def test_a_prompt_is_counted_by_the_model_s_own_tokenizers_and_nothing_is_written(check):
    found = check(negative_prompt="fog", title="Dawn")
    assert (found["is_possible"], found["problems"]) == (True, [])
    prompt, negative = found["texts"]
    assert (prompt["field"], prompt["of"], prompt["pieces"], prompt["is_estimate"]) == ("prompt", 75, 1, False)
    assert prompt["encoders"] == [prompt["tokens"]] * 2
    assert negative["tokens"] > 0
    assert found["would_be"] == {
        "becomes": "post",
        "width": 256,
        "height": 256,
        "num_inference_steps": 20,
        "guidance_scale": 3.0,
        "scheduler": "euler",
        "preset": "base",
        "model": "demo",
        "needs_approval": False,
        "publish_at": None,
    }
    assert check(publish="picture")["would_be"]["becomes"] == "picture"
    assert (
        check(preset="fast", size="512x256")["would_be"] | {"width": 512, "num_inference_steps": 13}
        == check(preset="fast", size="512x256")["would_be"]
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompt": " "}, "prompt"),
        ({"prompt": "a (red:99) hat", "prompt_syntax": "a1111"}, "weight"),
        ({"width": 4096, "height": 4096}, "pixels"),
        ({"preset": "refined"}, "refined"),
        ({"model": "/etc/passwd"}, "model"),
        ({"post_id": "no-such-post"}, "no-such-post"),
        ({"slug": "Not A Slug", "scheduler": "euler"}, "slug"),
        ({"prompt": "word " * 4_000}, "tokens"),
    ],
)
def test_what_would_be_refused_is_said_with_each_reason(check, given, said):
    found = check(**given)
    assert (found["is_possible"], found["would_be"]) == (False, None)
    assert any(said in each for each in found["problems"]), found["problems"]


def test_what_is_drawn_otherwise_than_meant_is_warned_of(check):
    assert any("LoRA" in each for each in check(prompt="a quiet lake <lora:x:1>")["warnings"])
    assert check()["warnings"] == []


def test_a_preset_that_this_machine_cannot_draw_is_warned_of_wherever_it_is_said(check, database, settings):
    said = check(preset="fp8")
    assert (said["is_possible"], bool(said["warnings"])) == (True, not NVIDIA.exists())
    ours = settings.model_copy(update={"preset": "fp8"})
    found = look_at(database, {"prompt": "a quiet harbour"}, ours)
    assert [*found.warnings] == said["warnings"]
    assert not look_at(database, {"prompt": "a quiet harbour", "preset": "base"}, ours).warnings
    assert not look_at(database, {"prompt": "a quiet harbour"}, ours.model_copy(update={"device": "cuda"})).warnings


def test_a_picture_that_was_taken_down_is_not_drawn_again(check, client_with, database):
    [hashed] = {
        each["recipe_hash"]
        for each in sql(
            database,
            "INSERT INTO barred_recipes (recipe_hash, reason) VALUES (%s, 'a complaint') RETURNING recipe_hash",
            _hash_of({"prompt": "a quiet harbour", "seed": 5}),
        )
    }
    found = check(seed=5)
    assert (found["is_possible"], hashed[:4] in found["problems"][0]) == (False, True)
    assert check(seed=6)["is_possible"]


def _hash_of(given):
    import logging

    from glad_pipeline.engine_options import EngineOptions
    from glad_pipeline.pipeline.sdxl import Sdxl
    from glad_pipeline.records import Prompt

    return Sdxl(options=EngineOptions(), log=logging.getLogger()).recipe(Prompt(id=1, **given)).hash


def test_without_tokenizers_it_is_an_estimate_and_says_so(settings, client_with, tmp_path):
    headers = client_with("submit").headers
    import httpx2

    broken = tmp_path / "model"
    shutil.copytree(DEMO_CHECKPOINT, broken)
    for folder in ("tokenizer", "tokenizer_2"):
        shutil.rmtree(broken / folder)
    with served(settings.model_copy(update={"model": str(broken)})) as address:
        answer = httpx2.post(f"{address}{CHECK}", json={"prompt": "a quiet harbour at dawn"}, headers=headers)
        found = answer.json()["data"]
        assert [(each["tokens"], each["encoders"], each["is_estimate"]) for each in found["texts"]] == [(6, [], True)]
        assert httpx2.get(f"{address}{OPTIONS}", headers=headers).status_code == 200


def test_another_one_s_source_or_a_field_that_is_none_is_refused_as_when_it_is_asked_for(client_with, database):
    prompt_in(database, "pending")
    client = client_with("submit")
    assert client.post(CHECK, json={"prompt": "a", "source": "other"}).status_code == 403
    assert client.post(CHECK, json={"prompt": "a", "colour": "red"}).status_code == 422
    assert client_with("read").post(CHECK, json={"prompt": "a"}).status_code == 403


def test_what_is_asked_for_already_is_told_as_asking_again_would_be(client_with, database):
    mine, other = client_with("submit"), client_with("submit")
    sent = {"prompt": "a quiet harbour", "slug": "harbour", "title": "Harbour", "idempotency_key": "k"}
    first = mine.post("/api/studio/prompts", json=sent).json()["data"]["id"]
    again = mine.post(CHECK, json=sent).json()["data"]
    assert again["is_possible"]
    assert f"as prompt {first}: nothing would be added" in again["warnings"][0]
    assert mine.post("/api/studio/prompts", json=sent).status_code == 200
    task = {"prompt": "a lake", "task_id": "blog-1", "title": "Lake"}
    another = {"prompt": "another lake", "task_id": "blog-1", "title": "Lake"}
    sql(database, "INSERT INTO content_tasks (task_id) VALUES ('blog-1')")
    assert mine.post("/api/studio/prompts", json=task).status_code == 201
    for client, body, status in (
        (mine, sent | {"prompt": "another"}, 409),  # the key asks for something else
        (other, another, 409),  # somebody else's task, which this key may not read of
    ):
        assert client.post("/api/studio/prompts", json=body).status_code == status
        found = client.post(CHECK, json=body).json()["data"]
        assert (found["is_possible"], len(found["problems"]), found["would_be"]) == (False, 1, None), found
        assert "prompt " + str(first) not in found["problems"][0]


def test_a_source_at_its_limit_is_told(client_with):
    client, admin = client_with("submit"), client_with("admin")
    for limits in ({"queued": 1, "daily": None}, {"queued": None, "daily": 1}):
        assert admin.post("/api/studio/queue/limits", json={"source": "*", **limits}).status_code == 200
        if limits["queued"]:
            assert client.post(CHECK, json={"prompt": "a lake"}).json()["data"]["is_possible"]
            assert client.post("/api/studio/prompts", json={"prompt": "a hill"}).status_code == 201
        found = client.post(CHECK, json={"prompt": "a lake"}).json()["data"]
        assert (found["is_possible"], "ask later" in found["problems"][0]) == (False, True)
        assert client.post("/api/studio/prompts", json={"prompt": "a lake"}).status_code not in (200, 201)
