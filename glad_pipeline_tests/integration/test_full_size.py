"""SDXL at its full size on a GPU that is not there: every device, number format and shape from opening to the picture."""

import dataclasses
from unittest import mock

import pytest
import torch

from benchmarks.first_light.model import configuration, profile_of, random_pipelines, recipes
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import engine as engine_module
from glad_pipeline.generation import loading
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import SCHEDULERS
from glad_pipeline_tests.fake_cuda import fake_cuda

CONFIG = configuration(shrunken=False)
SIDE = 1024


@pytest.fixture
def gpu(monkeypatch):
    """A fake GPU; engines open SDXL with weights of its size, on the host as files would be, and compile without code."""
    compile_module = torch.nn.Module.compile

    def traced(module, **options):
        gpu.compiled.append(type(module).__name__)
        compile_module(module, **options, backend="eager")

    with fake_cuda() as gpu:
        gpu.compiled = []

        def read(profile, files, number_format):
            with gpu.mode:
                return random_pipelines(CONFIG, number_format, refined=profile.refiner is not None, fill=False)

        monkeypatch.setattr(loading, "read_pipelines", read)
        monkeypatch.setattr(loading, "_here", lambda part, hashes: part)
        monkeypatch.setattr(engine_module, "weight_hashes", lambda *_: {})
        monkeypatch.setattr(engine_module, "MIN_REFINED_STEPS", 1)  # of the warm-up
        monkeypatch.setattr(torch.nn.Module, "compile", traced)
        torch.compiler.reset()
        yield gpu
        torch.compiler.reset()


def drawn(engine, wanted):
    pictures = list(engine.generate(wanted))
    assert [picture.error for picture in pictures] == [None] * len(wanted)
    assert {picture.pixels.shape for picture in pictures} == {(SIDE, SIDE, 3)}
    return pictures


def forwards(module):
    """(batch, channels, height, width, number format, device) of every call of this UNet from now on."""
    seen = []
    forward = module.forward

    def watched(latents, *rest, **options):
        assert options["encoder_hidden_states"].device == latents.device
        seen.append((*latents.shape, latents.dtype, latents.device.type))
        return forward(latents, *rest, **options)

    module.forward = watched
    return seen


@pytest.mark.deep  # a minute; test_generation.py compiles a small one
def test_a_batch_with_guidance_is_drawn_in_bfloat16_on_the_gpu_block_by_block(gpu):
    profile = profile_of(shrunken=False)
    engine = Engine(profile, EngineOptions(device="cuda"))
    engine.load()
    pipeline = engine._open.base
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
        assert {(weight.device.type, weight.dtype) for weight in module.parameters()} == {("cuda", torch.bfloat16)}
    assert pipeline.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert hasattr(pipeline.unet.mid_block.attentions[0].transformer_blocks[0].attn1, "to_qkv")
    assert set(gpu.compiled) == {"BasicTransformerBlock", "ResnetBlock2D"}
    seen = forwards(pipeline.unet)
    pictures = drawn(engine, recipes(profile, range(2), steps=1))
    batch = 32  # by an H200's memory
    assert set(seen) == {(2 * batch, 4, SIDE // 8, SIDE // 8, torch.bfloat16, "cuda")}
    assert len(seen) == 1 + 1  # to warm up, and to draw
    assert {shape for shape in gpu.to_host if len(shape) == 4} == {(4, SIDE, SIDE, 3), (2, SIDE, SIDE, 3)}
    told = pictures[0].provenance
    assert (told["bucket"], told["dtype"], told["compile"]) == (batch, "bfloat16", "regional")
    assert engine._weight_bytes == pytest.approx(6.46 * 2**30, rel=0.01)


@pytest.mark.deep
def test_guidance_cut_off_and_few_steps_are_drawn_on_the_gpu(gpu):
    profile = profile_of(shrunken=False)
    engine = Engine(profile, EngineOptions(device="cuda", gpu_batch=2, compiling="none"))
    engine.load()
    seen = forwards(engine._open.base.unet)
    with mock.patch.object(engine, "_warm_up"):
        drawn(engine, recipes(profile, [1], steps=3, preset="cfg-cutoff"))
        drawn(engine, recipes(profile, [1], steps=1, preset="lightning-4", guidance=0.0))
    assert [size for size, *_ in seen] == [4, 4, 2, 2]


@pytest.mark.deep
def test_the_refiner_draws_on_on_the_gpu(gpu, monkeypatch):
    """What it draws on from is drawn by next to nothing: five steps at full size would take half a minute."""
    small = {"block_out_channels": (32, 32, 64), "transformer_layers_per_block": 1, "attention_head_dim": 2}
    monkeypatch.setitem(CONFIG, "unet", CONFIG["unet"] | small)
    profile = profile_of(shrunken=False, refined=True)
    engine = Engine(profile, EngineOptions(device="cuda", gpu_batch=2, compiling="none"))
    engine.load()
    refiner = engine._open.refiner.unet
    assert {(weight.device.type, weight.dtype) for weight in refiner.parameters()} == {("cuda", torch.bfloat16)}
    seen = forwards(refiner)
    refine = engine._refine

    def one_step(*given):
        gpu.number = 1  # steps that diffusers finds are left for it
        return refine(*given)

    with mock.patch.object(engine, "_warm_up"), mock.patch.object(engine, "_refine", one_step):
        [picture] = drawn(engine, recipes(profile, [1], steps=6, preset="refined"))
    assert {size for size, *_ in seen} == {4}
    assert picture.provenance["seconds"].keys() == {"text", "denoise", "refine", "decode"}


@pytest.mark.deep
def test_fp8_quantizes_the_unets_linear_layers_on_the_gpu(gpu, monkeypatch):
    """Compiled, as on a GPU it is; every kind of block at full width, of the deepest ones not all ten."""
    pytest.importorskip("torchao", reason="the extra `fp8` is not installed")
    from torchao.quantization import Float8Tensor

    monkeypatch.setitem(CONFIG, "unet", CONFIG["unet"] | {"transformer_layers_per_block": (1, 1, 1)})
    profile = profile_of(shrunken=False, quantization="fp8")
    engine = Engine(profile, EngineOptions(device="cuda", gpu_batch=1))
    engine.load()
    linear = engine._open.base.unet.mid_block.attentions[0].transformer_blocks[0].ff.net[2]
    assert isinstance(linear.weight, Float8Tensor)
    with mock.patch.object(engine, "_warm_up"):
        drawn(engine, recipes(profile, [1], steps=1, preset="fp8"))


@pytest.mark.deep
def test_every_scheduler_keeps_latents_on_the_gpu(gpu, monkeypatch):
    """With the smallest possible UNet: what is looked at is the scheduler."""
    for part, values in configuration(shrunken=True).items():
        monkeypatch.setitem(CONFIG, part, values)
    monkeypatch.setattr(Engine, "_warm_up", lambda engine, padded: None)
    profile = profile_of(shrunken=True)
    engine = Engine(profile, EngineOptions(device="cuda", gpu_batch=2, compiling="none"))
    [one] = recipes(profile, [1], steps=3)
    drawn = engine.generate([dataclasses.replace(one, scheduler=name) for name in SCHEDULERS])
    assert {each.recipe.scheduler: each.error for each in drawn} == dict.fromkeys(SCHEDULERS)


@pytest.mark.deep
def test_fused_projections_draw_the_same_and_take_no_more_memory_than_the_ones_they_replace():
    from diffusers import AutoencoderKL, UNet2DConditionModel

    demo = resolve_model(EngineOptions()).source
    unet, vae = (kind.from_pretrained(demo, subfolder=name) for kind, name in
                 ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae")))  # fmt: skip
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(1, unet.config.in_channels, 16, 16, generator=random)
    text = torch.randn(1, 77, unet.config.cross_attention_dim, generator=random)
    added = {
        "text_embeds": torch.randn(1, unet.config.cross_attention_dim // 2, generator=random),
        "time_ids": torch.ones(1, 6),
    }

    def both():
        with torch.no_grad():
            return unet(latents, 1, text, added_cond_kwargs=added).sample, vae.decode(latents).sample

    def sizes():
        return [sum(weight.numel() for weight in module.parameters()) for module in (unet, vae)]

    before, sizes_before = both(), sizes()
    for module in (unet, vae):
        loading.lay_out(module, "cuda")
    assert sizes() == sizes_before
    for one, other in zip(both(), before, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
