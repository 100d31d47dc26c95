"""Files and single prompts into the queue, on a real PostgreSQL: all of a file or nothing, and never twice."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glad_pipeline.database import Database
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.prompts.importing import ImportReport, import_file
from glad_pipeline.prompts.intake import add_prompt, content_hash
from glad_pipeline.prompts.validation import new_prompt
from glad_pipeline.records import FIELDS

POST = "0b7d4f6e-3c1a-4f5e-9a55-0d6f3a1c2b4d"
EXAMPLES = Path(__file__).parents[2] / "examples" / "prompts.csv"


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with Database(migrated_url) as opened:
        with opened.transaction() as connection:
            connection.execute("INSERT INTO content_tasks (task_id) VALUES ('t1'), ('t2')")
            connection.execute("INSERT INTO posts (id, title, slug, content) VALUES (%s, 'x', 'x', '')", [POST])
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some prompts.csv"


def rows(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute("SELECT * FROM prompts ORDER BY id").fetchall()


def load(database: Database, path: Path, data: str | bytes) -> ImportReport:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return import_file(database, path)


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return out.getvalue()


def refusal(database: Database, path: Path, data: str | bytes) -> str:
    """The message with which a file is refused; the table must not have changed."""
    before = rows(database)
    with pytest.raises(UsageError) as caught:
        load(database, path, data)
    assert rows(database) == before
    assert caught.value.exit_code == 2
    return str(caught.value)


# ---- what is imported


def test_the_shipped_examples_are_imported_and_a_second_time_nothing_is_added(database: Database) -> None:
    first = import_file(database, EXAMPLES)
    assert first.added >= 12
    assert first.existing == 0
    before = rows(database)
    assert all(row["title"] and row["alt_text"] and row["status"] == "pending" for row in before)
    assert import_file(database, EXAMPLES) == ImportReport(added=0, existing=first.added, differing=0)
    assert rows(database) == before


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_either_line_end_make_no_difference(
    database: Database, file: Path, mark: str, end: str
) -> None:
    text = f'{mark}prompt,title{end}"a lake,{end}with ""quotes""",The lake{end}"שקיעה 🌅",{end}'
    assert load(database, file, text).added == 2
    assert [(row["prompt"], row["title"]) for row in rows(database)] == [
        ('a lake,\nwith "quotes"', "The lake"),
        ("שקיעה 🌅", None),
    ]


def test_every_column_of_a_csv_and_every_key_of_a_jsonl_arrives(database: Database, tmp_path: Path) -> None:
    fields = {
        "prompt": "a lake", "negative_prompt": "people", "prompt_syntax": "a1111", "title": "Lake", "slug": "lake", "excerpt": "x",
        "content": "# y", "category": "Lakes", "author": "Mara", "alt_text": "a lake", "task_id": "t1",
        "idempotency_key": "k1", "replace": True, "focus": "top left", "source": "desk", "post_id": POST, "seed": 5, "width": 512, "height": 768,
        "num_inference_steps": 12, "guidance_scale": 6.5, "scheduler": "ddim", "preset": "fast", "model": "some/model",
        "model_revision": "a" * 40, "lora": "owner/name/file.safetensors*0.8", "priority": 9, "publish_at": "2030-01-01T00:00:00+01:00", "needs_approval": True,
            "publish": "picture",
    }  # fmt: skip
    assert set(fields) == set(FIELDS)
    expected = new_prompt(fields)
    line = json.dumps(fields)
    assert load(database, tmp_path / "one.jsonl", line).added == 1
    out = io.StringIO()
    csv.writer(out).writerows([fields.keys(), fields.values()])
    again, at = load(database, tmp_path / "one.csv", out.getvalue()), expected.publish_at
    assert again == ImportReport(added=0, existing=1, differing=0, first_time=at, last_time=at)
    [row] = rows(database)
    assert {name: row[name] for name in FIELDS} == {name: getattr(expected, name) for name in FIELDS}
    assert row["content_hash"] == content_hash(expected)


def test_without_a_seed_the_content_decides_it_so_the_same_file_gives_the_same_pictures(
    database: Database, file: Path
) -> None:
    load(database, file, "prompt,seed\na lake,\na hill,\na city,0\n")
    seeds = {row["prompt"]: row["seed"] for row in rows(database)}
    assert seeds["a lake"] == int(content_hash(new_prompt({"prompt": "a lake"}))[:8], 16)
    assert len(set(seeds.values())) == 3
    assert seeds["a city"] == 0


def test_a_line_repeated_in_the_file_is_one_prompt(database: Database, file: Path) -> None:
    text = "prompt,slug,task_id\n" + "a lake,lake,\n" * 2 + "a hill,,t1\n" * 3
    assert load(database, file, text) == ImportReport(added=2, existing=3, differing=0)


def test_a_known_task_id_with_other_fields_is_kept_as_it_was_and_counted(database: Database, file: Path) -> None:
    load(database, file, "prompt,task_id\na lake,t1\n")
    report = load(database, file, "prompt,task_id\na bigger lake,t1\na hill,t2\n")
    assert report == ImportReport(added=1, existing=1, differing=1)
    assert [row["prompt"] for row in rows(database)] == ["a lake", "a hill"]


def test_an_import_without_rows_adds_none(database: Database, file: Path) -> None:
    assert load(database, file, "prompt\n").added == 0
    assert load(database, file.with_suffix(".jsonl"), "").added == 0


# ---- what is refused: files


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no header"),
        (b"title,slug\nA,a\n", "column prompt is missing"),
        (b"prompt,titel\na,b\n", "'titel' (did you mean title?)"),
        (b"prompt,prompt\na,b\n", "appears twice"),
        (b"prompt,\na,b\n", "has 'b' in a column without a name"),
        ("Straße\n".encode() + "prompt\nStraße\n".encode("latin-1"), "line 1 is UTF-8, line 3 is not ('Straße')"),
        (b"prompt\nx\x81\n", "neither UTF-8 nor Windows-1252: line 2 has byte 0x81 at 2"),
        ("prompt\na lake\n".encode("utf-32"), "UTF-32"),
        (b",".join(b"c%d" % i for i in range(100_000)), "100,000 columns, where at most 1,000"),
        (b"prompt\n" + b"x" * 20_000_000, "line 2 is longer than 16,777,216 characters"),
        (gzip.compress(b"prompt\na lake\n", mtime=0), "gzip"),
        (b"PK\x03\x04 an archive cut short", "ZIP archive"),
        (zipped("xl/workbook.xml"), "an Excel workbook (.xlsx): save the sheet as CSV"),
        (zipped("mimetype", "content.xml"), "OpenDocument"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9, "old Excel workbook"),
        (b"PAR1 and no more", "is not Parquet that can be read"),
        (b'"prompt\n', "never closed"),
        (b"\xff" * 100, "unknown 'ÿÿÿ"),
        (b"\0" * 100, "unknown"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_refused(database: Database, file: Path, data: bytes, said: str) -> None:
    message = refusal(database, file, data)
    assert said in message
    assert len(message) < 1_000


def test_unknown_columns_are_answered_with_all_the_known_ones(database: Database, file: Path) -> None:
    message = refusal(database, file, "prompt,colour\na,b\n")
    assert all(name in message for name in FIELDS)


def test_a_path_that_cannot_be_read_is_refused_whatever_the_reason(database: Database, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "prompts.list").write_text("a lake\n")
    for path, said in {
        tmp_path / "absent.csv": "does not exist",
        tmp_path / "folder.csv": "is a directory",
        tmp_path / "prompts.list": "what kind of file .* cannot be said",
        tmp_path / ("x" * 300 + ".csv"): "cannot be read",
        Path("nul\0.csv"): "cannot be read",
    }.items():
        with pytest.raises(UsageError, match=said):
            import_file(database, path)


# ---- what is refused: rows, by line


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (",512", "prompt is missing"),
        ('"  ",', "is blank"),
        ("a\0b,", "NUL"),
        ("x" * 200_000 + ",", "200,000 characters"),
        ("a lake,100", "multiple of 8"),
        ("a lake,80000", "from 64 to 4,096"),
        ("a lake", "1 cells where the header has 2: the row is cut short"),
        ("a lake,512,extra", "3 cells where the header has 2"),
        ('"a "lake",512', "written twice"),
        ('"a half line', "never closed"),
        ("a lone\rreturn,", "carriage return"),
    ],
)
def test_a_bad_row_is_reported_by_its_line_and_no_other_is_imported(
    database: Database, file: Path, cells: str, said: str
) -> None:
    message = refusal(database, file, f'prompt,width\n"two\nlines",512\n{cells}')
    assert "has 1 fault" in message
    assert "line 4: " in message
    assert said in message.replace("write a quote inside a quoted cell twice", "written twice")
    assert len(message) < 600


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": "a la', "cut short"),
        ("a lake", "not JSON"),
        ('["a lake"]', "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"prompt": "a", "promt": "b"}', "did you mean prompt?"),
        ('{"prompt": "a", "prompt": "b"}', "appears twice"),
        ('{"prompt": "\\ud800"}', "surrogate"),
        ('{"prompt": "a\\u0000b"}', "NUL"),
        ('{"prompt": 7}', "must be text"),
        ('{"prompt": "a", "seed": ' + "9" * 5_000 + "}", "JSON"),
        ('{"prompt": "a", "guidance_scale": NaN}', "from 0 to 30"),
        ('{"prompt": "a", "num_inference_steps": -4}', "from 1 to 200"),
        ("[" * 100_000, "JSON"),
        ('{"title": "no prompt"}', "prompt is missing"),
    ],
)
def test_a_bad_line_of_json_is_reported_and_no_other_is_imported(
    database: Database, tmp_path: Path, line: str, said: str
) -> None:
    message = refusal(database, tmp_path / "p.jsonl", f'{{"prompt": "good"}}\n\n{line}\n{{"prompt": "good too"}}\n')
    assert "line 3: " in message
    assert said in message


def test_the_first_50_of_many_bad_rows_are_shown_and_all_are_counted(database: Database, file: Path) -> None:
    message = refusal(database, file, "prompt,width\n" + "a lake,7\n" * 1_234)
    assert "1,234 faults" in message
    assert "line 51: " in message
    assert "line 52: " not in message
    assert "and 1,184 more" in message


def test_a_slug_or_task_id_that_the_file_uses_twice_is_reported_with_both_lines(database: Database, file: Path) -> None:
    message = refusal(database, file, "prompt,slug,task_id\na,s1,\nb,s1,\nc,,t1\nd,,t1\nbad,Bad Slug,\n")
    assert "3 faults" in message
    assert "line 3: slug 's1' is on line 2 already" in message
    assert "line 5: task_id 't1' is on line 4 already" in message
    assert message.index("line 5:") < message.index("line 6: slug 'Bad Slug'")


def test_a_slug_of_another_prompt_is_refused_unless_that_was_cancelled(database: Database, file: Path) -> None:
    first, _ = add_prompt(database, {"prompt": "a lake", "slug": "lake"})
    again = "prompt,slug\nanother lake,lake\n"
    assert f"line 2: slug 'lake' belongs to prompt {first} already" in refusal(database, file, again)
    with pytest.raises(UsageError, match=f"belongs to prompt {first}"):
        add_prompt(database, {"prompt": "another lake", "slug": "lake"})
    with database.transaction() as connection:
        connection.execute("UPDATE prompts SET status = 'cancelled'")
    assert load(database, file, again).added == 1


def test_a_slug_of_a_post_is_refused_unless_that_post_is_to_be_illustrated(database: Database, file: Path) -> None:
    with database.transaction() as connection:
        post = connection.execute(
            "INSERT INTO posts (title, slug, content, status) VALUES ('t', 'lake', '', 'draft') RETURNING id"
        ).fetchone()
    assert post is not None
    assert "belongs to the post" in refusal(database, file, "prompt,slug\na lake,lake\n")
    with pytest.raises(UsageError, match="belongs to the post"):
        add_prompt(database, {"prompt": "a lake", "slug": "lake"})
    assert load(database, file, f"prompt,slug,post_id\na lake,lake,{post['id']}\n").added == 1


def test_slugs_are_checked_where_the_blog_has_no_posts_table_too(database: Database, file: Path) -> None:
    with database.transaction() as connection:
        connection.execute("DROP TABLE posts CASCADE")
    assert load(database, file, "prompt,slug\na lake,lake\n").added == 1
    assert add_prompt(database, {"prompt": "a hill", "slug": "hill"})[1]


# ---- one at a time


def test_adding_the_same_prompt_again_gives_the_same_id(database: Database, file: Path) -> None:
    first = add_prompt(database, {"prompt": "a lake", "title": "Lake", "slug": "lake"})
    assert first == (first[0], True)
    assert add_prompt(database, {"prompt": "a lake", "title": "Lake", "slug": "lake"}) == (first[0], False)
    assert load(database, file, "prompt,title,slug\na lake,Lake,lake\n").existing == 1
    keyed = add_prompt(database, {"prompt": "a lake", "task_id": "t1"})
    assert keyed[1]
    assert add_prompt(database, {"prompt": "something else", "task_id": "t1"}) == (keyed[0], False)


def test_adding_a_bad_prompt_says_every_reason_and_adds_nothing(database: Database) -> None:
    with pytest.raises(UsageError, match=r"prompt .* blank.*; width "):
        add_prompt(database, {"prompt": " ", "width": 9})
    assert rows(database) == []


# ---- many at once, very many, and anything at all


def test_two_imports_of_the_same_file_at_once_add_each_prompt_once(database: Database, file: Path) -> None:
    file.write_text("prompt,slug\n" + "".join(f"lake {i},lake-{i}\n" for i in range(3_000)))
    together = threading.Barrier(4)

    def one(_: int) -> ImportReport:
        together.wait()
        return import_file(database, file)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(one, range(4)))
    assert sorted(report.added for report in reports) == [0, 0, 0, 3_000]
    assert len(rows(database)) == 3_000


def test_of_two_files_at_once_that_want_one_slug_only_one_is_imported(database: Database, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.csv" for i in range(4)]
    for i, path in enumerate(paths):
        path.write_text(f"prompt,slug\nlake {i},lake\n")
    together = threading.Barrier(4)

    def one(path: Path) -> str:
        together.wait()
        try:
            return f"{import_file(database, path).added} added"
        except UsageError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, paths))
    assert answers.count("1 added") == 1
    assert sum("belongs to prompt" in answer for answer in answers) == 3
    assert len(rows(database)) == 1


def test_a_prompt_added_many_times_at_once_is_there_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: add_prompt(database, {"prompt": "a lake", "slug": "lake"}), range(24)))
    assert len({prompt_id for prompt_id, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


def test_thirty_thousand_rows_are_imported_in_flat_memory(database: Database, file: Path) -> None:
    with file.open("w") as out:
        out.write("prompt,title,slug,task_id\n")
        out.writelines(f"a lake number {i} at dawn,Lake {i},lake-{i},task-{i}\n" for i in range(30_000))
    told: list[tuple[str, int]] = []
    tracemalloc.start()
    report = import_file(database, file, progress=lambda doing, done: told.append((doing, done)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.added == 30_000
    assert peak < 4 * 2**20, f"{peak / 2**20:.1f} MiB were held for a file of {file.stat().st_size / 2**20:.1f} MiB"
    assert ("checked", 20_000) in told
    assert told[-1] == ("writing", 30_000)


anything = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
any_text = st.text(st.characters(codec="utf-8"), max_size=60)
json_value = st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.lists(st.integers(), max_size=2)


def imports_or_refuses(database: Database, path: Path, data: bytes) -> None:
    before = len(rows(database))
    try:
        added = load(database, path, data).added
    except GladError:
        added = 0
    assert len(rows(database)) == before + added


@anything
@given(st.binary(max_size=200) | any_text.map(str.encode))
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_any_bytes_are_imported_or_refused_and_nothing_between(
    database: Database, tmp_path: Path, name: str, data: bytes
) -> None:
    imports_or_refuses(database, tmp_path / name, data)
    imports_or_refuses(database, tmp_path / name, b"prompt,title,slug\n" + data)


@anything
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), any_text), max_size=4))
def test_any_cells_are_imported_or_refused_and_nothing_between(
    database: Database, tmp_path: Path, found: list[dict[str, str]]
) -> None:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, FIELDS)
    writer.writeheader()
    writer.writerows({"prompt": "a lake"} | cells for cells in found)
    imports_or_refuses(database, tmp_path / "x.csv", out.getvalue().encode())


@anything
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), json_value), max_size=4), st.booleans())
def test_any_json_is_imported_or_refused_and_nothing_between(
    database: Database, tmp_path: Path, found: list[dict[str, Any]], escaped: bool
) -> None:
    lines = [json.dumps({"prompt": "a lake"} | fields, ensure_ascii=escaped) for fields in found]
    imports_or_refuses(database, tmp_path / "x.jsonl", "\n".join(lines).encode())
