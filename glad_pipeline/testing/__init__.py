"""For tests of a Dagster project that uses the pipeline: what replaces PostgreSQL, bucket and GPU for their length.

    from glad_pipeline.testing import temporary_pipeline

    def test_a_row_becomes_a_post():
        with temporary_pipeline() as pipeline:
            pipeline.add("a quiet harbour at dawn", title="Before the boats")
            pipeline.definitions().resolve_job_def("publish_prompts").execute_in_process()
            assert pipeline.posts()[0]["title"] == "Before the boats"

The database is a real PostgreSQL, the queue, the checks and the publication are the real ones; pictures are noise, and
the bucket lies in memory. No environment variable is read, and torch, boto3 and Ray are not imported. This room puts
together what the others offer: nothing of the product imports it.
"""

from glad_pipeline.defs.names import Names as Names
from glad_pipeline.storage.memory import Memory as Memory
from glad_pipeline.testing.database import temporary_database as temporary_database
from glad_pipeline.testing.generator import InstantSdxl as InstantSdxl
from glad_pipeline.testing.pipeline import TemporaryPipeline as TemporaryPipeline
from glad_pipeline.testing.pipeline import memory_object_store as memory_object_store
from glad_pipeline.testing.pipeline import temporary_pipeline as temporary_pipeline
