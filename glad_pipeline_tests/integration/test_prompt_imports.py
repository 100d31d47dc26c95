"""Whole lists of prompts through `glad prompts import` and `export`, on a real PostgreSQL: one command each."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.export import export_file
from glad_pipeline.prompts.files.columns import RESULTS
from glad_pipeline.prompts.importing import ImportReport, import_file
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline.records import FIELDS
from glad_pipeline.settings import Settings

Glad = Callable[..., int]


@pytest.fixture(scope="module")
def migrated(stack: dict[str, str]) -> Iterator[Database]:
    """One database for the tests of this file, which each find it empty."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}"
    migrate(url)
    with Database(url) as opened:
        yield opened
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(migrated: Database) -> Database:
    with migrated.transaction() as connection:
        connection.execute("TRUNCATE prompts, posts, images RESTART IDENTITY CASCADE")
    return migrated


@pytest.fixture
def glad(database: Database) -> Glad:
    """Runs `glad prompts …` in this process and returns its exit code."""
    return lambda *words: invoke(
        ["prompts", *map(str, words)], Runtime(Settings(_env_file=None, DATABASE_URL=database.url))
    )


def rows(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute("SELECT * FROM prompts ORDER BY id").fetchall()


def column(database: Database, name: str) -> list[Any]:
    return [row[name] for row in rows(database)]


# ---- lists as people have them


def test_partiprompts(database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "PartiPrompts.tsv"
    path.write_text(
        "Prompt\tCategory\tChallenge\tNote\r\n"
        "bond\tAbstract\tBasic\tBiology-inspired concepts with multiple meanings\r\n"
        '"Fall is here" written in autumn leaves floating on a lake.\tOutdoor Scenes\tWriting & Symbols\t\r\n'
        "a 1960s poster warning against climate change\tProduce & Plants\tImagination\t\r\n",
        newline="",
    )
    with pytest.raises(UsageError) as caught:
        glad("import", path)
    proposed = str(caught.value).split("To read it all the same: glad prompts ")[1]
    assert proposed == f"import {path} --ignore Challenge,Note"
    assert glad(*shlex.split(proposed)) == 0
    out = capsys.readouterr()
    assert out.out == f"{path}: 3 added, 0 there already\n"
    assert "read 'Prompt' as prompt, 'Category' as category; passed over: 'Challenge', 'Note'" in out.err
    assert column(database, "prompt")[1] == '"Fall is here" written in autumn leaves floating on a lake.'
    assert column(database, "category") == ["Abstract", "Outdoor Scenes", "Produce & Plants"]
    assert glad("import", path, "--ignore", "Challenge", "--ignore", "Note") == 0
    assert "0 added, 3 there already" in capsys.readouterr().out
    assert glad("import", path, "--map", "Prompt=prompt", "--ignore", "Category, Challenge, Note") == 0
    assert column(database, "category")[3:] == [None] * 3


def test_styles_csv(database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "styles.csv"
    text = 'name,prompt,negative_prompt\r\nCinematic,cinematic still {prompt} . film grain,"anime, cartoon"\r\n,,\r\n'
    path.write_text(f'{text}Line art,(line art:1.2) of a cat,"photo, 3d"\r\n', encoding="utf-8-sig", newline="")
    assert glad("import", path) == 0
    out = capsys.readouterr()
    assert f"{path}: 2 added" in out.out
    assert f"{path}: read 'name' as title; 1 empty row was skipped" in out.err
    assert "placeholder in 1 row (line 2): prompt: '{prompt}' is a style's place for a prompt" in out.err
    assert "weight in 1 row (line 4): prompt: '(line art:1.2)' is a weight elsewhere" in out.err
    assert column(database, "title") == ["Cinematic", "Line art"]
    assert column(database, "negative_prompt") == ["anime, cartoon", "photo, 3d"]


def test_prompts_from_file(database: Database, glad: Glad, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text(
        'a quiet harbour\n\n--prompt "a hill at dusk" --negative_prompt "people" --steps 25 --cfg_scale 6.5 '
        '--sampler_name "Euler a" --seed -1 --width 832 --height 1216\n'
    )
    assert glad("import", path) == 0
    first, second = rows(database)
    assert (first["prompt"], first["num_inference_steps"]) == ("a quiet harbour", None)
    named = ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler", "width", "height")
    assert [second[name] for name in named] == ["a hill at dusk", "people", 25, 6.5, "euler_a", 832, 1216]


@pytest.mark.parametrize(
    ("name", "encoding", "separator", "first"),
    [
        ("Mappe1.csv", "cp1252", ";", ""),
        ("Mappe1.csv", "utf-8-sig", ";", "sep=;\r\n"),
        ("Mappe1.txt", "utf-16", "\t", ""),  # "Unicode-Text"
    ],
)
def test_a_german_excel_export(
    database: Database, glad: Glad, tmp_path: Path, name: str, encoding: str, separator: str, first: str
) -> None:
    lines = [
        ["Prompt", "Title", "CFG", "Size", "Priority", "Needs approval", "Publish at", "", ""],
        ["Straße in Köln; nachts", "Köln", "7,5", "Portrait", "", "WAHR", "01.03.2027 09:05", "", ""],
        [""] * 9,
        ['ein "rotes" Haus', "", "6", "1024×768", "high", "FALSCH", "", "", ""],
    ]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(lines)
    (tmp_path / name).write_bytes((first + out.getvalue()).encode(encoding))
    assert glad("import", tmp_path / name) == 0
    names = ("prompt", "guidance_scale", "width", "height", "priority", "needs_approval", "publish_at")
    assert [[row[name] for name in names] for row in rows(database)] == [
        ["Straße in Köln; nachts", 7.5, 832, 1216, 0, True, datetime(2027, 3, 1, 9, 5, tzinfo=UTC)],
        ['ein "rotes" Haus', 6.0, 1024, 768, 10, False, None],
    ]


def test_diffusiondb(database: Database, glad: Glad, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    count = 3_000  # more than one batch
    table = pa.table(
        {
            "image_name": [f"{i}.png" for i in range(count)],
            "prompt": [f"a lake number {i}" for i in range(count)],
            "part_id": pa.array([1] * count, pa.uint16()),
            "seed": pa.array([4_294_967_295 - i for i in range(count)], pa.uint32()),
            "step": pa.array([50] * count, pa.uint16()),
            "cfg": pa.array([7.1] * count, pa.float32()),
            "sampler": pa.array([8] * count, pa.uint8()),  # its own numbers for schedulers
            "width": pa.array([512] * count, pa.uint16()),
            "height": pa.array([768] * count, pa.uint16()),
            "user_name": ["x"] * count,
            "timestamp": pa.array([datetime(2022, 8, 7, tzinfo=UTC)] * count, pa.timestamp("us", tz="UTC")),
            "image_nsfw": pa.array([0.1] * count, pa.float32()),
        }
    )
    path = tmp_path / "metadata.parquet"
    parquet.write_table(table, path, row_group_size=1_000)
    with pytest.raises(UsageError, match=r"--ignore image_name,part_id,user_name,timestamp,image_nsfw$"):
        glad("import", path)
    with pytest.raises(UsageError, match=r"row 1: scheduler 8 must be one of euler, euler_a"):
        glad("import", path, "--ignore", "*")
    assert glad("import", path, "--ignore", "sampler,*") == 0
    last = rows(database)[-1]
    names = ("prompt", "seed", "num_inference_steps", "guidance_scale", "width", "height", "scheduler")
    assert [last[name] for name in names] == ["a lake number 2999", 4_294_964_296, 50, 7.1, 512, 768, None]


# ---- several files, a look beforehand, and bad rows


def test_several_files_and_standard_input_are_one_import_all_or_nothing(
    database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("prompt,slug\na lake,lake\n")
    (tmp_path / "b.jsonl").write_text('{"prompt": "a hill", "slug": "hill"}\n')
    (tmp_path / "c.csv").write_text("prompt,slug\nx,\nanother lake,lake\nbad,Bad Slug\n")
    with pytest.raises(UsageError) as caught:
        glad("import", tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "c.csv")
    message = str(caught.value)
    assert "3 files have 2 faults, so nothing was imported" in message
    assert f"c.csv, line 3: slug 'lake' is on {tmp_path / 'a.csv'}, line 2 already" in message
    assert rows(database) == []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"prompt;title\nfrom a pipe;P\n")))
    assert glad("import", tmp_path / "a.csv", "-", tmp_path / "b.jsonl") == 0
    out = capsys.readouterr()
    assert out.out == "3 files: 3 added, 0 there already\n"
    assert "standard input: cells are separated by semicolons" in out.err
    assert column(database, "prompt") == ["a lake", "from a pipe", "a hill"]
    for twice in (["-", "-"], [tmp_path / "a.csv"] * 2):
        with pytest.raises(UsageError, match="is named twice"):
            glad("import", *twice)


def test_a_dry_run_shows_the_first_rows_and_writes_nothing(
    database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_prompt(database, {"prompt": "lake 0"})
    before = rows(database)
    path = tmp_path / "x.csv"
    path.write_text(
        "prompt,negative_prompt,size\n" + "".join(f"lake {i},,\n" for i in range(9)) + f"(x:1.4),{'y ' * 80},4:3\n"
    )
    assert glad("import", path, "--dry-run") == 0
    out = capsys.readouterr()
    assert "line 2:\n  prompt  lake 0\n" in out.out
    assert "  tokens  2\n" in out.out
    assert "line 6:" in out.out
    assert "line 7:" not in out.out
    assert f"{path}: 9 would be added, 1 there already\n" in out.out
    assert out.out.endswith("nothing was written; the cost would be 9 pictures\n")
    assert "weight in 1 row (line 11): prompt: '(x:1.4)' is a weight elsewhere" in out.err
    path.write_text(f"prompt,negative_prompt,size,width\n(x:1.4),{'y ' * 80},4:3,\nbad,,,7\n")
    assert glad("import", path, "--dry-run") == 2
    out = capsys.readouterr()
    assert out.out.splitlines()[1:] == [
        "  prompt           (x:1.4)",
        f"  negative_prompt  {('y ' * 80).strip()}",
        *[line for line in out.out.splitlines() if line.startswith("  seed ")],
        "  width            1152",
        "  height           896",
        "  tokens           7, negative prompt 80 (2 pieces of 75)",
        "  notice           prompt: '(x:1.4)' is a weight elsewhere, and drawn as text here: set prompt_syntax to a1111, "
        "or remove it",
        "nothing would be imported",
    ]
    assert "line 3: width '7' must be" in out.err
    assert rows(database) == before


def test_refused_rows_go_to_a_file_as_they_were_and_the_others_are_taken(
    database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_prompt(database, {"prompt": "there already", "slug": "taken"})
    (tmp_path / "a.csv").write_text(
        "Prompt;Slug;Width\nfine;;\nbad width;;7\nslug twice;fine;\nslug twice again;fine;512\nslug there;taken;\n"
    )
    (tmp_path / "b.jsonl").write_text('{"prompt": "fine too"}\n{"prompt": "colour", "colour": "red"}\n')
    files, errors = [tmp_path / "a.csv", tmp_path / "b.jsonl"], tmp_path / "errors.csv"
    with pytest.raises(UsageError, match="2 files have 4 faults"):
        glad("import", *files, "--errors", errors)
    assert len(rows(database)) == 1
    written = errors.read_text()
    assert glad("import", *files, "--errors", errors, "--skip-bad") == 0
    out = capsys.readouterr()
    assert out.out == "2 files: 3 added, 0 there already, 4 left out\n"
    assert "2 files have 4 faults; these rows were left out:" in out.err
    assert "--ignore colour" in out.err
    assert column(database, "prompt") == ["there already", "fine", "slug twice", "fine too"]
    assert errors.read_text() == written
    found = list(csv.DictReader(written.splitlines()))
    assert [(row["Prompt"] or row["prompt"], row["Slug"], row["Width"]) for row in found] == [
        ("bad width", "", "7"),
        ("colour", "", ""),
        ("slug twice again", "fine", "512"),
        ("slug there", "taken", ""),
    ]
    assert found[2]["result_line"] == f"{tmp_path / 'a.csv'}, line 5"
    assert (
        found[2]["result_reason"] == f"slug 'fine' is on {tmp_path / 'a.csv'}, line 4 already: choose another, or none"
    )
    with pytest.raises(UsageError, match="is one of the files to import"):
        glad("import", tmp_path / "a.csv", "--errors", tmp_path / "a.csv")
    with pytest.raises(UsageError, match="name a file in a directory that exists"):
        glad("import", tmp_path / "a.csv", "--errors", tmp_path / "no" / "errors.csv")


def test_bad_rows_of_one_line_of_json_are_left_out_and_the_others_are_not(
    database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    given = [{"prompt": "a", "slug": "s"}, {"prompt": "b", "slug": "s"}, {"prompt": "c"}, {"prompt": "d"}]
    path.write_text(json.dumps(given))
    with pytest.raises(UsageError, match="row 2: slug 's' is on row 1 already"):
        glad("import", path)
    assert glad("import", path, "--skip-bad") == 0
    assert capsys.readouterr().out == f"{path}: 3 added, 0 there already, 1 left out\n"
    assert column(database, "prompt") == ["a", "c", "d"]


def test_a_quote_that_is_never_closed_takes_no_good_rows_with_it(
    database: Database, glad: Glad, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt,width\na lake,7\n"a hill,\n' + "".join(f"a city {i},\n" for i in range(500)))
    with pytest.raises(UsageError, match=r"line 3: opens a double quote that is never closed, lines 3 to 503, so noth"):
        glad("import", path, "--skip-bad")
    with pytest.raises(UsageError, match=r"a\.csv has 2 faults, so nothing was imported"):
        glad("import", path)
    assert rows(database) == []
    path.write_text('prompt\na lake\n"a hill\n')  # the last row alone
    assert glad("import", path, "--skip-bad") == 0
    assert column(database, "prompt") == ["a lake"]


def test_refused_rows_are_imported_once_they_are_mended_and_no_spreadsheet_computes_them(
    database: Database, glad: Glad, tmp_path: Path
) -> None:
    errors = tmp_path / "errors.csv"
    (tmp_path / "a.csv").write_text("prompt,width,seed\n=HYPERLINK(1),7,-1\n'=x,8,\n")
    with pytest.raises(UsageError, match="2 faults"):
        glad("import", tmp_path / "a.csv", "--errors", errors)
    written = errors.read_text()
    assert [row[0] for row in csv.reader(written.splitlines())] == ["prompt", "'=HYPERLINK(1)", "''=x"]
    with pytest.raises(UsageError, match="2 faults"):  # once more: the same file, with its reasons of this time
        glad("import", errors, "--errors", tmp_path / "again.csv")
    assert list(csv.DictReader((tmp_path / "again.csv").open())) == list(csv.DictReader(written.splitlines()))
    errors.write_text(written.replace(",7,", ",512,").replace(",8,", ",512,"))
    assert glad("import", errors) == 0
    assert column(database, "prompt") == ["=HYPERLINK(1)", "'=x"]


def test_refused_rows_with_names_of_their_own_or_half_a_character_are_written_in_little_space(
    database: Database, glad: Glad, tmp_path: Path
) -> None:
    path, errors = tmp_path / "a.jsonl", tmp_path / "errors.csv"
    lines = [{"prompt": "half \ud800"}, *({f"key {i}-{j}": "v" for j in range(50)} for i in range(100))]
    path.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(UsageError, match="101 faults"):
        glad("import", path, "--errors", errors)
    found = list(csv.DictReader(errors.open()))
    assert (len(found), len(found[0])) == (101, 1_000)
    assert found[0]["prompt"] == "half \\ud800"
    assert json.loads(found[-1]["other columns"]) == lines[-1]
    assert errors.stat().st_size < 500_000
    assert sorted(tmp_path.iterdir()) == [path, errors]


def test_a_column_that_is_mapped_and_in_no_file_is_a_mistake(database: Database, glad: Glad, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt\na lake\n")
    with pytest.raises(UsageError, match="--map: no file has the column 'Seeds': check its name"):
        glad("import", tmp_path / "a.csv", "--map", "Seeds=seed")
    assert rows(database) == []


# ---- seeds


def test_a_seed_of_minus_one_is_chosen_once_and_recorded(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,seed\na lake,-1\na lake,\na hill,-1\na hill,5\n")
    assert import_file(database, path) == ImportReport(added=3, existing=1, differing=0)
    seeds = column(database, "seed")
    assert len(set(seeds)) == 3
    assert all(seed >= 0 for seed in seeds)
    assert import_file(database, path).added == 0
    assert add_prompt(database, {"prompt": "a lake", "seed": "-1"}) == (rows(database)[0]["id"], False)
    assert column(database, "seed") == seeds


# ---- export

POST = "0b7d4f6e-3c1a-4f5e-9a55-0d6f3a1c2b4d"


def everything(database: Database) -> None:
    """Prompts of all kinds: every field, none, hostile text, by plain SQL, published, failed."""
    fields: dict[str, Any] = dict.fromkeys(FIELDS)
    fields |= {
        "prompt": "=1+1", "negative_prompt": "-people", "prompt_syntax": "a1111", "title": "'Lake'", "slug": "lake",
        "excerpt": "@x", "content": "# y\n\n  two, lines\t", "category": "Lakes", "author": "Mara \"M\" B", "seed": 5,
        "alt_text": "+", "task_id": "t1", "idempotency_key": "=k", "post_id": POST, "width": 512, "height": 768,
        "num_inference_steps": 12, "guidance_scale": 6.55, "scheduler": "ddim", "preset": "fast", "model": "some/model",
        "model_revision": "a" * 40, "lora": "owner/name*0.8", "priority": -9,
        "publish_at": "2030-01-01T00:00:00.5+01:00", "needs_approval": True, "focus": "0.5,0.3", "replace": True, "source": "+desk",
            "publish": "picture",
    }  # fmt: skip
    with database.transaction() as connection:
        connection.execute("INSERT INTO posts (id, title, slug, content) VALUES (%s, 'x', 'x', '')", [POST])
    assert all(value is not None for value in fields.values())
    add_prompt(database, fields)
    for prompt in ("prompt, and no more", "--a dash", "''-a", "[a|b], שקיעה 🌅"):
        add_prompt(database, {"prompt": prompt})
    with database.transaction() as connection:
        connection.execute("INSERT INTO prompts (prompt, slug) VALUES ('by plain SQL', 'sql')")
        connection.execute("UPDATE prompts SET status = 'cancelled' WHERE prompt = '--a dash'")
        connection.execute("UPDATE prompts SET last_error = '=reason' WHERE prompt = '--a dash'")


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_what_was_exported_imports_again_as_the_same_prompts(
    database: Database, glad: Glad, tmp_path: Path, format: str
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    everything(database)
    before = rows(database)
    path = tmp_path / f"all.{format}"
    assert glad("export", path) == 0
    assert import_file(database, path).added == 0
    assert rows(database) == before
    with database.transaction() as connection:
        connection.execute("TRUNCATE prompts CASCADE")
    assert import_file(database, path).added == len(before)
    again = rows(database)
    assert [[row[name] for name in FIELDS] for row in again] == [[row[name] for name in FIELDS] for row in before]
    assert [row["content_hash"] for row in again][:5] == [row["content_hash"] for row in before][:5]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_rows_of_plain_sql_that_no_import_would_take_come_back_as_themselves(
    database: Database, glad: Glad, tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    with database.transaction() as connection:
        connection.execute(
            r"""INSERT INTO prompts (prompt, title, width, publish_at) VALUES
                ('a cat ', NULL, NULL, NULL), (E'two\r\n"red" lines', NULL, NULL, now()), ('a lake', '', NULL, NULL),
                ('a hill', NULL, 100, NULL)"""
        )
    before = rows(database)
    path = tmp_path / f"all.{format}"
    assert glad("export", path) == 0
    assert import_file(database, path).existing == 4
    assert rows(database) == before
    with database.transaction() as connection:
        connection.execute("UPDATE prompts SET title = 'another' WHERE prompt = 'a hill'")
    with pytest.raises(UsageError, match=r"1 fault, so nothing was imported:\n.*width"):
        import_file(database, path)


def test_an_export_has_what_became_of_each_prompt_and_nothing_that_a_spreadsheet_computes(
    database: Database, tmp_path: Path
) -> None:
    everything(database)
    assert export_file(database, tmp_path / "x.csv", status="cancelled") == 1
    [row] = csv.DictReader((tmp_path / "x.csv").open())
    assert list(row) == [*FIELDS, *RESULTS]
    assert (row["prompt"], row["seed"], row["result_status"], row["result_reason"]) == (
        "'--a dash", "", "cancelled", "'=reason"
    )  # fmt: skip
    assert int(row["result_seed"]) == next(r["seed"] for r in rows(database) if r["prompt"] == "--a dash")


def test_a_published_prompt_is_exported_with_its_picture_and_post(
    database: Database, glad: Glad, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from glad_pipeline_tests.integration.test_prompt_commands import URL, prompt_in

    prompt_in(database, "published")
    with database.transaction() as connection:
        connection.execute(
            """WITH post AS (INSERT INTO posts (title, slug, content, status)
                             VALUES ('Lake', 'the-lake', '', 'published') RETURNING id)
               UPDATE prompts SET published_post_id = post.id FROM post"""
        )
    assert glad("export", "--format", "jsonl", "--status", "published") == 0
    found = json.loads(capfdbinary.readouterr().out)
    assert (found["result_image_url"], found["result_post"], found["result_status"]) == (
        URL, "/posts/the-lake", "published"
    )  # fmt: skip
    with pytest.raises(UsageError, match="must be one of pending"):
        glad("export", "--status", "done")
    with pytest.raises(UsageError, match="--format csv"):
        glad("export", "x.list")
    with pytest.raises(UsageError, match="--format 'xls' must be one of csv, tsv"):
        glad("export", "--format", "xls")


def test_a_file_whose_name_is_no_text_is_named_all_the_same(
    glad: Glad, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "\udcff.csv"
    path.write_text("prompt\na lake\n")
    assert glad("import", str(path)) == 0
    assert "·.csv: 1 added" in capfd.readouterr().out


def test_a_txt_export_is_what_was_asked_for_and_refuses_line_breaks(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    add_prompt(database, {"prompt": "prompt, and \"more\" of 'it'", "title": "-- T"})
    add_prompt(database, {"prompt": "a lake", "guidance_scale": 7.5, "num_inference_steps": 9})
    add_prompt(database, {"prompt": "a hill -- far"})
    assert export_file(database, path) == 3
    assert path.read_text().splitlines()[1:] == ["--prompt='a lake' --steps=9 --cfg_scale=7.5", "a hill -- far"]
    assert import_file(database, path).added == 0
    add_prompt(database, {"prompt": "two\nlines"})
    with pytest.raises(UsageError, match="prompt of prompt 4 has line breaks, and TXT can hold none: --format jsonl"):
        export_file(database, path)
    assert len(path.read_text().splitlines()) == 3
    assert list(tmp_path.iterdir()) == [path]
