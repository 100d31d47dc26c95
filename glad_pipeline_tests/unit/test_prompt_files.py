"""Files of prompts as people have them, read without a database: what is found out, what is said, what is refused."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glad_pipeline.cli.prompt_files import _names
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.prompts.files import columns
from glad_pipeline.prompts.files.columns import RESULTS
from glad_pipeline.prompts.files.reading import new_reading, read_records
from glad_pipeline.prompts.files.record import Reading, ReadOptions, Record
from glad_pipeline.prompts.syntax import notices


def read(path: Path, data: str | bytes, **options: Any) -> tuple[list[Record], Reading]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    reading = new_reading(path, ReadOptions(files=(str(path),), **options))
    return list(read_records(path, reading)), reading


def prompts(records: list[Record]) -> list[str]:
    assert [record.fault for record in records if record.fault] == []
    return [record.fields["prompt"] for record in records]


# ---- tables: separators, encodings, line ends, quotes


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("told", ["", "sep=%s\n"])
def test_the_separator_is_found_out_or_believed_as_the_sep_line_says(tmp_path: Path, separator: str, told: str) -> None:
    lines = [["prompt", "title", "seed"], ["a lake; at dawn, pink | soft", "A \tlake", "7"], ["a hill", "", ""]]
    text = "".join(separator.join(f'"{cell}"' for cell in line) + "\r\n" for line in lines)
    records, _ = read(tmp_path / "x.csv", (told % separator if told else "") + text)
    assert [record.fields for record in records] == [
        {"prompt": "a lake; at dawn, pink | soft", "title": "A \tlake", "seed": "7"},
        {"prompt": "a hill"},
    ]
    assert records[0].line == (3 if told else 2)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "read as UTF-16"),
        ("utf-16-le", "read as UTF-16"),
        ("utf-16-be", "read as UTF-16"),
        (
            "cp1252",
            "read as Windows-1252, since it is not UTF-8 (else: --encoding); line 2 is 'Straße in Köln – „süß“'",
        ),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.jsonl"])
def test_the_encoding_and_the_line_ends_are_found_out_and_said_where_they_are_not_ours(
    tmp_path: Path, encoding: str, said: str, end: str, name: str
) -> None:
    prompt = "Straße in Köln – „süß“"
    lines = {
        "x.csv": ["prompt", prompt, "a hill"],
        "x.txt": ["a lake", prompt, "a hill"],
        "x.jsonl": [json.dumps({"prompt": text}, ensure_ascii=False) for text in ("a lake", prompt, "a hill")],
    }[name]
    records, reading = read(tmp_path / name, (end.join(lines) + end).encode(encoding))
    assert prompts(records)[-2:] == [prompt, "a hill"]
    if encoding == "cp1252" and (name == "x.jsonl" or end == "\r"):  # another line, and then there is one line in all
        said = next(note for note in reading.notes if note.startswith("read as Windows-1252"))
    assert reading.notes == ([said] if said else [])


def test_an_encoding_that_is_given_is_used_and_one_that_is_not_python_s_is_refused(tmp_path: Path) -> None:
    records, _ = read(tmp_path / "x.csv", "prompt\nзакат\n".encode("cp1251"), encoding="cp1251")
    assert prompts(records) == ["закат"]
    for wrong in ("cp9999", "hex", "zip"):
        with pytest.raises(UsageError, match=f"--encoding '{wrong}' is unknown: utf-8, utf-16"):
            read(tmp_path / "x.csv", "prompt\n", encoding=wrong)
        with pytest.raises(UsageError, match=f"--encoding '{wrong}' is unknown: utf-8, utf-16"):
            read(tmp_path / "x.txt", "a lake\n", encoding=wrong)
    with pytest.raises(UsageError, match=r"is not utf-16-le: line 2 has byte 0x00 at offset 14. Save it as UTF-8, or"):
        read(tmp_path / "x.csv", "prompt\n".encode("utf-16-le") + b"\x00\xd8a\x00", encoding="utf-16-le")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.json", json.dumps([{"prompt": "une journée d'été"}] * 3, ensure_ascii=False).encode() + b"\xe9"),
        ("x.txt", "une journée d'été".encode()[:-1]),
        ("x.txt", "закат над морем, ночь".encode()[:-1]),
    ],
)
def test_utf_8_with_a_stray_byte_is_not_read_as_windows_1252(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(UsageError, match=r"mixes encodings: line 1 is UTF-8, but for byte 0x\w\w at [\d,]+\. Save"):
        read(tmp_path / name, data)


@pytest.mark.parametrize("text", ["Spaß“, grün", "« été\xa0», à côté", "É“, é"])
def test_windows_1252_that_has_bytes_as_utf_8_has_them_is_read(tmp_path: Path, text: str) -> None:
    assert prompts(read(tmp_path / "x.txt", text.encode("cp1252"))[0]) == [text]


def test_a_tsv_with_raw_quotes_is_told_from_a_quoted_one(tmp_path: Path) -> None:
    raw = 'Prompt\tNote\n"Fall is here" written in leaves\t\nan 18" globe\t"x"\n'
    records, reading = read(tmp_path / "x.tsv", raw, ignored=["Note"])
    assert prompts(records) == ['"Fall is here" written in leaves', 'an 18" globe']
    assert "double quotes are text, since some end within a cell" in reading.notes
    quoted = 'prompt\ttitle\n"a ""red"" lake\non two lines"\tLake\n'
    assert prompts(read(tmp_path / "x.tsv", quoted)[0]) == ['a "red" lake\non two lines']
    second = 'prompt\ttitle\n"a lake\n""red"" at dawn"\tLake\n'  # the second line looks like raw quotes
    assert prompts(read(tmp_path / "x.tsv", second)[0]) == ['a lake\n"red" at dawn']
    with_results = 'prompt\tresult_id\n"a lake\n""red"" at dawn"\t1\n"a "hill"\t2\n'
    records, _ = read(tmp_path / "x.tsv", with_results)
    assert (records[0].fields["prompt"], bool(records[1].fault)) == ('a lake\n"red" at dawn', True)


def test_empty_rows_and_columns_without_a_name_are_passed_over_and_counted(tmp_path: Path) -> None:
    records, reading = read(tmp_path / "x.csv", "\n,prompt,title,,\n0,a lake,Lake,,\n\n,,,,\n1,a hill,,,\n")
    assert prompts(records) == ["a lake", "a hill"]
    assert [record.line for record in records] == [3, 6]
    assert reading.described().endswith(
        "passed over: the numbers in the first column, which has no name; 2 empty rows were skipped"
    )


def test_a_value_in_a_column_without_a_name_is_a_fault_unless_it_is_ignored(tmp_path: Path) -> None:
    text = "prompt,title,\na lake, at dawn,Lake\n"
    [record], _ = read(tmp_path / "x.csv", text)
    assert "has 'Lake' in a column without a name" in str(record.fault)
    assert read(tmp_path / "x.csv", text, ignored=_names([""]))[0][0].fault is None


def test_a_cell_that_is_never_closed_is_one_fault_and_a_nul_is_left_to_the_rules(tmp_path: Path) -> None:
    records, _ = read(tmp_path / "x.csv", 'prompt,title\na\0b,x\n"a lake,Lake\n' + "a hill,Hill\n" * 100)
    assert records[0].fields["prompt"] == "a\0b"
    assert [(record.line, record.last, record.fault) for record in records[1:]] == [
        (3, 103, "opens a double quote that is never closed, lines 3 to 103")
    ]


def test_a_text_file_with_a_header_is_a_table_and_one_with_a_bracket_is_none(tmp_path: Path) -> None:
    records, reading = read(
        tmp_path / "x.txt", "prompt\ttitle\na lake\tLake\n".encode("utf-16")
    )  # Excel's "Unicode text"
    assert records[0].fields == {"prompt": "a lake", "title": "Lake"}
    assert "read as a table (tsv), since its first line has a column prompt" in reading.notes
    assert prompts(read(tmp_path / "x.txt", "[a:b:0.5] lake\n")[0]) == ["[a:b:0.5] lake"]


# ---- columns


def test_unknown_columns_are_answered_with_the_command_that_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "some prompts.csv"
    text = "Text;Titel;Fach, 2;Challenge\na lake;Lake;x;y\n"
    with pytest.raises(UsageError) as caught:
        read(path, text)
    message = str(caught.value)
    assert "unknown 'Text' (did you mean prompt?), 'Titel' (did you mean title?), 'Fach, 2', 'Challenge'" in message
    words = shlex.split(message.split("To read it all the same: ")[1])
    assert words == [
        "glad",
        "prompts",
        "import",
        str(path),
        "--map",
        "Text=prompt",
        "--map",
        "Titel=title",
        "--ignore",
        "*",
    ]
    records, reading = read(path, text, mapped={"Text": "prompt", "Titel": "title"}, ignored=["*"])
    assert records[0].fields == {"prompt": "a lake", "title": "Lake"}
    assert reading.described().endswith("read 'Text' as prompt, 'Titel' as title; passed over: 'Fach, 2', 'Challenge'")


def test_a_thousand_unknown_columns_are_not_each_compared_with_the_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    monkeypatch.setattr(columns, "_near", compared.append)
    with pytest.raises(UsageError, match=r"unknown 'c0', .* and 980 more.*--ignore '\*'"):
        read(tmp_path / "x.csv", ",".join(["prompt", *(f"c{i}" for i in range(990))]) + "\n")
    assert len(compared) <= 50


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Prompt,Negative prompt,CFG scale,Steps,Sampler,Size", "prompt,negative_prompt,guidance_scale,num_inference_steps,scheduler,size"),
        ("prompt,negativePrompt,cfg,step,sampler_name,Aspect-Ratio", "prompt,negative_prompt,guidance_scale,num_inference_steps,scheduler,size"),
        ("name,prompt", "title,prompt"),
        ("PROMPT,Title,Publish at", "prompt,title,publish_at"),
    ],
)  # fmt: skip
def test_well_known_names_are_read_without_being_told_to_and_reported(tmp_path: Path, header: str, fields: str) -> None:
    cells = ",".join("x" for _ in header.split(","))
    [record], reading = read(tmp_path / "x.csv", f"{header}\n{cells}\n")
    assert list(record.fields) == fields.split(",")
    for name, field in zip(header.split(","), fields.split(","), strict=True):
        assert reading.columns.renamed.get(name, name) == field


@pytest.mark.parametrize(
    ("header", "options", "said"),
    [
        ("prompt,steps,num_inference_steps", {}, "unknown 'steps'"),
        ("prompt,Prompt", {}, "the column prompt appears twice: 'prompt' and 'Prompt'"),
        ("prompt,a", {"mapped": {"a": "prompt"}}, "the column prompt appears twice"),
        ("prompt,a", {"mapped": {"a": "colour"}}, "there is no field 'colour'"),
        ("title,a", {"ignored": ["*"]}, "the column prompt is missing"),
        ("prompt,title", {"separator": "ab"}, "must be one character"),
        ("prompt,title", {"format": "xls"}, "must be one of csv, tsv"),
        ("prompt,title", {"format": "parquet"}, "is not Parquet"),
    ],
)
def test_columns_and_options_that_contradict_are_refused(
    tmp_path: Path, header: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "x.csv", header + "\n", **options)


def test_names_of_an_ignore_list_may_be_quoted() -> None:
    assert _names(['a, "b, c"', "d", ""]) == ["a", "b, c", "d", ""]


# ---- JSON, lines of prompts, other sources


@pytest.mark.parametrize(
    "text",
    [
        '[{"prompt": "a lake"}, {"prompt": "a hill",\n "seed": 5}]',
        '\ufeff [\n{"prompt": "a lake"},\n{"prompt": "a hill", "seed": 5}\n]\n',
        '{"prompt": "a lake"}\n{"prompt": "a hill", "seed": 5}\n',
    ],
)
def test_json_is_an_array_or_objects_one_after_the_other(tmp_path: Path, text: str) -> None:
    records, _ = read(tmp_path / "x.json", text)
    assert [record.fields for record in records] == [{"prompt": "a lake"}, {"prompt": "a hill", "seed": 5}]
    assert [record.line for record in records] == [1, 2]  # the records, whatever lines they are on


def test_a_value_without_a_name_is_a_fault_in_json_too(tmp_path: Path) -> None:
    rows = [
        {"Unnamed: 0": 0, "prompt": "a lake", "": None, "Unnamed: 3": ""},
        {"prompt": "a hill", "": "lost", "Unnamed: 3": "lost too"},
        {"prompt": "a hill", "Unnamed: 3": "lost too"},
    ]
    for name, data in (("x.json", json.dumps(rows)), ("x.jsonl", "\n".join(map(json.dumps, rows)))):
        records, reading = read(tmp_path / name, data)
        assert records[0].fields == {"prompt": "a lake"}
        assert reading.index == 1
        assert "has 'lost' in a column without a name: " in str(records[1].fault)
        assert str(records[2].fault).endswith("pass it over with --ignore 'Unnamed: 3'")
        records, _ = read(tmp_path / name, data, ignored=["", "Unnamed: 3"])
        assert prompts(records) == ["a lake", "a hill", "a hill"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"prompt": "a lake"},\n{"prompt": ]', "line 2 is not JSON: Expecting value at character 12 of the record"),
        ('[{"prompt": "a lake"}', "line 1 is not JSON: the array is never closed"),
        ('[{"prompt": "a lake"}] 7', "there is more after the end"),
        ('[{"prompt": "a", "prompt": "b"}]', "a key appears twice"),
        ("[" * 100_000, "cannot be read"),
        ("prompt,title\n", "line 1 is not JSON: a record cannot begin with 'p'"),
        ('[{"prompt": "' + "x" * 20_000_000, "one record is longer than"),
        (
            '[{"prompt": "a" "seed": 5},\n' + '{"prompt": "a lake"},\n' * 1_000_000,
            "line 1 is not JSON: Expecting ',' delimiter at character 16 of the record",
        ),
    ],
)
def test_json_that_stops_being_json_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "x.json", text)


def test_a_long_array_is_read_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" + ",\n".join(json.dumps({"prompt": f"a lake {i}"}) for i in range(100_000)) + "]")
    tracemalloc.start()
    last = None
    for last in read_records(path):  # noqa: B007
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last is not None
    assert (last.line, last.fields) == (100_000, {"prompt": "a lake 99999"})
    assert peak < 2**22


def test_lines_are_prompts_or_options_as_prompts_from_file_has_them(tmp_path: Path) -> None:
    lines = [
        "a lake at dawn -- and a boat",
        "",
        '--prompt "a hill" --negative_prompt "blurry" --steps 20 --cfg_scale 7.5 --width=512 --sampler_name "Euler a"',
        "--prompt a city at night --seed -1",
        "--prompt 'never closed",
        '--prompt "x" --batch_size 4',
        "--prompt x --steps",
        "--prompt x --steps 20 30",
    ]
    records, reading = read(tmp_path / "x.txt", "\n".join(lines))
    assert [record.fields for record in records[:3]] == [
        {"prompt": "a lake at dawn -- and a boat"},
        {
            "prompt": "a hill",
            "negative_prompt": "blurry",
            "num_inference_steps": "20",
            "guidance_scale": "7.5",
            "width": "512",
            "scheduler": "Euler a",
        },
        {"prompt": "a city at night", "seed": "-1"},
    ]
    assert [record.fault for record in records[3:]] == [
        "opens a quote that is never closed: put the prompt in double quotes",
        "has unknown 'batch_size'",
        "has '--steps' without a value",
        "has '30' where an option such as --steps must be",
    ]
    assert reading.empty == 1
    assert reading.cure().endswith("--ignore batch_size")


def test_standard_input_and_a_pipe_are_read_by_content_or_as_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def piped(data: bytes, **options: Any) -> list[Record]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        return list(read_records(Path("-"), new_reading(Path("-"), ReadOptions(**options))))

    for data in (b"prompt;title\na lake;Lake\n", b'[{"prompt": "a lake"}]', b'{"prompt": "a lake"}\n'):
        assert prompts(piped(data)) == ["a lake"]
    assert prompts(piped(b"a lake\n", format="txt")) == ["a lake"]
    with pytest.raises(
        UsageError, match="what kind of file standard input is cannot be said: name it with --format csv"
    ):
        piped(b"a lake\n")
    os.mkfifo(tmp_path / "pipe.csv")
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=["prompt\na lake\n"])
    writer.start()
    assert prompts(list(read_records(tmp_path / "pipe.csv"))) == ["a lake"]
    writer.join()


# ---- Parquet


@pytest.fixture
def pq() -> Any:
    return pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")


def test_parquet_is_read_by_its_content_whatever_its_name_and_numbers_are_as_they_were_meant(
    tmp_path: Path, pq: Any
) -> None:
    import pyarrow as pa

    table = pa.table(
        {
            "prompt": pa.array(["a lake", None, "a hill"]),
            "cfg": pa.array([7.1, None, float("nan")], pa.float32()),
            "seed": pa.array([2**32 - 1, None, 0], pa.uint32()),
            "extra": pa.array([[1], [2], [3]]),
        }
    )
    pq.write_table(table, tmp_path / "x.csv")
    reading = new_reading(tmp_path / "x.csv", ReadOptions(ignored=["extra"]))
    records = list(read_records(tmp_path / "x.csv", reading))
    assert [(record.line, record.fields) for record in records] == [
        (1, {"prompt": "a lake", "guidance_scale": 7.1, "seed": 2**32 - 1}),
        (3, {"prompt": "a hill", "seed": 0}),
    ]
    assert reading.empty == 1


def test_parquet_that_is_nested_or_damaged_is_refused(tmp_path: Path, pq: Any) -> None:
    import pyarrow as pa

    path = tmp_path / "x.parquet"
    for nested in ([["a lake"]], [{"text": "a lake"}]):
        pq.write_table(pa.table({"prompt": pa.array(nested)}), path)
        with pytest.raises(UsageError, match=r"the column 'prompt' is nested \((list|struct)<.*flatten it"):
            list(read_records(path))
    path.write_bytes(path.read_bytes()[:-20] + b"x" * 16 + b"PAR1")
    with pytest.raises(UsageError, match="is not Parquet that can be read: "):
        list(read_records(path))
    path.write_text("prompt\na lake\n")
    with pytest.raises(UsageError, match="is not Parquet: it does not begin with PAR1"):
        list(read_records(path))


def test_parquet_that_cannot_be_shown_as_values_is_refused(tmp_path: Path, pq: Any) -> None:
    import pyarrow as pa

    path = tmp_path / "x.parquet"
    for cells in (
        pa.array([2**62], pa.timestamp("us")),
        pa.array([2**31 - 1], pa.date32()),
        pa.array([0], pa.timestamp("us", tz="Mars/Olympus")),
    ):
        pq.write_table(pa.table({"prompt": ["a lake"], "publish_at": cells}), path)
        with pytest.raises(UsageError, match="the column 'publish_at' has a value that cannot be read: "):
            list(read_records(path))


@pytest.mark.parametrize("dictionary", [True, False])
def test_one_long_text_in_many_rows_of_parquet_is_in_memory_once(tmp_path: Path, pq: Any, dictionary: bool) -> None:
    import pyarrow as pa

    path = tmp_path / "x.parquet"
    table = pa.table(
        {"prompt": pa.array(["x" * 200_000] * 500), "size": pa.array(["a", "b"] * 250).dictionary_encode()}
    )
    pq.write_table(table, path, compression="zstd", use_dictionary=dictionary)
    tracemalloc.start()
    count = sum(len(record.fields["prompt"]) == 200_000 for record in read_records(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 500
    assert peak < 2**22
    pq.write_table(pa.table({"prompt": ["x" * 8_000_001]}), path)
    with pytest.raises(UsageError, match="the column 'prompt' has a text of 8,000,001 bytes, where at most 8,000,000"):
        list(read_records(path))


def test_a_value_without_a_name_is_a_fault_in_parquet_too(tmp_path: Path, pq: Any) -> None:
    import pyarrow as pa

    path = tmp_path / "x.parquet"
    names = ["Unnamed: 0", "prompt", "Unnamed: 3"]
    pq.write_table(pa.table([pa.array([0, 1]), ["a lake", "a hill"], pa.array([float("nan"), 7.5])], names), path)
    records = list(read_records(path))
    assert [record.fields for record in records] == [{"prompt": "a lake"}, {}]
    assert "has '7.5' in a column without a name: " in str(records[1].fault)


def test_without_pyarrow_the_command_that_installs_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(GladError, match=r"Parquet needs pyarrow: .*pip install 'glad-pipeline\[parquet\]'"):
        read(tmp_path / "x.parquet", b"PAR1")


# ---- what is said of texts


def test_the_place_for_a_prompt_in_a_style_and_options_of_other_tools_are_noticed() -> None:
    assert [notice.kind for notice in notices("cinematic still of {prompt}")] == ["placeholder"]
    assert [notice.kind for notice in notices("a lake --ar 16:9 --v 5")] == ["option"]
    assert notices("a lake -- at dawn, {not this}") == ()


def test_an_export_s_own_columns_are_passed_over_and_its_apostrophes_taken_off(tmp_path: Path) -> None:
    header = ",".join(["prompt", *RESULTS])
    records, _ = read(tmp_path / "x.csv", f"{header}\n'=1+1{',' * len(RESULTS)}\n''-x{',' * len(RESULTS)}\n")
    assert prompts(records) == ["=1+1", "'-x"]
    assert prompts(read(tmp_path / "x.csv", "prompt\n'=1+1\n")[0]) == ["'=1+1"]  # somebody else's apostrophe
