"""What the magazine does itself: it plans posts before the pipeline and sends a newsletter after it."""

import os

import dagster as dg
import pandas as pd
import psycopg

PLAN = [("a lighthouse on a cliff at dusk", "The last keeper"), ("a desert under a full moon", "Night in the dunes")]


@dg.asset(group_name="magazine", kinds={"postgres"})
def editorial_plan() -> dg.MaterializeResult:
    """The next posts, as rows of the table `prompts`: a plan that is written twice is worked off once."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        added = sum(
            connection.execute(
                "INSERT INTO prompts (prompt, title, idempotency_key) VALUES (%s, %s, %s)"
                " ON CONFLICT (idempotency_key) DO NOTHING",
                (prompt, title, f"plan: {title}"),
            ).rowcount
            for prompt, title in PLAN
        )
    return dg.MaterializeResult(metadata={"dagster/row_count": added})


@dg.asset(
    group_name="magazine",
    ins={"posts": dg.AssetIn(key=["blog", "published_posts"])},
    automation_condition=dg.AutomationCondition.eager(),
)
def newsletter(context: dg.AssetExecutionContext, posts: pd.DataFrame) -> dg.MaterializeResult:
    """A line for each post of the last publication; made anew whenever there is one."""
    lines = [f"{post.title}: {post.featured_image_url}" for post in posts.itertuples()]
    context.log.info("newsletter:\n%s", "\n".join(lines))
    return dg.MaterializeResult(metadata={"posts": len(lines), "text": dg.MetadataValue.md("\n\n".join(lines))})


# Dagster starts the sensor of automation conditions switched off; this one is on
magazine_automation = dg.AutomationConditionSensorDefinition(
    "magazine_automation",
    target=[newsletter],
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
)
