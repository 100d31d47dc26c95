"""The pipeline as a Dagster component: ten lines of YAML in somebody else's project.

Everything it makes has names of its own (`defs/names.py`) and its settings from the YAML alone: two of them, and
whatever else the project has, live side by side. This repository's own pipeline is `definitions.py`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import dagster as dg
from dagster.components.scaffold.scaffold import ScaffoldRequest
from pydantic import Field, field_validator

from glad_pipeline.defs.names import Names
from glad_pipeline.defs.wiring import definitions
from glad_pipeline.errors import UsageError
from glad_pipeline.redaction import at_every_door
from glad_pipeline.settings import Settings, settings_of

EXAMPLE = {
    "database": "{{ env.DATABASE_URL }}",
    "store": {
        "bucket": "{{ env.AWS_S3_BUCKET }}",
        "endpoint_url": "{{ env.AWS_ENDPOINT_URL_S3 }}",
        "access_key_id": "{{ env.AWS_ACCESS_KEY_ID }}",
        "secret_access_key": "{{ env.AWS_SECRET_ACCESS_KEY }}",
    },
    "sdxl_model": "demo",
}


class GladPipelineScaffolder(dg.Scaffolder):
    """Writes a `defs.yaml` that names what a deployment has to give."""

    def scaffold(self, request: ScaffoldRequest[Any]) -> None:
        name = re.sub(r"\W+", "_", request.target_path.name).strip("_").lower() or "blog"
        dg.scaffold_component(request, {"name": name, **EXAMPLE})


class Store(dg.Model, dg.Resolvable):
    """The object store of the pictures: AWS S3 or any S3-compatible one, Supabase Storage, or a folder."""

    kind: Annotated[str | None, Field(description="GLAD_STORE: s3, supabase or volume. Absent: what is named")] = None
    bucket: Annotated[str | None, Field(description="AWS_S3_BUCKET")] = None
    volume: Annotated[str | None, Field(description="GLAD_VOLUME: the folder's absolute path")] = None
    supabase_url: Annotated[str | None, Field(description="SUPABASE_URL")] = None
    supabase_key: Annotated[str | None, Field(description="SUPABASE_KEY")] = None
    supabase_bucket: Annotated[str | None, Field(description="GLAD_SUPABASE_BUCKET; absent: images")] = None
    region: Annotated[str, Field(description="AWS_S3_REGION")] = "us-east-1"
    endpoint_url: Annotated[str | None, Field(description="AWS_ENDPOINT_URL_S3; absent: AWS")] = None
    access_key_id: Annotated[str | None, Field(description="AWS_ACCESS_KEY_ID; absent: boto3's own chain")] = None
    secret_access_key: Annotated[str | None, Field(description="AWS_SECRET_ACCESS_KEY")] = None
    session_token: Annotated[str | None, Field(description="AWS_SESSION_TOKEN")] = None
    public_base_url: Annotated[str | None, Field(description="GLAD_PUBLIC_BASE_URL: what precedes picture URLs")] = None
    addressing: Annotated[str | None, Field(description="GLAD_S3_ADDRESSING: auto, path or virtual")] = None
    checksum: Annotated[str | None, Field(description="GLAD_S3_CHECKSUM: auto, sha256, md5 or read-back")] = None
    sse: Annotated[str | None, Field(description="GLAD_S3_SSE: AES256, aws:kms or aws:kms:dsse")] = None
    kms_key: Annotated[str | None, Field(description="GLAD_S3_KMS_KEY")] = None
    requester_pays: Annotated[bool, Field(description="GLAD_S3_REQUESTER_PAYS")] = False
    acl: Annotated[str | None, Field(description="GLAD_S3_ACL")] = None
    storage_class: Annotated[str | None, Field(description="GLAD_S3_STORAGE_CLASS")] = None
    ca_bundle: Annotated[str | None, Field(description="AWS_CA_BUNDLE")] = None
    proxy_url: Annotated[str | None, Field(description="GLAD_S3_PROXY_URL")] = None


@dg.scaffold_with(GladPipelineScaffolder)
class GladPipeline(dg.Component, dg.Model, dg.Resolvable):
    """Rows of a `prompts` table become SDXL pictures in an object store and published posts, each exactly once.

    Assets: `prompts_table` and `sdxl_model` (observed), `prompts`, `generated_images`, `s3_objects`, `published_posts`,
    `site_revalidations`, `audit`; jobs `NAME_publish_prompts`, `NAME_deliver_messages`, `NAME_audit_store`; the sensor
    `NAME_new_prompts` and two schedules; resources `NAME_…`. Attributes of assets (automation conditions, metadata) are
    set by Dagster's own `post_processing` beside `attributes`. The database has to be migrated: `glad migrate`.
    """

    name: Annotated[str, Field(description="Precedes the names of jobs, sensors, schedules and resources.")]
    key_prefix: Annotated[list[str] | None, Field(description="Of all asset keys. Absent: the name.")] = None
    group: Annotated[str | None, Field(description="The assets' group. Absent: the name.")] = None
    owners: Annotated[Sequence[str], Field(description="E-mail addresses, or `team:…`.")] = ()
    tags: Annotated[Mapping[str, str], Field(description="Tags of all assets.", default_factory=dict)]
    pool: Annotated[str, Field(description="Dagster's pool in which runs wait for the GPU; its limit is yours.")] = (
        "gpu"
    )
    database: Annotated[str | None, Field(description="postgresql://user:password@host:5432/database")]
    store: Store
    sdxl_model: Annotated[str, Field(description="`demo`, a directory with an SDXL checkpoint, or a hub id.")] = "demo"
    preset: Annotated[str, Field(description="How prompts are drawn that name no preset.")] = "base"
    sensor: Annotated[bool, Field(description="Whether the sensor starts switched on.")] = True
    schedules: Annotated[bool, Field(description="Whether the schedules start switched on.")] = True
    settings: Annotated[
        Mapping[str, Any],
        Field(description="Any other setting of docs/settings.md, by its variable.", default_factory=dict),
    ]

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
            raise ValueError(f"name is {name!r}: it has to be lower-case letters, digits and _, at most 40")
        return name

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """All of it. Raises `UsageError` for a setting that cannot be. No server is asked."""
        at_every_door()
        self._require_own_name(context)
        names = Names(
            name=self.name,
            key_prefix=tuple(self.key_prefix if self.key_prefix is not None else [self.name]),
            group=self.group or self.name,
            owners=tuple(self.owners),
            tags=self.tags,
            pool=self.pool,
        )
        return definitions(self._settings(str(context.project_root / ".glad" / self.name), names.pool), names)

    def _require_own_name(self, context: dg.ComponentLoadContext) -> None:
        """Raises `UsageError` where another one has it: Dagster would only say that two resources have one key."""
        named = [each for each in context.component_tree.get_all_components(GladPipeline) if each.name == self.name]
        if len(named) > 1:
            raise UsageError(
                f"{len(named)} components GladPipeline are named {self.name!r}: give each a name of its own"
            )

    def _settings(self, home: str, pool: str) -> Settings:
        store = self.store
        ours = {
            "DATABASE_URL": self.database,
            "GLAD_STORE": store.kind,
            "GLAD_VOLUME": store.volume,
            "SUPABASE_URL": store.supabase_url,
            "SUPABASE_KEY": store.supabase_key,
            "GLAD_SUPABASE_BUCKET": store.supabase_bucket,
            "AWS_S3_BUCKET": store.bucket,
            "AWS_S3_REGION": store.region,
            "AWS_ENDPOINT_URL_S3": store.endpoint_url,
            "AWS_ACCESS_KEY_ID": store.access_key_id,
            "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
            "AWS_SESSION_TOKEN": store.session_token,
            "GLAD_PUBLIC_BASE_URL": store.public_base_url,
            "GLAD_S3_ADDRESSING": store.addressing,
            "GLAD_S3_CHECKSUM": store.checksum,
            "GLAD_S3_SSE": store.sse,
            "GLAD_S3_KMS_KEY": store.kms_key,
            "GLAD_S3_REQUESTER_PAYS": store.requester_pays,
            "GLAD_S3_ACL": store.acl,
            "GLAD_S3_STORAGE_CLASS": store.storage_class,
            "AWS_CA_BUNDLE": store.ca_bundle,
            "GLAD_S3_PROXY_URL": store.proxy_url,
            "GLAD_MODEL": self.sdxl_model,
            "GLAD_PRESET": self.preset,
            "GLAD_SENSOR": self.sensor,
            "GLAD_SCHEDULE": self.schedules,
            "GLAD_AUDIT": self.schedules,
            "GLAD_POOL": pool,
        }
        return settings_of({"GLAD_HOME": home, "GLAD_BACKEND": "process", **ours, **self.settings})
