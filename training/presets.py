"""How large the demo model is and how it is trained, for the hardware at hand."""

from __future__ import annotations

from dataclasses import dataclass

from training.networks import Sizes
from training.stage_denoiser import DenoiserPlan, Phase
from training.stage_vae import VaePlan


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """Networks and plan of one training."""

    sizes: Sizes
    vae: VaePlan
    denoiser: DenoiserPlan
    vae_share: float  # of the training's minutes


SHIPPED = Sizes(  # of the checkpoint that comes with the package
    side=256, latent=8, vae=(16, 32, 48, 64), vae_layers=1,
    unet=(48, 96, 144), unet_layers=1, heads=48, text=96, text_layers=3,
)  # fmt: skip

PRESETS = {
    # an hour or two of one or two busy cores
    "cpu": Preset(
        sizes=SHIPPED,
        vae=VaePlan(
            pictures=3_000, side=256, crop=128, batch=8, whole=2.0, rate=2e-3, matrix_rate=0.01, average=0.99
        ),
        denoiser=DenoiserPlan(
            pictures={(256, 256): 6_000, (192, 320): 600, (320, 192): 600, (128, 128): 1_000},
            phases=(Phase(until=1.0, batch=16, shapes=((256, 256),) * 10 + ((192, 320), (320, 192), (128, 128))),),
            rate=1e-3,
            average=0.998,
            matrix_rate=0.005,
        ),
        vae_share=0.34,
    ),
    # twenty minutes of one H200
    "gpu": Preset(
        sizes=Sizes(
            side=256, latent=8, vae=(24, 48, 64, 96), vae_layers=1,
            unet=(64, 128, 160), unet_layers=1, heads=32, text=96, text_layers=3,
        ),
        vae=VaePlan(
            pictures=20_000, side=256, crop=128, batch=64, whole=0.8, rate=1.5e-3, matrix_rate=0.01, average=0.999
        ),
        denoiser=DenoiserPlan(
            pictures={(256, 256): 50_000, (128, 128): 15_000, (192, 320): 10_000, (320, 192): 10_000},
            phases=(
                Phase(until=0.25, batch=512, shapes=((128, 128),)),
                Phase(until=1.0, batch=256, shapes=((256, 256),) * 6 + ((192, 320), (320, 192), (128, 128))),
            ),
            rate=1e-3,
            average=0.9995,
        ),
        vae_share=0.35,
    ),
    # a minute or two of one H200, and on from the checkpoint that ships: few pictures, small changes
    "gpu-on": Preset(
        sizes=SHIPPED,
        vae=VaePlan(
            pictures=3_000, side=256, crop=128, batch=8, whole=2.0, rate=2e-3, matrix_rate=0.01, average=0.99
        ),
        denoiser=DenoiserPlan(
            pictures={(256, 256): 8_000, (192, 320): 800, (320, 192): 800, (128, 128): 1_200},
            phases=(Phase(until=1.0, batch=256, shapes=((256, 256),) * 10 + ((192, 320), (320, 192), (128, 128))),),
            rate=3e-4,
            average=0.995,
            matrix_rate=0.0015,
        ),
        vae_share=0.34,
    ),
    # seconds: proves that everything fits together
    "smoke": Preset(
        sizes=Sizes(
            side=64, latent=4, vae=(8, 8, 16, 16), vae_layers=1,
            unet=(16, 16, 32), unet_layers=1, heads=16, text=32, text_layers=2,
        ),
        vae=VaePlan(pictures=12, side=64, crop=32, batch=4, whole=0.8, rate=2e-3, matrix_rate=0.01, average=0.99),
        denoiser=DenoiserPlan(
            pictures={(64, 64): 12, (48, 80): 8},
            phases=(
                Phase(until=0.5, batch=4, shapes=((64, 64), (48, 80))),
                Phase(until=1.0, batch=2, shapes=((64, 64),)),
            ),
            rate=1e-3,
            average=0.99,
            matrix_rate=0.005,
        ),
        vae_share=0.4,
    ),
}  # fmt: skip
