"""What a file is: its format, its encoding, the separator of its cells. Nothing is guessed in silence.

A byte order mark is believed; without one a file that is UTF-8 from end to end is UTF-8, one with a zero in every other
byte is UTF-16, and any other is read as Windows-1252, which is reported with the first line that shows it.
"""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from glad_pipeline.display import one_line, quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.files.columns import ALIASES, KNOWN, normal
from glad_pipeline.prompts.files.record import FORMATS, Reading

LONGEST_LINE = 16 * 2**20  # a million characters, each escaped in JSON as \uXXXX\uXXXX, and room to spare
CHUNK = 2**20
HEAD = 2**16
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "txt",
}
_SAVE_AS = "save the sheet as CSV (UTF-8)"
_PACKED = {
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\xfd7zXZ": "compressed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive: unpack it first",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"an old Excel workbook (.xls) or another old file of Office: {_SAVE_AS}",
    b"SQLite format 3\x00": "a SQLite database: export the table as CSV",
    b"%PDF-": "a PDF document",
    b"\x89PNG\r\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\xff\xfe\x00\x00": "UTF-32: save it as UTF-8",
    b"\x00\x00\xfe\xff": "UTF-32: save it as UTF-8",
}
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def head_of(stream: BinaryIO) -> bytes:
    """The first HEAD bytes; the stream is at its start again."""
    head = stream.read(HEAD)
    stream.seek(0)
    return head


# ---- format


def refuse_packed(name: str, head: bytes, stream: BinaryIO) -> None:
    """Raises `UsageError` that says what the file is, whatever its name, where it is no list of anything."""
    for magic, what in _PACKED.items():
        if head.startswith(magic):
            raise UsageError(f"{name} is {what}")
    if head.startswith(b"PK\x03\x04"):
        raise UsageError(f"{name} is {_inside_zip(stream)}")


def _inside_zip(stream: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist()[:1_000])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = set()
    if any(name.startswith("xl/") for name in names):
        return f"an Excel workbook (.xlsx): {_SAVE_AS}"
    if "mimetype" in names and "content.xml" in names:
        return f"an OpenDocument file (.ods): {_SAVE_AS}"
    return f"a ZIP archive: unpack it first; if it is a spreadsheet, {_SAVE_AS}"


def format_of(reading: Reading, path: Path, head: bytes) -> str:
    """One of FORMATS, as asked for, by content or by the name's end. Raises `UsageError` where neither tells."""
    if head.startswith(b"PAR1"):
        return "parquet"
    asked = reading.options.format
    if asked is not None:
        if asked not in FORMATS:
            raise UsageError(f"--format {quoted(asked)} must be one of {', '.join(FORMATS)}")
        if asked == "parquet":
            raise UsageError(f"{reading.name} is not Parquet: it does not begin with PAR1")
        return asked
    by_name = SUFFIXES.get(path.suffix.lower())
    if by_name == "parquet":
        raise UsageError(f"{reading.name} is not Parquet: it does not begin with PAR1")
    if by_name and by_name != "txt":
        return by_name
    by_content = _format_of_text(reading, head)
    if by_name and by_content in ("json", "jsonl"):  # a prompt may begin with a bracket
        by_content = None
    if not (by_content or by_name):
        raise UsageError(
            f"what kind of file {reading.name} is cannot be said: name it with --format {'|'.join(FORMATS)}"
        )
    if by_content and by_name and by_content != by_name:
        reading.notes.append(f"read as a table ({by_content}), since its first line has a column prompt")
    return by_content or "txt"


def _format_of_text(reading: Reading, head: bytes) -> str | None:
    """What a text without a telling name is: JSON by its first character, a table by a column `prompt`."""
    asked = reading.options.encoding
    encoding = _asked_encoding(asked) if asked else encoding_of_head(head) or "utf-8-sig"
    text = head.decode(encoding, errors="replace").lstrip()
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return "jsonl"
    first = text.split("\n", 1)[0].rstrip("\r")
    if re.fullmatch(r"sep=.", first, re.IGNORECASE):
        return "csv"
    separator = separator_of(first)
    names = [normal(name) for name in _cells(first, separator)]
    if "prompt" in names:
        return "tsv" if separator == "\t" else "csv"
    return None


# ---- encoding


def encoding_of_head(head: bytes) -> str | None:
    """By the byte order mark, or by the zeros that UTF-16 has in every other byte of a western text."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    sample = head[: min(len(head), 4_096) // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half >= 4 and odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if half >= 4 and even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def settle_encoding(reading: Reading, head: bytes, stream: BinaryIO) -> None:
    """Find out encoding and line ends, and read the file once to be sure. Raises `UsageError` with line and byte."""
    asked = reading.options.encoding
    encoding = _asked_encoding(asked) if asked else encoding_of_head(head) or "utf-8-sig"
    fault = _first_fault(stream, encoding)
    if fault is not None and encoding == "utf-8-sig" and not asked and not head.startswith(codecs.BOM_UTF8):
        encoding = "cp1252"
        _be_sure_of_cp1252(reading, stream)
    elif fault is not None:
        what = "UTF-8" if encoding == "utf-8-sig" else encoding
        raise UsageError(f"{reading.name} is not {what}: {fault}. Save it as UTF-8, or name its encoding: --encoding")
    elif encoding.startswith("utf-16") and not asked:
        reading.notes.append("read as UTF-16")
    text = head.decode(encoding, errors="ignore")
    reading.encoding = encoding
    reading.newline = "\r" if "\r" in text and "\n" not in text else "\n"  # alone, as on old Macs


def _asked_encoding(asked: str) -> str:
    try:
        name = codecs.lookup(asked).name
        "".encode(name)
        b"".decode(name)
    except (LookupError, UnicodeError, ValueError):
        raise UsageError(
            f"--encoding {quoted(asked)} is unknown: utf-8, utf-16, utf-16-le, cp1252, latin-1, cp1251, shift_jis …"
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


def _first_fault(stream: BinaryIO, encoding: str) -> str | None:
    """What cannot be decoded first, by line and byte; None where all can."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    at, lines, pending = 0, 0, 0
    try:
        while True:
            chunk = stream.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                start = at - pending + error.start
                line = lines + chunk.count(b"\n", 0, max(0, error.start - pending)) + 1
                return f"line {line:,} has byte 0x{error.object[error.start]:02x} at offset {start:,}"
            if not chunk:
                return None
            at += len(chunk)
            lines += chunk.count(b"\n")
            pending = len(decoder.getstate()[0])
    finally:
        stream.seek(0)


def _be_sure_of_cp1252(reading: Reading, stream: BinaryIO) -> None:
    """Note the first line that is not UTF-8. Raises `UsageError` where others are, or one is not cp1252 either."""
    utf8, other, shown = 0, 0, ""
    for number, raw in enumerate(_raw_lines(reading, stream), start=1):
        if raw.isascii():
            continue
        try:
            raw.decode("utf-8")
            utf8 = utf8 or number
        except UnicodeDecodeError as error:
            if _is_utf8_in_part(raw):
                raise UsageError(
                    f"{reading.name} mixes encodings: line {number:,} is UTF-8, but for byte "
                    f"0x{raw[error.start]:02x} at {error.start + 1:,}. Save it as UTF-8, or "
                    "name the one in which to read all of it: --encoding"
                ) from error
            text = _as_cp1252(reading, number, raw, error.start)
            other, shown = (other, shown) if other else (number, one_line(text, 60))
        if utf8 and other:
            raise UsageError(
                f"{reading.name} mixes encodings: line {utf8:,} is UTF-8, line {other:,} is not ({quoted(shown, 60)}). "
                "Save it in one of them, or name the one in which to read all of it: --encoding"
            )
    stream.seek(0)
    reading.notes.append(
        f"read as Windows-1252, since it is not UTF-8 (else: --encoding); line {other:,} is {quoted(shown, 60)}"
    )


def _is_utf8_in_part(raw: bytes) -> bool:
    """Whether a line that is not UTF-8 has western letters or quotes in UTF-8, or more of UTF-8 than of other bytes.

    Some letters in a row of Windows-1252 would be one letter in UTF-8 too, but of another script: `ß“`, say.
    """
    text = raw.decode("utf-8", errors="replace")
    if re.search(r"[\x80-\xff\u2010-\u203a\u20ac]", text):
        return True
    others = text.count("\ufffd")
    return len(re.findall(r"[^\x00-\x7f]", text)) - others > others


def _as_cp1252(reading: Reading, number: int, raw: bytes, at: int) -> str:
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{reading.name} is neither UTF-8 nor Windows-1252: line {number:,} has byte 0x{raw[at]:02x} at "
            f"{at + 1:,} and byte 0x{raw[error.start]:02x} at {error.start + 1:,}. Save it as UTF-8, or name its "
            "encoding: --encoding"
        ) from error


def _raw_lines(reading: Reading, stream: BinaryIO) -> Iterator[bytes]:
    number = 0
    while raw := stream.readline(LONGEST_LINE):
        number += 1
        if len(raw) == LONGEST_LINE:
            raise too_long(reading, number)
        yield raw


def too_long(reading: Reading, number: int) -> UsageError:
    return UsageError(
        f"{reading.name}, line {number:,} is longer than {LONGEST_LINE:,} characters: is it a text, with line ends?"
    )


# ---- separator


def separator_of(header: str) -> str:
    """What separates the cells of this line: with what most are names of fields, then with what there are most."""

    start = header[:10_000]  # of a million columns the first ones tell as much

    def score(separator: str) -> tuple[int, int]:
        cells = _cells(start, separator)
        names = {normal(cell) for cell in cells}
        return len(names & set(KNOWN) | names & set(ALIASES)), len(cells)

    return max(SEPARATORS, key=score)  # of equals the first: commas


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []
