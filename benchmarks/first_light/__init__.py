"""First light: all that only a GPU can show, in one command of at most nine minutes.

    bash benchmarks/first_light_prepare.sh      # once, where there is a network: the wheels that the machine lacks
    bash benchmarks/first_light.sh [--minutes 9] [--only speed choices] [--again] [--out DIR]

Needs a GPU, CUDA, torch, transformers and accelerate; no network, Dagster, PostgreSQL or S3. The steps, in the order of
what one wants to know first, are in `steps.py`; each is a process of its own (`runner.py`), bounded in time, and each
case's figures are written to `first_light.json` as soon as they are there. What was measured is not measured again:
stop it at will and start it again. `--shrunken` rehearses all of it on the CPU with a tiny configuration.
"""
