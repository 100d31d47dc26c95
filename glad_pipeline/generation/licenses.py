"""The licences of the models that this product knows by name; of any other its owner knows. Knows no other room."""

from collections.abc import Mapping

LICENSES: Mapping[str, str] = {
    "demo": "Apache-2.0",
    "stabilityai/stable-diffusion-xl-base-1.0": "CreativeML Open RAIL++-M",
}
