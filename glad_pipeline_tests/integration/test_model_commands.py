"""`glad model …` as a person runs it, with the hub's real client, against a hub on this machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import hub as hub_module
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline_tests.checkpoint_files import any_lora, single_file
from glad_pipeline_tests.hub_server import Hub, serving

MODEL, COMMIT = "someone/sdxl-finetune", "0123456789" * 4
UNET = "unet/diffusion_pytorch_model.safetensors"
NEEDED = {
    file.relative_to(DEMO_CHECKPOINT).as_posix()
    for file in DEMO_CHECKPOINT.rglob("*")
    if file.is_file() and file.name not in ("README.md", "metrics.json")
}
# The second tokenizer's files are the first's: the cache keeps one of each.
NEEDED_ONCE = {name for name in NEEDED if not name.startswith("tokenizer_2/")}


@pytest.fixture
def repository(tmp_path):
    """The demo checkpoint as a repository with the things that lie about in real ones."""
    directory = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "repository")
    for name in ("unet/diffusion_pytorch_model.bin", "sdxl.safetensors", "unet/model.onnx", "vae_1_0/config.json"):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(b"never fetch this")
    shutil.copy(directory / UNET, directory / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    return directory


@pytest.fixture
def hub(repository):
    with serving(Hub({(MODEL, COMMIT): repository})) as hub:
        yield hub


@pytest.fixture
def glad(hub, tmp_path):
    def run(*arguments, **environment):
        own = {
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": hub.url,
            "GLAD_HOME": str(tmp_path / "home"),
            "GLAD_MODEL": MODEL,
            "GLAD_MODEL_REVISION": COMMIT,
            "NO_PROXY": "127.0.0.1",
        }
        return subprocess.run(
            [sys.executable, "-m", "glad_pipeline.cli", "model", *arguments],
            env=os.environ | own | environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


@pytest.fixture
def snapshot(tmp_path):
    return tmp_path / "hf" / "hub" / f"models--{MODEL.replace('/', '--')}" / "snapshots" / COMMIT


def state(answer, name=MODEL):
    """A model's state in the table of `glad model list`."""
    return next(line for line in answer.stdout.splitlines() if f" {name} " in line).split(COMMIT[:12])[1].split()


def damage(file):
    """Change one byte, at the same size and time: what a failing disk does."""
    file, times = file.resolve(), file.stat()
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_pull_fetches_what_is_loaded_and_nothing_else_and_the_second_time_nothing_at_all(glad, hub, snapshot, tmp_path):
    assert state(glad("list")) == ["not", "pulled"]
    pulled = glad("pull")
    assert pulled.returncode == 0, pulled.stderr
    assert hub.fetched() == NEEDED_ONCE
    assert {file.relative_to(snapshot).as_posix() for file in snapshot.rglob("*") if file.is_file()} == NEEDED
    assert f"18/18  {UNET}  12.8 MB" in pulled.stdout
    assert state(glad("list")) == ["16.7", "MB", "here"]
    hub.asked.clear()
    again = glad("pull", HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout) == (0, f"{MODEL}: here\n")
    verified = glad("verify")
    assert (verified.returncode, verified.stdout.count(": ok")) == (0, len(NEEDED))
    assert hub.asked == []
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["lock", "logs", "model-hashes.json", "run"]


def test_a_model_may_be_named_instead_of_the_settings(glad, hub):
    pulled = glad("pull", f"{MODEL}@{COMMIT}", GLAD_MODEL="demo", GLAD_MODEL_REVISION="")
    assert pulled.returncode == 0, pulled.stderr
    assert hub.fetched() == NEEDED_ONCE


@pytest.mark.deep
def test_the_vae_the_refiner_and_the_loras_of_the_settings_are_pulled_too(glad, hub, repository, refiner, tmp_path):
    vae = shutil.copytree(repository / "vae", tmp_path / "vae repository")
    (vae / "diffusion_pytorch_model.bin").write_bytes(b"never fetch this")
    lora = tmp_path / "lora repository"
    (lora / "deep").mkdir(parents=True)
    any_lora(lora / "deep" / "style.safetensors")
    (lora / "other.safetensors").write_bytes(b"never fetch this")
    (refiner / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"never fetch this")
    parts = {"some/vae": vae, "some/lora": lora, "some/refiner": refiner}
    hub.repositories |= {(name, COMMIT): directory for name, directory in parts.items()}
    environment = {
        "GLAD_VAE": f"some/vae@{COMMIT}",
        "GLAD_LORA": f"some/lora/deep/style.safetensors@{COMMIT}*0.5",
        "GLAD_REFINER": f"some/refiner@{COMMIT}",
    }
    pulled = glad("pull", "--preset", "refined", **environment)
    assert pulled.returncode == 0, pulled.stderr
    fetched = {name for name in hub.fetched() if name not in NEEDED}
    assert fetched == {"config.json", "diffusion_pytorch_model.safetensors", "deep/style.safetensors"}
    verified = glad("verify", "--preset", "refined", **environment)
    assert verified.returncode == 0
    assert [line for line in verified.stdout.splitlines() if line[0] != " "] == [
        f"model {MODEL}",
        "VAE some/vae",
        "refiner some/refiner",
        "LoRA some/lora/deep/style.safetensors",
        "nothing is damaged",
    ]
    listed = glad("list", **environment)
    assert state(listed, "some/vae")[-1] == "here"
    assert state(listed, "some/lora/deep/style.safetensors")[-1] == "here"


@pytest.fixture
def refiner(tmp_path):
    """The demo checkpoint in a refiner's layout: img2img, without the first text encoder."""
    directory = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "refiner repository")
    index = json.loads((directory / "model_index.json").read_text())
    index |= {
        "_class_name": "StableDiffusionXLImg2ImgPipeline",
        "text_encoder": [None, None],
        "tokenizer": [None, None],
    }
    (directory / "model_index.json").write_text(json.dumps(index))
    shutil.rmtree(directory / "text_encoder")
    shutil.rmtree(directory / "tokenizer")
    return directory


@pytest.mark.deep
def test_a_damaged_file_is_found_by_verify_and_only_it_is_fetched_again(glad, hub, snapshot):
    glad("pull")
    damage(snapshot / UNET)
    damage(snapshot / "unet" / "config.json")
    hub.asked.clear()
    found = glad("verify")
    assert found.returncode == 1
    assert f"  {UNET}: damaged: {snapshot / UNET} is not what the hub has: `./glad model pull`" in found.stdout
    assert found.stdout.count("damaged: ") == 2
    assert glad("pull").returncode == 0
    assert hub.fetched() == {UNET, "unet/config.json"}
    assert glad("verify").returncode == 0


def test_a_truncated_file_is_listed_as_damage_and_pulled_again(glad, hub, snapshot):
    glad("pull")
    os.truncate(snapshot / UNET, 5_000_000)
    listed = glad("list")
    assert (listed.returncode, state(listed)) == (1, ["damaged"])
    assert "is not whole: it has 5,000,000 bytes of 12,759,128" in listed.stderr
    assert f"`./glad model pull {MODEL}@{COMMIT}` mends it" in listed.stderr
    assert glad("verify").returncode == 1
    assert glad("pull").returncode == 0
    assert state(glad("list")) == ["16.7", "MB", "here"]


def test_a_connection_that_breaks_in_mid_file_is_taken_up_where_it_broke(glad, hub, snapshot):
    hub.cut.add(UNET)
    pulled = glad("pull")
    assert pulled.returncode == 0, pulled.stderr
    ranges = [asked for method, name, asked in hub.asked if (method, name) == ("GET", UNET)]
    assert ranges[0] == ""
    assert [asked[:6] for asked in ranges[1:]] == ["bytes="]
    assert (snapshot / UNET).read_bytes() == (DEMO_CHECKPOINT / UNET).read_bytes()


@pytest.mark.deep
def test_half_a_file_is_never_taken_for_whole_and_the_next_pull_fetches_what_is_missing(glad, hub, snapshot):
    hub.cut.add(UNET)
    hub.down.add(UNET)
    broken = glad("pull")
    assert broken.returncode == 1
    assert f"the hub refuses {MODEL} with status 503" in broken.stderr
    assert "`./glad model pull` again goes on with what is missing" in broken.stderr
    assert not (snapshot / UNET).exists()
    assert state(glad("list")) == ["damaged"]
    hub.down.clear()
    hub.asked.clear()
    assert glad("pull").returncode == 0
    assert hub.fetched() == {UNET}


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((401, "GatedRepo"), "accept it on the model's page at the hub, and set HF_TOKEN"),
        ((403, "GatedRepo"), "accept it on the model's page at the hub, and set HF_TOKEN"),
        ((403, ""), "with status 403"),
        ((401, ""), "Set HF_TOKEN to a valid token"),
        ((401, "RepoNotFound"), f"the hub shows no repository {MODEL}: check the name; if it is private, set HF_TOKEN"),
        ((404, "RepoNotFound"), f"the hub shows no repository {MODEL}: check the name"),
        ((404, "RevisionNotFound"), f"{MODEL} has no commit {COMMIT}"),
    ],
)
def test_what_the_hub_refuses_is_told_with_the_cure(refusal, told, glad, hub, tmp_path):
    hub.refusal = refusal
    answer = glad("pull")
    assert answer.returncode == 1
    assert answer.stderr.startswith("glad: ")
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    assert state(glad("list")) == ["not", "pulled"]


def test_offline_mode_and_a_missing_network_are_told_with_the_cure(glad, hub):
    offline = glad("pull", HF_HUB_OFFLINE="1")
    assert offline.returncode == 1
    assert "HF_HUB_OFFLINE forbids to fetch it. Unset HF_HUB_OFFLINE and run `./glad model pull`" in offline.stderr
    assert hub.asked == []
    unreachable = glad("pull", HF_ENDPOINT="http://127.0.0.1:9")
    assert unreachable.returncode == 1
    assert f"{MODEL} could not be fetched: ConnectError" in unreachable.stderr
    assert "Check the network" in unreachable.stderr


def test_a_full_disk_is_told_before_and_while_fetching(hub, tmp_path, monkeypatch):
    with pytest.raises(hub_module.GladError, match=r"needs 2,000,000\.0 GB more.*HF_HOME"):
        hub_module._require_space(MODEL, 2 * 10**15, tmp_path / "not" / "there")
    with pytest.raises(hub_module.GladError, match=r"the disk of .* is full \("), hub_module._explained(MODEL, COMMIT):
        Path("/dev/full").write_text("x")


def test_a_repository_with_nothing_but_pickle_is_refused_before_anything_is_fetched(glad, hub, repository):
    for file in (repository / "unet").glob("*.safetensors"):
        file.unlink()
    answer = glad("pull")
    assert answer.returncode == 1
    assert "no complete set of safetensors weights for text_encoder/, text_encoder_2/, unet/, vae/" in answer.stderr
    assert hub.fetched() == set()


def test_a_repository_that_is_no_pipeline_or_lacks_the_file_is_refused(glad, hub, repository):
    lacking = glad("pull", "demo", GLAD_LORA=f"{MODEL}/nothing.safetensors@{COMMIT}", GLAD_MODEL_REVISION="")
    assert lacking.returncode == 1
    assert "has no file nothing.safetensors: its safetensors files are sdxl.safetensors" in lacking.stderr
    (repository / "model_index.json").unlink()
    answer = glad("pull")
    assert answer.returncode == 1
    assert "has no model_index.json: it is no model in diffusers layout" in answer.stderr
    assert hub.fetched() == set()


@pytest.mark.deep
def test_of_a_repository_with_fp16_weights_only_those_are_pulled_and_loaded(
    glad, hub, repository, tmp_path, monkeypatch
):
    (repository / "unet" / "diffusion_pytorch_model.fp16.safetensors").unlink()
    for file in repository.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    assert glad("pull").returncode == 0
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in hub.fetched()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    assert resolve_model(EngineOptions(model=MODEL, model_revision=COMMIT)).variant == "fp16"


def test_damage_to_a_local_model_is_found_as_long_as_it_is_there(glad, tmp_path):
    local = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "local")
    environment = {"GLAD_MODEL": str(local), "GLAD_MODEL_REVISION": ""}
    assert glad("verify", **environment).returncode == 0
    damage(local / UNET)
    for _ in range(2):
        found = glad("verify", **environment)
        assert found.returncode == 1
        assert f"{local / UNET} has changed since it was last read" in found.stdout
        assert found.stdout.count("damaged: ") == 1
    shutil.copy(DEMO_CHECKPOINT / UNET, local / UNET)
    assert glad("verify", **environment).returncode == 0


@pytest.mark.deep  # its parts are in test_single_files.py
def test_a_single_file_from_the_hub_is_pulled_with_configuration_and_tokenizers_and_then_drawn_with_offline(
    glad, hub, repository, tmp_path
):
    files = tmp_path / "files"
    files.mkdir()
    single_file(DEMO_CHECKPOINT, files / "it.safetensors")
    (files / "other.safetensors").write_bytes(b"never fetch this")
    hub.repositories[("civil/checkpoints", COMMIT)] = files
    name = f"civil/checkpoints/it.safetensors@{COMMIT}"
    environment = {"GLAD_MODEL": name, "GLAD_MODEL_REVISION": "", "GLAD_CHECKPOINT_CONFIG": f"{MODEL}@{COMMIT}"}
    assert glad("verify", **environment).returncode == 1
    pulled = glad("pull", **environment)
    assert pulled.returncode == 0, pulled.stderr
    assert hub.fetched() == {"it.safetensors", *(each for each in NEEDED_ONCE if not each.endswith(".safetensors"))}
    listed = glad("list", **environment)
    assert state(listed, "civil/checkpoints/it.safetensors")[-1] == "here"
    assert [line.split()[0] for line in listed.stdout.splitlines() if MODEL in line] == ["configuration"]
    hub.asked.clear()
    drawn = subprocess.run(
        [sys.executable, "-c", DRAW_FILE, name, f"{MODEL}@{COMMIT}"],
        env=os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert drawn.returncode == 0, drawn.stderr
    assert int(drawn.stdout) <= 1
    assert hub.asked == []
    # without its configuration: what to do is said, and where
    shutil.rmtree(tmp_path / "hf" / "hub" / f"models--{MODEL.replace('/', '--')}")
    lacking = glad("verify", **environment)
    assert f"the configuration {MODEL} is not on this machine: `./glad model pull` fetches it" in lacking.stdout


DRAW_FILE = """
import sys
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import Recipe
pictures, weights = [], []
for given in ({"model": "demo"}, {"model": sys.argv[1], "checkpoint_config": sys.argv[2]}):
    options = EngineOptions(device="cpu", gpu_batch=1, **given)
    profile = resolve_model(options)
    model, revision = profile.weights[:2]
    assert (profile.width, profile.height) == (256, 256)
    recipe = Recipe(prompt="a red sunset", seed=7, width=128, height=128, num_inference_steps=2, guidance_scale=3.0,
                    scheduler="euler", model=model, model_revision=revision)
    engine = Engine(profile, options)
    (drawn,) = engine.generate([recipe])
    assert drawn.error is None, drawn.error
    pictures.append(drawn.pixels.astype(int))
    parts = engine._pipelines.base.components
    weights.append({f"{part}.{name}": value for part in ("unet", "vae", "text_encoder", "text_encoder_2")
                    for name, value in parts[part].state_dict().items()})
assert weights[0].keys() == weights[1].keys() and len(weights[0]) > 100
assert all(value.equal(weights[1][name]) for name, value in weights[0].items())
# some CPUs round in another way where weights lie elsewhere in memory
print(abs(pictures[0] - pictures[1]).max())
"""

DRAW = """
import sys
from pathlib import Path
import torch
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.artifacts import weight_hashes
from glad_pipeline.generation.recipe import Recipe
torch.set_num_threads(1)
pictures = []
for wanted in (("demo", None), (sys.argv[1], sys.argv[2])):
    profile = resolve_model(EngineOptions(model=wanted[0], model_revision=wanted[1]))
    model, revision = profile.weights[:2]
    recipe = Recipe(prompt="a red sunset", seed=7, width=128, height=128, num_inference_steps=2, guidance_scale=3.0,
                    scheduler="euler", model=model, model_revision=revision)
    (drawn,) = Engine(profile, EngineOptions(device="cpu", gpu_batch=1)).generate([recipe])
    pictures.append((drawn.error, None if drawn.error else drawn.pixels.tobytes(), weight_hashes(profile.artifacts, None)))
assert pictures[0][0] is None, pictures[0][0]
assert pictures[0] == pictures[1], [p[0] for p in pictures]
print(len(pictures[0][2]), "components alike")
"""


def test_the_engine_draws_from_what_was_pulled_offline_and_the_same_as_from_the_directory(glad, hub, tmp_path):
    glad("pull")
    hub.asked.clear()
    drawn = subprocess.run(
        [sys.executable, "-c", DRAW, MODEL, COMMIT],
        env=os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout == "4 components alike\n"
    assert hub.asked == []


COUNT = """
import sys
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.tokens import counter_of
profile = resolve_model(EngineOptions(model=sys.argv[1], model_revision=sys.argv[2]))
for model in (resolve_model(EngineOptions()), profile):
    print(counter_of(model).pieces("the sea in winter " * 40))
assert "torch" not in sys.modules
"""


def test_a_long_prompt_of_a_model_that_was_never_pulled_fetches_its_tokenizers_alone_and_needs_no_torch(
    glad, hub, tmp_path
):
    counted = subprocess.run(
        [sys.executable, "-c", COUNT, MODEL, COMMIT],
        env=os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert counted.returncode == 0, counted.stderr
    demo, hubs = counted.stdout.split()
    assert demo == hubs > "1"
    assert hub.fetched() == {name for name in NEEDED_ONCE if name.startswith("tokenizer/")}
    assert glad("pull").returncode == 0
    assert hub.fetched() == NEEDED_ONCE
