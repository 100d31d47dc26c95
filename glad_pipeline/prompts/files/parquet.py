"""Parquet, through pyarrow (the extra `parquet`): a record a row, some thousand rows in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any, BinaryIO, cast

from glad_pipeline.display import first_line, one_line, quoted
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.limits import CHARS
from glad_pipeline.prompts.files.record import Reading, Record

ROWS = 2_000  # of one batch
_LONGEST = 8 * CHARS["content"]  # bytes of one text, twice what the longest may have


def arrow() -> Any:
    """The module pyarrow, with `pyarrow.parquet`. Raises `GladError` that says how to get it."""
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ImportError as error:
        raise GladError(
            "Parquet needs pyarrow: .venv/bin/pip install -c constraints.txt -e '.[parquet]' in a clone, "
            "pip install 'glad-pipeline[parquet]' elsewhere"
        ) from error


def parquet_records(reading: Reading, stream: BinaryIO) -> Iterator[Record]:
    """The rows of a Parquet file. Raises `UsageError` where it is damaged, or a column that is needed is nested."""
    pa = arrow()
    try:
        schema = pa.parquet.read_schema(stream)
        columns = _needed(reading, schema, pa)
        names = [column.name for column in columns]
        texts = [name for name in names if _is_text(schema.field(name).type, pa)]
        stream.seek(0)
        file = pa.parquet.ParquetFile(stream, pre_buffer=False, buffer_size=2**16, read_dictionary=texts)
        kinds = [column.field for column in columns]
        nameless = "" in kinds
        own = names.index("result_id") if "result_id" in names else None
        row = 0
        for batch in file.iter_batches(batch_size=ROWS, columns=names, use_threads=False):
            cells = [_values(reading, name, batch.column(name), pa) for name in names]
            for values in zip(*cells, strict=True):
                row += 1
                if fault := nameless and reading.value_without_name(names, kinds, values):
                    yield Record(row, {}, fault, (names, values))
                elif fields := _fields(columns, values):
                    yield Record(row, fields, None, (names, values), result_id=values[own] if own is not None else None)
                else:
                    reading.empty += 1
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{reading.name} is not Parquet that can be read: {first_line(error, 200)}") from error


def _is_text(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _values(reading: Reading, name: str, column: Any, pa: Any) -> Sequence[Any]:
    """The values of a column; a text that many rows have is in memory once, as it is in the file."""
    try:
        if not pa.types.is_dictionary(column.type):
            return cast("list[Any]", column.to_pylist())
        longest = 0
        if _is_text(column.type.value_type, pa):
            compute = import_module("pyarrow.compute")
            longest = compute.max(compute.binary_length(column.dictionary)).as_py() or 0
        if longest > _LONGEST:
            raise UsageError(
                f"{reading.name}: the column {quoted(name)} has a text of {longest:,} bytes, where at most "
                f"{_LONGEST:,} can be read"
            )
        values = column.dictionary.to_pylist()
        return [None if at is None else values[at] for at in column.indices.to_pylist()]
    except (pa.ArrowException, ArithmeticError, LookupError, ValueError) as error:  # a time in no calendar, or no zone
        raise UsageError(
            f"{reading.name}: the column {quoted(name)} has a value that cannot be read: {first_line(error, 200)}. "
            "Mend it, or pass the column over with --ignore"
        ) from error


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    field: str | None
    is_short: bool  # numbers of 32 bits or fewer, not exact


def _needed(reading: Reading, schema: Any, pa: Any) -> list[_Column]:
    """The columns that are fields of a prompt, those without a name, and the one of an export's ids."""
    fields = reading.columns.fields_of([name.strip() for name in schema.names])
    if "prompt" not in fields:
        found = ", ".join(map(quoted, schema.names[:20]))
        raise UsageError(f"{reading.name}: the column prompt is missing. Columns found: {found}")
    needed = []
    for name, kind, field in zip(schema.names, schema.types, fields, strict=True):
        if field and pa.types.is_nested(kind):
            raise UsageError(
                f"{reading.name}: the column {quoted(name)} is nested ({one_line(str(kind), 60)}), and a "
                "prompt's field is one value: flatten it, or pass it over with --ignore"
            )
        if field is not None or name == "result_id":
            needed.append(_Column(name, field, pa.types.is_float32(kind) or pa.types.is_float16(kind)))
    return needed


def _fields(columns: Sequence[_Column], values: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, value in zip(columns, values, strict=True):
        if not column.field or value is None or value == "" or value != value:  # noqa: PLR0124  NaN: absent, as pandas writes it
            continue
        if column.is_short:
            found[column.field] = float(f"{value:.7g}")  # 7.1 in 32 bits is 7.099999904632568
        elif isinstance(value, (Decimal, date)) and not isinstance(value, datetime):
            found[column.field] = str(value)
        else:
            found[column.field] = value
    return found
