"""Who is told of what has changed, as the settings name them."""

from pydantic import Field

from glad_pipeline.database import Database
from glad_pipeline.defs.fixed_resource import FixedResource
from glad_pipeline.operations.removal import Removal
from glad_pipeline.outbox.targets import Targets, targets
from glad_pipeline.storage.protocol import ObjectStore


class OutboxResource(FixedResource):
    """Who is notified when posts change and pictures go: the site, the CDN, the bucket. What is absent is not."""

    site_url: str | None = Field(default=None, description="The blog's site; it is told at /api/revalidate.")
    revalidate_secret: str | None = None
    distribution_id: str | None = Field(default=None, description="CloudFront distribution to purge.")
    max_attempts: int = Field(default=12, description="Tries after which a message is dead.")

    def targets(self, database: Database, store: ObjectStore) -> Targets:
        return targets(
            site_url=self.site_url,
            secret=self.revalidate_secret,
            distribution_id=self.distribution_id,
            delete=Removal(database=database, store=store.with_patience(0.0)),  # the outbox tries again
            url=store.url,
        )
