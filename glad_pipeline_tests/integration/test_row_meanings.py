"""What a row means: which post or task it is for, whose repetition it is, and whose picture it may replace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.database import Database, DatabaseError
from glad_pipeline.database.migrations import migrate
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.operations import takedown
from glad_pipeline.operations.audit.walk import SQL as AUDIT
from glad_pipeline.pipeline.claim import reject_unfit
from glad_pipeline.pipeline.publish import Publishing, PublishReport
from glad_pipeline.pipeline.visit import Visitor
from glad_pipeline.prompts import management
from glad_pipeline.prompts.editing import QUERIES as EDITING
from glad_pipeline.prompts.editing import edit_prompt
from glad_pipeline.prompts.importing import ImportOptions, import_file, import_files
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline.prompts.queue import Claim, hold_back
from glad_pipeline.publishing import images
from glad_pipeline.publishing.columns import ALT_COLUMNS
from glad_pipeline.publishing.images import CatalogueEntry
from glad_pipeline.settings import Settings
from glad_pipeline.storage.keys import original_key

THEIRS = "https://example.com/by-hand.png"
BLOG_D = Path(__file__).parent / "blog_schemas" / "d.sql"


class Desk:
    """A database with a blog, and a run on it that draws nothing: its pictures are rows of the catalogue."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.drawn: list[int] = []  # prompts that came to the GPU
        self.round = 0

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def row(self, prompt: int) -> dict[str, Any]:
        return self.sql("SELECT * FROM prompts WHERE id = %s", prompt)[0]

    def add(self, prompt: str = "a hill", **columns: Any) -> int:
        """As plain SQL adds it."""
        names, marks = ["prompt", *columns], ", ".join(["%s"] * (len(columns) + 1))
        statement = f"INSERT INTO prompts ({', '.join(names)}) VALUES ({marks}) RETURNING id"
        return int(self.sql(statement, prompt, *columns.values())[0]["id"])

    def post(self, slug: str, url: str | None = None, **columns: Any) -> UUID:
        given = {
            "title": slug,
            "slug": slug,
            "content": "x",
            "status": "published",
            "featured_image_url": url,
            **columns,
        }
        marks = ", ".join(["%s"] * len(given))
        statement = f"INSERT INTO posts (id, {', '.join(given)}) VALUES (%s, {marks}) RETURNING id"
        found = self.sql(statement, uuid4(), *given.values())[0]["id"]
        assert isinstance(found, UUID)
        return found

    def shown(self, post: UUID) -> str | None:
        url = self.sql("SELECT featured_image_url FROM posts WHERE id = %s", post)[0]["featured_image_url"]
        return None if url is None else str(url)

    def alt_text(self, post: UUID) -> str | None:
        """In the post's metadata."""
        found = self.sql("SELECT metadata ->> 'featured_image_alt' AS alt FROM posts WHERE id = %s", post)[0]["alt"]
        return None if found is None else str(found)

    def run(self) -> PublishReport:
        """Claim, reject, 'draw' and publish, as a run does."""
        self.round += 1
        claim = Claim(self.database, worker=f"run-{self.round}", lease=timedelta(hours=1), max_attempts=3)
        with claim.open():
            ready = reject_unfit(claim.take(100), claim, self.database)
            claim.begin_drawing([prompt.id for prompt in ready])
            self.drawn += [prompt.id for prompt in ready]

            def work(connection: Any) -> None:
                entries = {prompt.id: entry(f"{prompt.id} {self.round}") for prompt in ready}
                ids = images.record(connection, list(entries.values()))
                claim.generated(connection, {i: ids[each.recipe_hash] for i, each in entries.items()})

            self.database.transact("catalogue", work)
            nobody = Visitor(check="off", warn=print)
            return Publishing(claim=claim, database=self.database, store=no_store, visitor=nobody).publish_due()

    def rejected(self, prompt: int) -> str:
        """Why it was put aside before it was drawn, without a try."""
        row = self.row(prompt)
        assert (row["status"], row["attempts"], row["image_id"]) == ("rejected", 0, None), row
        assert prompt not in self.drawn
        return str(row["last_error"])


def no_store() -> Any:
    raise AssertionError("every picture was just seen")


def entry(what: str) -> CatalogueEntry:
    found = hashlib.sha256(what.encode()).hexdigest()
    key = original_key(found)
    return CatalogueEntry(
        key=key, recipe_hash=found, recipe={}, model="demo", model_revision="0" * 40,
        url=f"https://pictures.example/{key}", sha256=found, bytes=1, width=8, height=8, content_type="image/png",
        seconds=None, contrast=None, provenance={}, pixels_sha256=None, thumbnail_key=None, thumbnail_url=None,
    )  # fmt: skip


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    migrate(database_url)
    with Database(database_url) as database:
        yield Desk(database)


def glad(desk: Desk, *words: str) -> int:
    return invoke(["prompts", *words], Runtime(Settings(_env_file=None, DATABASE_URL=desk.database.url)))


def imported(desk: Desk, path: Path, text: str, **options: Any) -> int:
    path.write_text(text)
    return import_files(desk.database, [path], ImportOptions(**options)).added


# ---- tasks


def test_a_task_id_alone_has_to_be_a_content_task_and_no_stub_post_is_published(desk: Desk) -> None:
    desk.sql("INSERT INTO content_tasks (task_id) VALUES ('t-1'), ('t-2'), ('t-4')")
    known, unknown = desk.add(task_id="t-1"), desk.add(task_id="t-9")
    both, titled = desk.add(task_id="t-2", title="A post and a task"), desk.add(task_id="mine", title="A post")
    gone = desk.add(task_id="t-4", needs_approval=True)
    desk.run()
    assert "task_id 't-9': the blog's content_tasks has no such task" in desk.rejected(unknown)
    assert [desk.row(each)["status"] for each in (known, both, titled)] == ["published"] * 3
    told = {row["task_id"]: row["s3_image_url"] is not None for row in desk.sql("SELECT * FROM content_tasks")}
    assert told == {"t-1": True, "t-2": True, "t-4": False}
    assert {post["title"] for post in desk.sql("SELECT title FROM posts")} == {"A post and a task", "A post"}
    desk.sql("DELETE FROM content_tasks WHERE task_id = 't-4'")  # after it was drawn
    management.approve(desk.database, [gone])
    desk.run()
    assert (desk.row(gone)["status"], len(desk.sql("SELECT id FROM posts"))) == ("rejected", 2)


def test_an_old_row_that_became_a_stub_post_gets_its_picture_drawn_anew_as_before(desk: Desk) -> None:
    old = desk.add(task_id="k-1", title="once")
    desk.run()
    desk.sql("UPDATE prompts SET title = NULL WHERE status = 'cancelled'")
    with desk.database.connect(autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # an earlier release has published it
        connection.execute("UPDATE prompts SET title = NULL, status = 'pending'")
    desk.run()
    assert desk.row(old)["status"] == "published"
    assert len(desk.sql("SELECT id FROM posts")) == 1


def test_intake_refuses_a_task_or_post_that_the_blog_does_not_have(desk: Desk, tmp_path: Path) -> None:
    desk.sql("INSERT INTO content_tasks (task_id) VALUES ('t-1')")
    post, path, nobody = desk.post("there"), tmp_path / "rows.csv", uuid4()
    for fields, words in (
        ({"task_id": "t-9"}, "task_id 't-9': the blog's content_tasks has no such task"),
        ({"post_id": str(nobody)}, f"post_id '{nobody}': no post has this id"),
    ):
        with pytest.raises(UsageError, match=words):
            add_prompt(desk.database, {"prompt": "a hill", **fields})
        taken, _ = add_prompt(desk.database, {"prompt": "a hill"})
        with pytest.raises(UsageError, match=words):
            edit_prompt(desk.database, taken, fields)
    text = f"prompt,title,task_id,post_id\na,,t-1,\nb,,t-8,\nc,Titled,t-7,\nd,,t-6,{post}\ne,,,{nobody}\n"
    with pytest.raises(UsageError) as refused:
        imported(desk, path, text)
    assert "2 faults" in str(refused.value)
    assert "line 3: task_id 't-8': the blog's content_tasks has no such task" in str(refused.value)
    assert f"line 6: post_id '{nobody}': no post has this id" in str(refused.value)
    assert imported(desk, path, text, skip_bad=True, errors=tmp_path / "bad.csv") == 3
    assert (tmp_path / "bad.csv").read_text().count("\n") == 3
    desk.sql("DELETE FROM content_tasks")  # what is in the queue is there already, whatever the blog has now
    assert imported(desk, path, "prompt,task_id\na,t-1\n") == 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("DROP TABLE content_tasks", "the blog has no content_tasks"),
        ("ALTER TABLE content_tasks RENAME task_id TO number", "has no column task_id"),
        ("ALTER TABLE content_tasks DROP s3_image_url, DROP featured_image_url", "has neither s3_image_url nor"),
        ("DROP TABLE content_tasks; CREATE MATERIALIZED VIEW content_tasks AS SELECT 't-1' AS task_id, '' AS featured_image_url",
         "content_tasks is no table, and featured_image_url of it cannot be set: give it an INSTEAD OF UPDATE trigger"),
    ],
)  # fmt: skip
def test_tasks_that_can_never_get_a_picture_are_refused_by_name_and_posts_are_not(
    desk: Desk, tmp_path: Path, script: str, words: str
) -> None:
    desk.sql(script)
    alone, titled = desk.add(task_id="t-1"), desk.add(task_id="t-2", title="A post")
    desk.run()
    assert words in desk.rejected(alone)
    assert "With a title the row becomes a post" in desk.rejected(alone)
    assert desk.row(titled)["status"] == "published"
    with pytest.raises(UsageError, match=words):
        add_prompt(desk.database, {"prompt": "a hill", "task_id": "t-3"})
    with pytest.raises(UsageError, match=f"line 2: .*{words}"):
        import_file(desk.database, written(tmp_path / "x.csv", "prompt,task_id\na,t-3\n"))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


TRIGGER = """
CREATE FUNCTION tell_the_task() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE pipeline_tasks SET task_metadata = task_metadata || jsonb_build_object('featured_image_url', NEW.featured_image_url)
    WHERE task_id = OLD.task_id;
    RETURN NEW;
END $$;
CREATE TRIGGER tell_the_task INSTEAD OF UPDATE ON content_tasks FOR EACH ROW EXECUTE FUNCTION tell_the_task();
"""


def test_a_view_of_tasks_is_updated_through_its_trigger_and_refused_without(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(BLOG_D.read_bytes())
    migrate(database_url)
    with Database(database_url) as database:
        desk = Desk(database)
        refused, titled = desk.add(task_id="task-2"), desk.add(task_id="task-1", title="Titled")
        desk.run()
        assert "give it an INSTEAD OF UPDATE trigger" in desk.rejected(refused)
        assert desk.row(titled)["status"] == "published"
        desk.sql(TRIGGER)
        management.retry(database, [refused])
        desk.run()
        assert desk.row(refused)["status"] == "published"
        (task,) = desk.sql("SELECT featured_image_url AS url FROM content_tasks WHERE task_id = 'task-2'")
        (image,) = desk.sql("SELECT url FROM images WHERE id = %s", desk.row(refused)["image_id"])
        assert task == image
        takedown.delete_image(database, image["url"], reason="asked for")
        assert desk.sql("SELECT featured_image_url AS url FROM content_tasks WHERE task_id = 'task-2'") == [
            {"url": None}
        ]


def test_a_task_that_takes_no_picture_rejects_its_prompt_alone(desk: Desk) -> None:
    desk.sql("INSERT INTO content_tasks (task_id) VALUES ('t-1'), ('t-2')")
    desk.sql("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    desk.sql(
        "CREATE TRIGGER no BEFORE UPDATE ON content_tasks FOR EACH ROW WHEN (OLD.task_id = 't-1') EXECUTE FUNCTION no()"
    )
    first, second = desk.add(task_id="t-1"), desk.add(task_id="t-2")
    desk.run()
    assert "took no picture for the task 't-1'" in desk.row(first)["last_error"]
    assert [desk.row(each)["status"] for each in (first, second)] == ["rejected", "published"]


@contextmanager
def as_role(desk: Desk, *without: str) -> Iterator[Desk]:
    """The same desk for a role that may do all but this."""
    role = f"poor_{uuid4().hex[:8]}"
    head, _, tail = desk.database.url.partition("//")
    desk.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    try:
        desk.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        desk.sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
        desk.sql(f"GRANT EXECUTE ON FUNCTION prompts_are_moved_by_us() TO {role}")
        for right in without:
            desk.sql(f"REVOKE {right} FROM {role}")
        with Database(f"{head}//{role}:p@{tail.rpartition('@')[2]}") as poor:
            yield Desk(poor)
    finally:
        desk.sql(f"DROP OWNED BY {role}")
        desk.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize("title", [None, "A post and a task"])
def test_tasks_that_we_may_not_write_end_the_run_with_the_grant_and_no_try(desk: Desk, title: str | None) -> None:
    desk.sql("INSERT INTO content_tasks (task_id) VALUES ('t-1')")
    prompt = desk.add(task_id="t-1", title=title)
    with as_role(desk, "UPDATE ON content_tasks") as poor:
        with pytest.raises(DatabaseError, match="GRANT SELECT, UPDATE ON content_tasks TO"):
            poor.run()
        assert poor.drawn == []
    assert (desk.row(prompt)["status"], desk.row(prompt)["attempts"]) == ("pending", 0)


@pytest.mark.parametrize("without", ["UPDATE ON content_tasks", "SELECT, UPDATE ON content_tasks"])
def test_a_post_whose_task_id_is_a_client_s_own_key_asks_for_no_right_on_tasks(desk: Desk, without: str) -> None:
    desk.sql("INSERT INTO content_tasks (task_id) VALUES ('t-1')")
    titled, neighbour = desk.add(task_id="a key of mine", title="Mine"), desk.add(title="Next")
    with as_role(desk, without) as poor:
        poor.run()
        assert [desk.row(each)["status"] for each in (titled, neighbour)] == ["published"] * 2
        taken = takedown.unpublish(poor.database, "mine", reason="asked for")
    assert (taken.hidden, len(taken.removed)) == (["mine"], 1)


@pytest.mark.parametrize("kind", ["uuid", "bigint"])
def test_a_task_is_known_however_its_id_is_written(desk: Desk, tmp_path: Path, kind: str) -> None:
    task, other = (str(UUID(int=0xAB + n << 120)) if kind == "uuid" else str(17 + n) for n in range(2))
    desk.sql(f"ALTER TABLE content_tasks ALTER task_id TYPE {kind} USING task_id::{kind}")
    desk.sql("INSERT INTO content_tasks (task_id) VALUES (%s), (%s)", task, other)
    prompt, unknown = desk.add(task_id=task.upper()), desk.add(task_id="no such id")
    assert imported(desk, tmp_path / "x.csv", f"prompt,task_id\na hill,{other.upper()}\n") == 1
    desk.run()
    assert "the blog's content_tasks has no such task" in desk.rejected(unknown)
    told = "SELECT s3_image_url AS url FROM content_tasks WHERE task_id = %s"
    (image,) = desk.sql("SELECT url FROM images WHERE id = %s", desk.row(prompt)["image_id"])
    assert (desk.row(prompt)["status"], desk.sql(told, task)) == ("published", [image])
    takedown.delete_image(desk.database, image["url"], reason="asked for")
    assert desk.sql(told, task) == [{"url": None}]


# ---- posts and slugs, before anything is drawn


def test_an_unknown_post_and_a_taken_slug_cost_no_try_and_no_picture(desk: Desk) -> None:
    post = desk.post("taken")
    unknown, slug = desk.add(post_id=uuid4()), desk.add(slug="taken", title="Mine")
    own = desk.add(slug="taken", post_id=post)
    desk.run()
    assert "post_id: no post has the id" in desk.rejected(unknown)
    assert "slug: 'taken' is taken by another post" in desk.rejected(slug)
    assert desk.row(own)["status"] == "published"
    made = desk.add(slug="mine", title="Mine")
    desk.run()
    desk.sql("UPDATE prompts SET status = 'pending' WHERE id = %s", made)  # its own slug is not another's
    desk.run()
    assert desk.row(made)["status"] == "published"


def test_texts_longer_than_the_blog_s_columns_cost_no_try_and_no_picture(desk: Desk) -> None:
    desk.sql(
        "ALTER TABLE posts ALTER title TYPE varchar(20), ALTER slug TYPE varchar(20), ALTER content TYPE varchar(20)"
    )
    post = desk.post("there")
    long = {name: desk.add(**{"title": "Hill", name: "x" * 21}) for name in ("title", "slug", "content")}
    spoken = desk.add("a hill " * 5, title="Hill")  # its prompt becomes the text of the post
    fits, old = desk.add(title="x" * 20, slug="y" * 20), desk.add(post_id=post, title="x" * 21)
    desk.run()
    for name, prompt in (*long.items(), ("content", spoken)):
        assert f"{name}: the blog takes at most 20 characters, not " in desk.rejected(prompt)
    assert [desk.row(each)["status"] for each in (fits, old)] == ["published"] * 2


def test_an_alt_text_that_an_illustrated_post_has_no_place_for_is_said(desk: Desk) -> None:
    desk.sql("ALTER TABLE posts DROP metadata")
    for column in ALT_COLUMNS:
        desk.sql(f"ALTER TABLE posts DROP COLUMN IF EXISTS {column}")
    prompt = desk.add(post_id=desk.post("there"), alt_text="A hill", excerpt="not asked for here")
    assert [said[:8] for said in desk.run().unplaced[prompt]] == ["alt_text"]


# ---- keys of clients


def test_the_same_key_is_the_same_prompt_and_another_row_with_it_is_refused(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert glad(desk, "add", "a hill", "--title=Hill", "--idempotency-key=order-7/é") == 0
    assert glad(desk, "add", "a hill", "--title=Hill", "--idempotency-key=order-7/é") == 0
    assert "that prompt is in the queue already: prompt 1" in capsys.readouterr().out
    with pytest.raises(UsageError, match="idempotency_key 'order-7/é' belongs to prompt 1 already"):
        glad(desk, "add", "another", "--idempotency-key=order-7/é")
    path = tmp_path / "rows.csv"
    assert imported(desk, path, "prompt,title,idempotency_key\na hill,Hill,order-7/é\nb,,k-2\nb,,k-2\nb,,k-3\n") == 2
    assert imported(desk, path, "prompt,title,idempotency_key\na hill,Hill,order-7/é\nb,,k-2\n") == 0
    with pytest.raises(UsageError) as refused:
        imported(desk, path, "prompt,idempotency_key\nc,k-2\nd,k-9\ne,k-9\n")
    assert "line 2: idempotency_key 'k-2' belongs to prompt 2 already" in str(refused.value)
    assert "line 4: idempotency_key 'k-9' is on line 3 already, with other fields" in str(refused.value)
    assert len(desk.sql("SELECT id FROM prompts")) == 3
    edit_prompt(desk.database, 2, {"title": "B"})  # the client knows it as it was
    assert add_prompt(desk.database, {"prompt": "b", "idempotency_key": "k-2"}) == (2, False)
    for line in ("b,,k-2", "b,B,k-2"):
        assert imported(desk, path, f"prompt,title,idempotency_key\n{line}\n") == 0
    with pytest.raises(UsageError, match="idempotency_key 'k-2' of prompt 2 stays as it is"):
        edit_prompt(desk.database, 2, {"idempotency_key": "k-4"})
    plain, _ = add_prompt(desk.database, {"prompt": "no key"})
    with pytest.raises(UsageError, match="idempotency_key 'k-2' belongs to prompt 2 already"):
        edit_prompt(desk.database, plain, {"idempotency_key": "k-2"})
    assert edit_prompt(desk.database, plain, {"idempotency_key": "k-5"}).changed == ("idempotency_key",)


def test_a_key_of_plain_sql_is_unique_and_known_to_add_and_import(desk: Desk, tmp_path: Path) -> None:
    prompt = desk.add("a hill", title="Hill", idempotency_key="k-1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        desk.add("another", idempotency_key="k-1")
    same = {"prompt": "a hill", "title": "Hill", "idempotency_key": "k-1"}
    assert add_prompt(desk.database, same) == (prompt, False)
    assert imported(desk, tmp_path / "x.csv", "prompt,title,idempotency_key\na hill,Hill,k-1\n") == 0
    for other in ({**same, "seed": "5"}, {**same, "title": "Hills"}):
        with pytest.raises(UsageError, match=f"belongs to prompt {prompt} already"):
            add_prompt(desk.database, other)
    with pytest.raises(UsageError, match=f"belongs to prompt {prompt} already"):
        imported(desk, tmp_path / "x.csv", "prompt,title,seed,idempotency_key\na hill,Hill,5,k-1\n")
    bad = [desk.add(idempotency_key=key) for key in ("", "a\x01b", "a\nb")]
    desk.run()
    assert all("idempotency_key" in desk.rejected(each) for each in bad)
    assert desk.row(prompt)["status"] == "published"


# ---- a person's choice


def test_a_person_s_picture_stays_until_a_person_approves_and_a_takedown_puts_it_back(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    post = desk.post("theirs", THEIRS)
    prompt = desk.add(post_id=post)
    assert glad(desk, "show", str(prompt)) == 0
    shown = capsys.readouterr()
    assert THEIRS in shown.out
    assert "it will wait for approval" in shown.err
    report = desk.run()
    assert list(report.conflicts) == [prompt]
    row = desk.row(prompt)
    assert (row["status"], desk.shown(post)) == ("awaiting_approval", THEIRS)
    assert f"shows a picture that is not this pipeline's, '{THEIRS}'" in row["last_error"]
    assert f"glad prompts approve {prompt}" in row["last_error"]
    assert management.approve(desk.database, [prompt]).changed == (prompt,)
    desk.run()
    first = desk.shown(post)
    assert (desk.row(prompt)["status"], desk.row(prompt)["replaced_image_url"]) == ("published", THEIRS)
    assert first is not None
    assert first != THEIRS
    over = desk.add("a better hill", post_id=post)  # the picture is ours now, whatever its address
    desk.sql("UPDATE posts SET featured_image_url = replace(featured_image_url, 'pictures.', 'old-cdn.')")
    desk.run()
    assert (desk.row(over)["status"], desk.row(over)["replaced_image_url"]) == ("published", THEIRS)
    desk.sql("UPDATE prompts SET status = 'pending' WHERE id = %s", over)  # drawn anew
    desk.run()
    assert (desk.row(over)["status"], desk.row(over)["replaced_image_url"]) == ("published", THEIRS)
    now = desk.shown(post)
    assert now not in (first, THEIRS)
    taken = takedown.delete_image(desk.database, str(now), reason="asked for")
    assert (taken.restored, taken.cleared, desk.shown(post)) == ({"theirs": THEIRS}, [], THEIRS)


def test_who_approves_a_picture_is_told_that_it_replaces_a_person_s(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, ours = desk.post("theirs", THEIRS), desk.post("ours")
    prompt, plain = (desk.add(post_id=post, needs_approval=True) for post in (theirs, ours))
    held = desk.add(post_id=theirs, publish_at=datetime(2999, 1, 1, tzinfo=UTC))
    desk.run()
    desk.database.transact("hold_back", partial(hold_back, reasons={str(key_of(desk, held)): "blank"}))
    told = "shows a picture that is not this pipeline's: `glad prompts approve {0}` puts the new one in its place"
    assert told.format(prompt) in desk.row(prompt)["last_error"]
    assert desk.row(held)["last_error"].startswith("blank. Its post " + told.format(held))
    assert (desk.row(plain)["status"], desk.row(plain)["last_error"]) == ("awaiting_approval", None)
    assert glad(desk, "show", str(prompt)) == 0
    assert "approving puts the new one in its place" in capsys.readouterr().err
    management.approve(desk.database, [prompt])
    desk.run()
    assert (desk.row(prompt)["status"], desk.row(prompt)["last_error"]) == ("published", None)


def key_of(desk: Desk, prompt: int) -> Any:
    return desk.sql("SELECT i.key FROM images i JOIN prompts p ON p.image_id = i.id WHERE p.id = %s", prompt)[0]["key"]


def test_replace_does_not_ask_and_an_approval_holds_for_one_publication(desk: Desk) -> None:
    post, empty = desk.post("theirs", THEIRS), desk.post("empty", "")
    prompt, other = desk.add(post_id=post, replace=True), desk.add(post_id=empty)
    desk.run()
    assert [desk.row(each)["status"] for each in (prompt, other)] == ["published"] * 2
    assert [desk.row(each)["replaced_image_url"] for each in (prompt, other)] == [THEIRS, None]
    taken = takedown.unpublish(desk.database, "theirs", reason="asked for")
    assert (taken.hidden, taken.restored, desk.shown(post)) == (["theirs"], {"theirs": THEIRS}, THEIRS)
    taken = takedown.unpublish(desk.database, "empty", reason="asked for")
    assert (taken.restored, desk.shown(empty)) == ({}, None)

    made = desk.add("a post of ours", title="Ours")
    desk.run()
    desk.sql("UPDATE posts SET featured_image_url = %s WHERE title = 'Ours'", THEIRS)  # a person changes it later
    desk.sql("UPDATE prompts SET status = 'pending' WHERE id = %s", made)
    desk.run()
    assert desk.row(made)["status"] == "awaiting_approval"
    management.approve(desk.database, [made])
    desk.run()
    assert (desk.row(made)["status"], desk.row(made)["replaced_image_url"]) == ("published", THEIRS)
    desk.sql("UPDATE posts SET featured_image_url = %s WHERE title = 'Ours'", THEIRS)
    desk.sql("UPDATE prompts SET status = 'pending' WHERE id = %s", made)
    desk.run()
    assert desk.row(made)["status"] == "awaiting_approval"
    assert glad(desk, "edit", str(made), "--replace") == 0


def test_two_prompts_for_one_post_in_one_run_remember_the_one_picture_that_was_theirs(desk: Desk) -> None:
    post = desk.post("theirs", THEIRS)
    prompts = [desk.add(f"hill {n}", post_id=post, replace=not n) for n in range(2)]
    desk.run()
    assert [desk.row(each)["replaced_image_url"] for each in prompts] == [THEIRS] * 2
    takedown.delete_image(desk.database, str(desk.shown(post)), reason="asked for")
    assert desk.shown(post) == THEIRS


def test_a_person_s_picture_comes_back_although_the_one_that_replaced_it_is_being_drawn_again(desk: Desk) -> None:
    posts = [desk.post(slug, THEIRS, metadata='{"featured_image_alt": "By hand", "own": 1}') for slug in "ab"]
    first, second = [
        desk.add(f"hill {slug}", post_id=post, replace=True) for slug, post in zip("ab", posts, strict=True)
    ]
    desk.run()
    assert desk.alt_text(posts[0]) == "Hill a"
    before = [str(desk.shown(post)) for post in posts]
    desk.sql("UPDATE prompts SET status = 'pending', needs_approval = true")
    desk.run()
    assert [desk.row(each)["status"] for each in (first, second)] == ["awaiting_approval"] * 2
    # what is shown still is taken down: what it replaced comes back, and the new one has it again
    taken = takedown.delete_image(desk.database, before[0], reason="asked for")
    assert (taken.restored, desk.shown(posts[0]), desk.alt_text(posts[0])) == ({"a": THEIRS}, THEIRS, "By hand")
    # another prompt replaces what is shown still: it has to know what was there before
    third = desk.add("a third hill", post_id=posts[1])
    desk.run()
    assert (desk.row(third)["status"], desk.row(third)["replaced_image_url"]) == ("published", THEIRS)
    taken = takedown.delete_image(desk.database, str(desk.shown(posts[1])), reason="asked for")
    assert (taken.restored, desk.alt_text(posts[1])) == ({"b": THEIRS}, "By hand")
    # nobody else knows what a prompt has replaced: emptied meanwhile, the post is no reason to forget it
    desk.sql("UPDATE posts SET featured_image_url = NULL WHERE id = %s", posts[0])
    management.approve(desk.database, [first])
    desk.run()
    row = desk.row(first)
    assert (row["status"], row["replaced_image_url"], row["replaced_alt_text"]) == ("published", THEIRS, "By hand")


def test_a_picture_that_a_person_took_away_does_not_come_back_with_a_takedown_of_another(desk: Desk) -> None:
    post = desk.post("theirs", THEIRS)
    desk.add("a hill", post_id=post, replace=True)
    desk.run()
    desk.sql("UPDATE posts SET featured_image_url = NULL")
    desk.add("another hill", post_id=post)
    desk.run()
    taken = takedown.delete_image(desk.database, str(desk.shown(post)), reason="asked for")
    assert (taken.restored, taken.cleared, desk.shown(post)) == ({}, ["theirs"], None)


def test_alt_text_in_a_column_goes_with_its_picture(desk: Desk) -> None:
    desk.sql("ALTER TABLE posts DROP metadata, ADD featured_image_alt text NOT NULL DEFAULT ''")
    old, empty = desk.post("theirs", THEIRS, featured_image_alt="By hand"), desk.post("empty")
    for post in (old, empty):
        desk.add(f"a hill {post}", post_id=post, replace=True, alt_text="A hill")
    desk.run()
    assert {row["featured_image_alt"] for row in desk.sql("SELECT * FROM posts")} == {"A hill"}
    for slug in ("theirs", "empty"):
        takedown.unpublish(desk.database, slug, reason="asked for")
    told = {row["slug"]: row["featured_image_alt"] for row in desk.sql("SELECT * FROM posts")}
    assert (told, desk.shown(old)) == ({"theirs": "By hand", "empty": ""}, THEIRS)


def test_the_pipeline_alone_says_what_was_replaced(desk: Desk) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="replaced_image_url"):
        desk.add(replaced_image_url=THEIRS)
    assert partial(desk.add, idempotency_key="x" * 2_000)() > 0
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        desk.add(idempotency_key="x" * 2_001)
    assert refused.value.diag.constraint_name == "keys_have_2000_bytes_at_most"


# ---- takedown on blogs of another make


def test_a_post_is_taken_down_by_the_very_id_that_is_named(desk: Desk) -> None:
    desk.sql("DROP TABLE posts; CREATE TABLE posts (id text PRIMARY KEY, title text, slug text, status text,"
             " featured_image_url text); INSERT INTO posts VALUES ('abc', 'l', 'lower', 'published'),"
             " ('ABC', 'u', 'upper', 'published')")  # fmt: skip
    migrate(desk.database.url)
    assert takedown.unpublish(desk.database, "ABC", reason="asked for").hidden == ["upper"]
    assert takedown.unpublish(desk.database, "abc", reason="asked for").hidden == ["lower"]
    with desk.database.transaction() as connection:
        found = connection.execute(EDITING["find_post"], {"post": "ABC"}).fetchone()
    assert found == {"id": "ABC"}


def test_a_blog_without_states_has_nothing_hidden_and_says_so(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.sql("ALTER TABLE posts DROP status CASCADE")
    prompt = desk.add(title="Hill")
    desk.run()
    assert glad(desk, "show", str(prompt)) == 0
    assert "/posts/hill" in capsys.readouterr().out
    for query in ("dead_links", "links_to_removed", "let_go_of_images"):
        with desk.database.transaction() as connection:
            connection.execute(AUDIT[query], {"ids": [1], "limit": 5})
    for keep in (False, True):
        with pytest.raises(GladError, match="the post hill cannot be hidden: the blog's posts has no status"):
            takedown.unpublish(desk.database, "hill", reason="asked for", keep_picture=keep)
    assert desk.row(prompt)["status"] == "published"
    url = desk.sql("SELECT featured_image_url AS url FROM posts")[0]["url"]
    taken = takedown.delete_image(desk.database, url, reason="asked for")
    assert (taken.hidden, taken.cleared, taken.prompts) == ([], ["hill"], [prompt])


def test_a_blog_that_wants_a_picture_with_every_post_refuses_a_takedown_by_name_and_may_hide_it(desk: Desk) -> None:
    desk.sql("ALTER TABLE posts ALTER featured_image_url SET NOT NULL, ADD CHECK (featured_image_url ~ '^https?://')")
    prompt = desk.add(title="Hill")
    desk.run()
    with pytest.raises(GladError, match=r"Let posts\.featured_image_url be empty, or hide .* --keep-picture"):
        takedown.unpublish(desk.database, "hill", reason="asked for")
    assert desk.row(prompt)["status"] == "published"
    assert takedown.unpublish(desk.database, "hill", reason="asked for", keep_picture=True).hidden == ["hill"]
