"""Writing prompts in the formats that are read, a row at a time."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.files.columns import RESULTS
from glad_pipeline.prompts.files.delimited import FORMULA
from glad_pipeline.prompts.files.parquet import ROWS, arrow
from glad_pipeline.records import FIELDS

Row = Mapping[str, Any]
COLUMNS = (*FIELDS, *RESULTS)
_WHOLE = ("seed", "width", "height", "num_inference_steps", "priority", "result_id", "result_seed")
_TIMES = ("publish_at", "result_published_at")
_AS_ELSEWHERE = {"num_inference_steps": "steps", "guidance_scale": "cfg_scale"}  # in "prompts from file"


def write_rows(format: str, out: BinaryIO, rows: Iterator[Row]) -> int:
    """Write all rows to `out` in this format, and return how many there were."""
    count = 0

    def counted() -> Iterator[Row]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    if format == "parquet":
        _write_parquet(out, counted())
        return count
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    try:
        _WRITERS[format](text, counted())
        text.flush()
    finally:
        text.detach()  # the file is its owner's to close
    return count


def _write_csv(text: io.TextIOWrapper, rows: Iterator[Row]) -> None:
    _write_table(text, rows, ",")


def _write_tsv(text: io.TextIOWrapper, rows: Iterator[Row]) -> None:
    _write_table(text, rows, "\t")


def _write_table(text: io.TextIOWrapper, rows: Iterator[Row], separator: str) -> None:
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([table_cell(row.get(name)) for name in COLUMNS])


def table_cell(value: Any) -> Any:
    """A text that a spreadsheet would compute has an apostrophe before it, which an import takes off again."""
    if isinstance(value, str):
        return "'" + value if FORMULA.match(value) else value
    return _plain(value)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _write_jsonl(text: io.TextIOWrapper, rows: Iterator[Row]) -> None:
    for row in rows:
        text.write(_as_json(row) + "\n")


def _write_json(text: io.TextIOWrapper, rows: Iterator[Row]) -> None:
    text.write("[")
    for number, row in enumerate(rows):
        text.write((",\n" if number else "\n") + _as_json(row))
    text.write("\n]\n")


def _as_json(row: Row) -> str:
    return json.dumps({name: _plain(row[name]) for name in COLUMNS if row.get(name) is not None}, ensure_ascii=False)


def _write_txt(text: io.TextIOWrapper, rows: Iterator[Row]) -> None:
    """What was asked for, without results: another tool reads this, or `import`."""
    for row in rows:
        fields = {name: str(_plain(row[name])) for name in FIELDS if row.get(name) is not None}
        if broken := [name for name, value in fields.items() if "\n" in value]:
            raise UsageError(
                f"{broken[0]} of prompt {row['result_id']} has line breaks, and TXT can hold none: --format jsonl"
            )
        if set(fields) == {"prompt"} and not re.search("^--|prompt", fields["prompt"], re.IGNORECASE):
            text.write(fields["prompt"] + "\n")
            continue
        words = [f"--{_AS_ELSEWHERE.get(name, name)}={shlex.quote(value)}" for name, value in fields.items()]
        text.write(" ".join(words) + "\n")


def _write_parquet(out: BinaryIO, rows: Iterator[Row]) -> None:
    pa = arrow()
    kinds = dict.fromkeys(COLUMNS, pa.string())
    kinds |= dict.fromkeys(_WHOLE, pa.int64()) | dict.fromkeys(_TIMES, pa.timestamp("us", tz="UTC"))
    kinds |= {"guidance_scale": pa.float64(), "needs_approval": pa.bool_(), "replace": pa.bool_()}
    schema = pa.schema([(name, kinds[name]) for name in COLUMNS])
    with pa.parquet.ParquetWriter(out, schema) as writer:
        while some := list(islice(rows, ROWS)):
            columns = [[_text_of(name, row.get(name)) for row in some] for name in COLUMNS]
            arrays = [pa.array(values, kinds[name]) for values, name in zip(columns, COLUMNS, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _text_of(name: str, value: Any) -> Any:
    return str(value) if name == "post_id" and value is not None else value


_WRITERS: Mapping[str, Callable[[io.TextIOWrapper, Iterator[Row]], None]] = {
    "csv": _write_csv,
    "tsv": _write_tsv,
    "jsonl": _write_jsonl,
    "json": _write_json,
    "txt": _write_txt,
}
