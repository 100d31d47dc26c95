"""What the magazine has beside the pipeline in `benchmarks.neighbours`: before it, after it, and partitioned."""

import os
import time

import dagster as dg

BLOG = ("prompts", "generated_images", "s3_objects", "published_posts", "site_revalidations")


@dg.asset(group_name="magazine")
def slow_research() -> None:
    """Upstream of the pipeline's prompts, and long."""
    time.sleep(float(os.environ["UPSTREAM_SECONDS"]))


@dg.asset(
    group_name="magazine",
    deps=[dg.AssetKey(["blog", "published_posts"])],
    partitions_def=dg.DailyPartitionsDefinition(start_date="2026-01-01"),
)
def daily_figures() -> None:
    """Partitioned, downstream of the pipeline."""


class Required(dg.Config):
    title: str


@dg.asset(group_name="blog", partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def by_kind(config: Required) -> None:
    """Partitioned in another way, with required configuration, in the pipeline's own group."""


everything = dg.define_asset_job(
    "everything", selection=dg.AssetSelection.assets("slow_research", *(["blog", name] for name in BLOG))
)
