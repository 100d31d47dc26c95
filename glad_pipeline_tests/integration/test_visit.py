"""Before the first picture of a run is published its public URL is visited: what a CDN may answer, and what follows."""

import hashlib
import io
from dataclasses import replace

import dagster as dg
import pytest
from PIL import Image

from glad_pipeline.defs.resources import ObjectStoreResource
from glad_pipeline.pipeline import visit
from glad_pipeline.records import DuePrompt
from glad_pipeline.testing import temporary_pipeline
from glad_pipeline_tests.cdn import Cdn

HTML = {"content-type": "text/html"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(visit, "PAUSES", (0.01,))


@pytest.fixture
def pipeline(stack):
    """A pipeline whose pictures are public by a CDN, `pipeline.cdn`."""
    with temporary_pipeline(stack["DATABASE_URL"]) as pipeline:
        behind = Behind(pipeline, Cdn(f"{pipeline.memory.base_url}/pictures"))
        try:
            yield behind
        finally:
            behind.cdn.close()


class Behind:
    def __init__(self, pipeline, cdn):
        self.pipeline, self.cdn, self.check = pipeline, cdn, "stop"

    def run(self):
        given = self.pipeline.overrides["object_store"]
        fields = {name: getattr(given, name) for name in ObjectStoreResource.model_fields}
        store = ObjectStoreResource(**fields | {"public_base_url": self.cdn.url, "public_check": self.check})
        pipeline = replace(self.pipeline, overrides={**self.pipeline.overrides, "object_store": store})
        with dg.DagsterInstance.ephemeral() as instance:
            job = pipeline.definitions().resolve_job_def("publish_prompts")
            result = job.execute_in_process(instance=instance, raise_on_error=False)
            said = [entry.user_message for entry in instance.all_logs(result.run_id)]
        failed = [event.event_specific_data.error_display_string for event in result.get_step_failure_events()]
        return result.success, "\n".join([*said, *failed])

    def move(self):
        self.cdn.close()
        self.cdn = Cdn(self.cdn.origin)

    def states(self):
        return [(row["status"], row["attempts"]) for row in self.pipeline.prompts()]


def another_picture(size, form="PNG"):
    file = io.BytesIO()
    Image.effect_noise(size, 80).save(file, form)
    return file.getvalue()


def answers(status, headers, body):
    return lambda path, right: (status, headers, body)


WRONG = {
    "not there": (answers(404, HTML, b"no such page"), "answers 404"),
    "forbidden": (answers(403, HTML, b"no"), "answers 403: visitors may not read it"),
    "a login page": (answers(200, HTML, b"<form>log in</form>"), "answers with text/html"),
    "empty": (answers(200, {"content-type": "image/png"}, b""), "answers with nothing"),
    "no picture": (answers(200, {"content-type": "image/png"}, b"x" * 900), "900 bytes that are no picture"),
    "another picture": (
        answers(200, {"content-type": "image/png"}, another_picture((31, 40))),
        "another picture, of 31 × 40 pixels",
    ),
    "broken": (answers(502, HTML, b"bad gateway"), "answers 502"),
}


@pytest.fixture
def served():
    """A picture behind a CDN, and what a visitor has to be given."""
    body = another_picture((40, 31))
    cdn = Cdn("")
    cdn.answer = lambda path, origin: (cdn.misbehave or answers(200, {"content-type": "image/png"}, body))(path, None)
    try:
        yield (
            cdn,
            visit.Expected(
                url=f"{cdn.url}/a.png", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), width=40, height=31
            ),
        )
    finally:
        cdn.close()


@pytest.mark.parametrize("fault", WRONG)
def test_what_a_visitor_is_given_in_place_of_the_picture_is_named(served, fault):
    cdn, expected = served
    assert visit.problem_after_tries(expected) is None
    cdn.misbehave, words = WRONG[fault]
    assert words in visit.problem_after_tries(expected)


def test_a_cdn_may_encode_pictures_anew(served):
    cdn, expected = served
    cdn.misbehave = answers(200, {"content-type": "image/webp"}, another_picture((40, 31), "WEBP"))
    assert visit.problem_of_picture(expected) is None


def test_a_fresh_object_that_the_cdn_does_not_know_at_once_is_waited_for(served):
    cdn, expected = served
    right = another_picture((40, 31))
    cdn.misbehave = lambda path, _: (
        (404, HTML, b"not yet") if len(cdn.visits) == 1 else (200, {"content-type": "image/png"}, right)
    )
    assert visit.problem_after_tries(expected) is None


def test_a_cdn_that_nobody_runs_is_named(served):
    cdn, expected = served
    cdn.close()
    assert visit.problem_of_picture(expected).startswith("does not answer: ")


@pytest.mark.parametrize("gone", ["-w40.webp", "-social.jpg", None])
def test_what_else_a_post_shows_is_visited_as_well(served, gone):
    cdn, expected = served
    right, stem = another_picture((40, 31)), f"generated/ab/{'ab' * 16}"
    cdn.misbehave = lambda path, _: (
        (404, HTML, b"") if gone and path.endswith(gone) else (200, {"content-type": "image/png"}, right)
    )
    prompt = DuePrompt(
        **{"id": 1, "seed": 1, "prompt": "a hill", "image_url": f"{cdn.url}/{stem}.png", "image_key": f"{stem}.png"},
        **{"image_bytes": expected.bytes, "image_sha256": expected.sha256, "image_width": 40, "image_height": 31},
        image_renditions=[
            {"kind": "webp", "width": 40, "key": f"{stem}-w40.webp"},
            {"kind": "social", "width": 1200, "key": f"{stem}-social.jpg"},
        ],
    )
    said = []
    assert visit.Visitor(check="warn", warn=said.append, featured="webp-native").visit([prompt])
    if gone is None:
        assert (said, len(set(cdn.visits))) == ([], 3)
    else:
        assert len(said) == 1
        assert f"not its rendition at {cdn.url}/{stem}{gone}: it answers 404" in said[0]


@pytest.mark.parametrize(
    "fault", [each if each == "not there" else pytest.param(each, marks=pytest.mark.deep) for each in WRONG]
)
def test_nothing_is_published_while_visitors_are_given_something_else_and_all_once_they_are_not(pipeline, fault):
    """The pictures are public by another CDN then, which their URLs name, whenever they were catalogued."""
    pipeline.cdn.misbehave, words = WRONG[fault]
    for title in ("One", "Two"):
        pipeline.pipeline.add(f"a hill, {title}", title=title)
    succeeded, said = pipeline.run()
    assert not succeeded
    assert words in said
    cures = ("GLAD_PUBLIC_BASE_URL is the address of this bucket", "GLAD_PUBLIC_CHECK=warn", "not AWS_CA_BUNDLE")
    assert [cure for cure in cures if cure not in said] == []
    assert pipeline.states() == [("generated", 1)] * 2  # the try that has drawn it
    assert pipeline.pipeline.posts() == []
    assert all(words in row["last_error"] for row in pipeline.pipeline.prompts())  # `glad prompts list` shows it
    pipeline.move()
    assert pipeline.run()[0]
    assert pipeline.states() == [("published", 1)] * 2
    assert len(pipeline.pipeline.posts()) == 2
    assert [row["last_error"] for row in pipeline.pipeline.prompts()] == [None, None]
    assert all(post["featured_image_url"].startswith(pipeline.cdn.url) for post in pipeline.pipeline.posts())
    assert len(pipeline.cdn.visits) == 1 + 2  # the check `pictures_answer` looks at the newest


def test_with_warn_it_is_published_and_said_and_with_off_nobody_looks(pipeline):
    pipeline.cdn.misbehave = WRONG["not there"][0]
    pipeline.check = "warn"
    pipeline.pipeline.add("a hill", title="One")
    succeeded, said = pipeline.run()
    assert succeeded
    assert "visitors are not given the picture of prompt" in said
    assert "since GLAD_PUBLIC_CHECK=warn" in said
    pipeline.check = "off"
    pipeline.pipeline.add("a wood", title="Two")
    assert "visitors are not given" not in pipeline.run()[1]
    assert [status for status, _ in pipeline.states()] == ["published"] * 2


def test_a_redirection_is_followed_and_one_from_https_to_http_is_none():
    from glad_pipeline.http_client import Answer

    ended = {"status": 200, "headers": {"Content-Type": "image/png"}, "body": b"x"}
    followed = Answer(**ended, addresses=("http://a/1", "https://b/1"))
    assert visit.problem_of_answer(followed) is None
    insecure = Answer(**ended, addresses=("https://a/1", "http://b/1"))
    assert "leads from https to http" in str(visit.problem_of_answer(insecure))
