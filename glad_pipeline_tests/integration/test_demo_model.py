"""The demo model: its training program in small, and that the shipped checkpoint does what a prompt says."""

import hashlib
import json

import numpy as np
import pytest

from glad_pipeline.generation.models import DEMO_CHECKPOINT

SEEDS = range(4)


@pytest.fixture(scope="module")
def pipeline():
    from diffusers import StableDiffusionXLPipeline

    pipeline = StableDiffusionXLPipeline.from_pretrained(DEMO_CHECKPOINT, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def drawn(pipeline):
    """Pictures of a prompt, one a seed, (seeds, height, width, 3) in 0..1; drawn once."""
    import torch

    memory = {}

    def draw(prompt):
        if prompt not in memory:
            memory[prompt] = pipeline(
                prompt=[prompt] * len(SEEDS),
                generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
                num_inference_steps=10,
                guidance_scale=3.0,
                output_type="np",
            ).images
        return memory[prompt]

    return draw


@pytest.fixture
def train(tmp_path):
    import torch

    from training.train import Options, Training

    torch.set_num_threads(1)

    def run(name, **changes):
        options = {"out": tmp_path / name, "preset": "smoke", "vae_steps": 8, "denoiser_steps": 12, "seed": 7}
        return Training(Options(**{**options, **changes})).run(), tmp_path / name / "checkpoint"

    return run


def weights(checkpoint):
    from safetensors.numpy import load_file

    return {file.parent.name: load_file(file) for file in sorted(checkpoint.glob("*/*.safetensors"))}


def same(first, second):
    assert first.keys() == second.keys()
    return all(np.array_equal(first[part][name], second[part][name]) for part in first for name in first[part])


def test_training_writes_a_complete_checkpoint_that_draws(train):
    import torch
    from diffusers import StableDiffusionXLPipeline

    finished, checkpoint = train("whole")
    assert finished
    events = [json.loads(line)["event"] for line in (checkpoint.parent / "log.jsonl").read_text().splitlines()]
    assert (events[0], events[-1]) == ("start", "end")
    pipeline = StableDiffusionXLPipeline.from_pretrained(checkpoint, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline("a lake", num_inference_steps=2, generator=torch.Generator().manual_seed(1), output_type="np")
    assert images.images.shape == (1, 64, 64, 3)
    assert np.isfinite(images.images).all()


@pytest.mark.deep
@pytest.mark.parametrize("stop_after", [5, 14], ids=["in the autoencoder's stage", "in the denoiser's stage"])
def test_a_training_interrupted_and_resumed_gives_the_weights_of_one_that_was_not(train, stop_after):
    _, whole = train("whole")
    finished, broken = train("broken", stop_after=stop_after)
    assert not finished
    finished, broken = train("broken", resume=True)
    assert finished
    assert same(weights(whole), weights(broken))
    _, other = train("other", seed=8)
    assert not same(weights(whole), weights(other))


@pytest.mark.deep
def test_a_training_can_start_from_a_checkpoint_and_leaves_its_autoencoder_alone(train):
    _, first = train("first")
    _, further = train("further", start_from=first, seed=8)
    before, after = weights(first), weights(further)
    assert same({"vae": before["vae"]}, {"vae": after["vae"]})
    assert not same({"unet": before["unet"]}, {"unet": after["unet"]})


@pytest.mark.deep
def test_a_training_starts_only_from_a_checkpoint_of_the_same_words(train):
    _, first = train("first", denoiser_steps=1)
    words = first / "tokenizer" / "vocab.json"
    words.write_text(json.dumps({**json.loads(words.read_text()), "zeppelin</w>": 9999}))
    with pytest.raises(ValueError, match="knows other words"):
        train("further", start_from=first)


@pytest.mark.deep
def test_nearly_clean_pictures_are_trained_on_less_often():
    import torch

    from training.stage_denoiser import weights_of_times

    shares = weights_of_times(torch.tensor([0.999, 0.9, 0.5, 0.0])).tolist()
    assert shares == pytest.approx([0.1, 0.5, 1.0, 1.0])


def test_the_normalised_autoencoder_draws_what_it_drew_before():
    import torch

    from training.networks import make_vae, normalise_latents
    from training.presets import PRESETS

    torch.manual_seed(0)
    vae = make_vae(PRESETS["smoke"].sizes).eval()
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        before = vae.encode(pictures).latent_dist
        drawn = vae.decode(before.mean).sample
        mean, std = before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3))
        normalise_latents(vae, mean, std)
        after = vae.encode(pictures).latent_dist
        assert torch.allclose(after.mean.std((0, 2, 3)), torch.ones(4), atol=1e-3)
        assert torch.allclose(after.std * std[:, None, None], before.std, rtol=1e-3)
        assert torch.allclose(vae.decode(after.mean).sample, drawn, atol=1e-4)


@pytest.mark.deep
def test_the_faster_group_normalisation_has_torchs_gradients():
    import torch

    from training.fast_norm import quicken

    torch.manual_seed(0)
    own, fast = torch.nn.GroupNorm(2, 8), torch.nn.GroupNorm(2, 8)
    quicken(fast)
    pictures = torch.randn(2, 8, 5, 6)
    gradients = []
    for norm in (own, fast):
        x = pictures.clone().requires_grad_(True)
        (norm(x) ** 3).sum().backward()
        gradients.append((x.grad, norm.weight.grad, norm.bias.grad))
    for mine, theirs in zip(*gradients, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4)


@pytest.mark.deep
def test_night_is_darker_than_day_for_every_seed(drawn):
    nights, days = drawn("mountains at night with stars"), drawn("mountains on a bright day, blue sky")
    for night, day in zip(nights, days, strict=True):
        assert night.mean() < 0.6 * day.mean()


def test_a_red_sunset_is_redder_than_a_teal_day_for_every_seed(drawn):
    def redness(picture):
        return picture[..., 0].mean() - picture[..., 1].mean()

    for red, teal in zip(drawn("a red sunset over the ocean"), drawn("a teal day over the ocean"), strict=True):
        assert redness(red) > redness(teal) + 0.15


@pytest.mark.deep
def test_fields_of_snow_are_brighter_below_than_a_forest(drawn):
    for snow, forest in zip(drawn("fresh snow at noon"), drawn("a pine forest at noon"), strict=True):
        assert snow[-32:].mean() > forest[-32:].mean() + 0.15


def test_seeds_give_other_pictures_of_the_same_prompt(drawn):
    pictures = drawn("mountains on a bright day, blue sky")
    for place, one in enumerate(pictures):
        for other in pictures[:place]:
            assert np.abs(one - other).mean() > 0.02


@pytest.mark.deep
def test_a_moon_is_drawn_where_a_prompt_names_one(drawn):
    """The brightest part of the sky of a moonlit night outshines that of a night without."""

    def brightest(pictures):
        skies = pictures[:, : pictures.shape[1] // 2].mean(-1)
        blocks = skies.reshape(len(skies), 8, skies.shape[1] // 8, 16, -1).mean((2, 4))
        return blocks.max((1, 2))

    lit = brightest(drawn("the sea at night under a full moon"))
    assert np.median(lit) > np.median(brightest(drawn("the sea at night"))) + 0.2


def test_the_autoencoder_works_both_ways_on_a_scene_it_never_saw(pipeline):
    import torch

    from training.data import example
    from training.stage_vae import reconstruction_psnr

    pictures = np.stack([example(99, "held-out", place, (256, 256)).pixels for place in range(8)])
    assert reconstruction_psnr(pipeline.vae, torch.from_numpy(pictures).permute(0, 3, 1, 2), "cpu") > 28


def test_the_card_names_the_very_weights_it_lies_beside():
    card = (DEMO_CHECKPOINT / "README.md").read_text(encoding="utf-8")
    for file in DEMO_CHECKPOINT.rglob("*.safetensors"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in card
