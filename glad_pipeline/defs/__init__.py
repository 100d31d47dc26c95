"""The Dagster layer: assets, checks, the job, its sensor and schedule, resources and IO managers.

Thin, and the only place where `dagster` is imported: an asset says which stage does the work and reports it.
Torch, pandas and boto3 are imported where they are used, so that the code location loads at once.
"""
