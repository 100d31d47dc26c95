"""Another team's code location: a long training on the same GPU, in the same pool."""

import os
import time

import dagster as dg


@dg.op(pool="gpu")
def train() -> None:
    time.sleep(float(os.environ["TRAINING_SECONDS"]))


@dg.job
def training() -> None:
    train()


defs = dg.Definitions(jobs=[training])
