"""The tables behind the assets, as the UI shows them: names and types of columns, once in the definition of the asset.

Not in its events, which are kept twice and for good. A test compares them with the database. The columns of `prompts`
are those of the observations of `prompts_table`, which are read from the database.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

IMAGES = (
    "id bigint, key text, recipe_hash text, url text, sha256 text, bytes bigint, width integer, height integer, "
    "content_type text, recipe jsonb, model text, model_revision text, seconds double precision, "
    "contrast double precision, provenance jsonb, verified_at timestamp with time zone, "
    "created_at timestamp with time zone, pixels_sha256 text, thumbnail_key text, thumbnail_url text, "
    "removed_at timestamp with time zone, removed_reason text, deployment_id uuid"
)
POSTS = (
    "id uuid, title character varying(500), slug character varying(255), content text, excerpt text, "
    "featured_image_url character varying(500), cover_image_url character varying(500), category_id uuid, "
    "author_id uuid, tag_ids uuid[], status character varying(50), seo_title character varying(255), "
    "seo_description character varying(500), seo_keywords text, view_count integer, metadata jsonb, "
    "published_at timestamp with time zone, created_at timestamp with time zone, updated_at timestamp with time zone, "
    "image_s3_key character varying(500), image_file_size integer"
)
BLOGS_OWN = "as `glad migrate` makes it: a table that was there before it has the blog's own columns beside these"


def _schema(columns: str, note: str | None = None) -> dg.TableSchema:
    pairs = [column.split(maxsplit=1) for column in columns.split(", ")]
    return dg.TableSchema(
        columns=[dg.TableColumn(name, kind) for name, kind in pairs],
        constraints=dg.TableConstraints(other=[note]) if note else None,
    )


def table(name: str) -> dict[str, Any]:
    """Metadata of an asset whose rows are in this table."""
    schemas = {"images": _schema(IMAGES), "posts": _schema(POSTS, BLOGS_OWN)}
    columns = {"dagster/column_schema": schemas[name]} if name in schemas else {}
    return {"dagster/table_name": name, **columns}
