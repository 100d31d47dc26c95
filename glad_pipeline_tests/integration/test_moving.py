"""Moving, as docs/operations.md has it: database, objects and addresses, each command in its place."""

import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest

from glad_pipeline import cli
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import locate
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.cdn import Cdn
from glad_pipeline_tests.integration.test_graph import World

pytestmark = pytest.mark.deep


@pytest.fixture
def new(stack, world):
    """Another database, still empty, and another bucket."""
    name = f"moved_{uuid.uuid4().hex[:12]}"
    server = S3Server(Home(Path(stack["GLAD_HOME"])))
    bucket = name.replace("_", "-")
    server.prepare_bucket(bucket)
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield {"DATABASE_URL": stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}", "AWS_S3_BUCKET": bucket}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.client().delete_bucket(Bucket=bucket)


def copy_objects(client, old, bucket):
    """As `aws s3 sync` does: types and metadata with them."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=old):
        for item in page.get("Contents", []):
            client.copy_object(Bucket=bucket, Key=item["Key"], CopySource={"Bucket": old, "Key": item["Key"]})


def test_database_objects_and_addresses_move_as_the_document_says(
    world, new, migrated_url, monkeypatch, capsys, tmp_path
):
    for n in range(2):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run(sdxl=InstantSdxl(side=300))
    old, keys = world.store, world.objects()
    old_base = old.url("").rstrip("/")

    programs, dump = locate().folder, tmp_path / "blog.dump"
    subprocess.run([programs / "pg_dump", "--format=custom", "--no-owner", f"--file={dump}", migrated_url], check=True)
    subprocess.run([programs / "pg_restore", "--no-owner", f"--dbname={new['DATABASE_URL']}", dump], check=True)
    copy_objects(old.client, old.bucket, new["AWS_S3_BUCKET"])
    for name, value in new.items():
        monkeypatch.setenv(name, value)
    there = World(new["DATABASE_URL"])
    cdn = Cdn(there.store.url("").rstrip("/"))
    monkeypatch.setenv("GLAD_PUBLIC_BASE_URL", cdn.url)

    def glad(*words):
        code = cli.main([*words])
        out, error = capsys.readouterr()
        return code, out + error

    try:
        assert glad("audit", "--urls", "none")[0] == 1
        assert glad("migrate", "--adopt")[0] == 0
        assert glad("catalogue", "rebuild")[0] == 0
        code, said = glad("audit")
        assert (code, f"--from {old_base} --to {cdn.url}" in said) == (1, True), said
        old.delete(keys)  # the old place is gone
        code, said = glad("urls", "rewrite", "--from", old_base, "--to", cdn.url, "--yes")
        assert code == 0, said
        code, said = glad("audit", "--urls", "all")
        assert (code, "2 addresses visited" in said, "nothing is amiss" in said) == (0, True, True), said
        shown = there.sql("SELECT featured_image_url, cover_image_url FROM posts")
        assert all(url.startswith(f"{cdn.url}/generated/") for row in shown for url in row.values())
    finally:
        cdn.close()
        there.connection.close()
