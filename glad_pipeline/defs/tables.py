"""The tables behind the assets, as the UI shows them: names and types of columns, once in the definition of the asset.

Not in its events, which are kept twice and for good. A test compares them with the database. `posts` is as `glad
migrate` makes it: a blog's own has other columns beside these. Those of `prompts` are observed with `prompts_table`.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

IMAGES = """
id: bigint
key: text: of the object in the bucket
recipe_hash: text: SHA-256 over everything that decides the pixels
url: text: what visitors fetch
sha256: text: of the stored bytes
bytes: bigint
width: integer: pixels
height: integer: pixels
content_type: text
recipe: jsonb: everything that decides the pixels
model: text
model_revision: text
seconds: double precision: drawing time, this picture's share of its batch
contrast: double precision: standard deviation of the grey levels, 0 to 127.5
provenance: jsonb: device, versions, weights and scheduler that drew it
verified_at: timestamp with time zone: last seen in the store, whole
created_at: timestamp with time zone
pixels_sha256: text: the same for equal pixels in whatever file
thumbnail_key: text: none where the picture itself is no larger
thumbnail_url: text
removed_at: timestamp with time zone: taken down
removed_reason: text
deployment_id: uuid: in whose bucket it lies
placeholder: text: a data URI of 16 pixels, to be shown while it loads
"""
POSTS = """
id: uuid
title: character varying(500)
slug: character varying(255)
content: text
excerpt: text
featured_image_url: character varying(500): the picture
cover_image_url: character varying(500): for social networks, unless a person chose another
image_file_size: integer: bytes
image_s3_key: character varying(500): of the picture's object
category_id: uuid
author_id: uuid
tag_ids: uuid[]: the blog's own
status: character varying(50): published; draft where it was hidden
seo_title: character varying(255)
seo_description: character varying(500)
seo_keywords: text: the blog's own
view_count: integer: the blog's own
metadata: jsonb: the prompt's task and the picture's alt text
published_at: timestamp with time zone
created_at: timestamp with time zone
updated_at: timestamp with time zone
"""


def _schema(lines: str) -> dg.TableSchema:
    parts = (line.split(": ", 2) for line in lines.split("\n") if line)
    return dg.TableSchema([dg.TableColumn(name, kind, "".join(what) or None) for name, kind, *what in parts])


def table(name: str) -> dict[str, Any]:
    """Metadata of an asset whose rows are in this table."""
    lines = {"images": IMAGES, "posts": POSTS}.get(name)
    return {"dagster/table_name": name, **({"dagster/column_schema": _schema(lines)} if lines else {})}
