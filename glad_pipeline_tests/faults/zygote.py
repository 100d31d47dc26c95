"""What the processes of the rig are forked from: everything imported and once used, nothing open, no thread left."""

import encodings.idna  # noqa: F401
import gc
import threading

import boto3
import botocore.loaders
import dagster as dg
import fsspec.implementations.local  # noqa: F401
import isal.igzip  # noqa: F401
import pandas as pd
import upath.implementations.local  # noqa: F401
from PIL import Image

from glad_pipeline.generation import provenance  # noqa: F401
from glad_pipeline.media import encoding, png_text  # noqa: F401
from glad_pipeline_tests.dagster_in_memory import remember_what_dagster_works_out
from glad_pipeline_tests.faults import matrix, world  # noqa: F401


def remembering(load):
    """Each client reads 2 MB of JSON about S3 anew, a tenth of a second, several times in each process."""
    known = {}

    def load_file(self, path):
        if path not in known:
            known[path] = load(self, path)
        return known[path]

    return load_file


@dg.op
def nothing() -> None:
    pass


@dg.job
def warm() -> None:
    nothing()


remember_what_dagster_works_out()
botocore.loaders.JSONFileLoader.load_file = remembering(botocore.loaders.JSONFileLoader.load_file)
with dg.DagsterInstance.ephemeral() as instance:
    warm.execute_in_process(instance=instance, run_config=world.QUIET)
world.build_defs().resolve_job_def(world.JOB_NAME)
boto3.session.Session().client(
    "s3", endpoint_url="http://127.0.0.1:9", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
).close()
pd.DataFrame([{"a": 1}]).to_dict("records")
Image.init()
gc.collect()
gc.freeze()
assert threading.active_count() == 1, threading.enumerate()
