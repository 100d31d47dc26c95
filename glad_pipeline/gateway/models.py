"""What bodies and answers of the gateway are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Built when it is first used: all of them together take a third of a second, which no start has to wait for."""

    model_config = ConfigDict(defer_build=True)
