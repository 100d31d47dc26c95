"""From recipes to pixels: the recipe and its hash, the model on disk, the SDXL engine.

Knows neither SQL nor S3 nor Dagster. Torch, diffusers and transformers are imported when a picture is
drawn and never before: importing anything here must stay cheap.
"""
