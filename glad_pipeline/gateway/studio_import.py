"""The studio's import: a file of prompts as the body of a request, tried or taken into the queue, all rows or none."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from glad_pipeline.callers.keys import allows
from glad_pipeline.errors import UsageError
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here, State
from glad_pipeline.gateway.studio_answers import Text, Told, answer, refusals
from glad_pipeline.records import NewPrompt, values_of

if TYPE_CHECKING:
    from glad_pipeline.prompts.importing import ImportOptions, ImportReport

MOST_BYTES = 8 * 2**20  # of one file: some 100,000 prompts. The terminal takes files of any size
MOST_ROWS = 100_000  # of one file: shorter ones take the longer
TAKES_FILES = ("/api/studio/prompts/import",)  # paths that no limit on other bodies is for
router = APIRouter(prefix="/api/studio/prompts", tags=["studio: prompts"])
Submitter = Annotated[Caller, needs("submit")]
Format = Literal["csv", "tsv", "jsonl", "json", "txt"]
PARQUET = b"PAR1"  # it may be a thousand times as large unpacked


class RowRefused(Told):
    """A row that is wrong."""

    where: str = Field(examples=["line 7"])
    reason: str


class RowSeen(Told):
    """A row as it would be in the queue."""

    where: str
    prompt: dict[str, Any]
    notices: list[str] = Field(description="what is drawn in another way than it seems to be meant")


class Imported(Told):
    """What an import did, or with `dry_run` would do."""

    dry_run: bool
    added: int = Field(description="prompts that are new in the queue")
    existing: int = Field(description="rows that were there already, or that the file repeats")
    differing: int = Field(description="of those: the task_id was there with other fields, which were kept")
    refused: int = Field(description="rows that are wrong: left out with `skip_bad`, else nothing would be imported")
    reasons: list[RowRefused] = Field(description="the first of those")
    columns: list[str] = Field(description="names in records that are no fields: rows are refused for them")
    read: list[str] = Field(description="how the file was read, where that is not as plain as can be")
    noticed: list[str] = Field(description="what in rows is drawn in another way than it seems to be meant")
    first: list[RowSeen] = Field(description="with `dry_run`: the first rows")


class ImportAnswer(Told):
    """An import."""

    data: Imported


_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}


@router.post("/import", response_model=ImportAnswer, responses=refusals(413), openapi_extra=_BODY)
async def import_prompts(
    request: Request,
    state: Here,
    caller: Submitter,
    *,
    format: Annotated[Format | None, Query(description="absent: by the content")] = None,
    dry_run: Annotated[bool, Query(description="change nothing; show the first rows as they would be")] = False,
    skip_bad: Annotated[bool, Query(description="leave refused rows out and import the others")] = False,
    publish: Annotated[Literal["post", "picture"] | None, Query(description="of rows that do not say it")] = None,
    encoding: Annotated[Text | None, Query(max_length=40)] = None,
    separator: Annotated[Text | None, Query(min_length=1, max_length=3)] = None,
    map: Annotated[list[Text] | None, Query(max_length=100, description="COLUMN=FIELD: read it as that field")] = None,
    ignore: Annotated[list[Text] | None, Query(max_length=100, description="columns to pass over; * is all")] = None,
) -> Response:
    """Put every row of a file into the queue, or none if one is wrong.

    CSV, TSV, JSONL, JSON or text, of at most 8 MB and 100,000 rows. The same file twice adds nothing.
    A problem 422 has `rows`: the first that are wrong, each with its reason; and `columns`: all that are no fields.
    Rows without a source get the name of the key as theirs.
    """
    from glad_pipeline.prompts.files.record import ReadOptions
    from glad_pipeline.prompts.importing import ImportOptions

    read = ReadOptions(
        format=format, encoding=encoding, separator=separator, mapped=_mapped(map or ()), ignored=ignore or ()
    )
    name = {"source": caller.name}
    other = {} if publish is None else {"publish": publish}
    is_admin = allows(caller.scopes, "admin")
    options = ImportOptions(
        read=read,
        dry_run=dry_run,
        skip_bad=skip_bad,
        most=MOST_ROWS,
        zone=state.settings.zone,
        syntax=state.settings.engine.prompt_syntax,
        otherwise={**other, **name} if is_admin else other,
        always={} if is_admin else name,
        keys_of=None if is_admin else caller.name,
    )
    with tempfile.TemporaryDirectory(prefix="glad-import-") as folder:
        file = Path(folder) / "prompts"
        await _receive(request, file)
        report = await state.blocking(_import, state, file, options)
    return answer(_told(report, dry_run=dry_run))


def _mapped(texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        column, equals, field = text.rpartition("=")
        if not equals:
            raise Problem(422, f"map {text!r} must be COLUMN=FIELD, such as Text=prompt")
        found[column] = field.strip()
    return found


async def _receive(request: Request, file: Path) -> None:
    """The body, to a file. Raises `Problem` for one that is too large, before more of it is kept."""
    size = 0
    with file.open("wb") as out:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MOST_BYTES:
                raise Problem(413, f"the file has over {MOST_BYTES // 2**20} MB: import it with ./glad prompts import")
            out.write(chunk)


def _refuse_parquet(file: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(len(PARQUET)) == PARQUET:
            raise Problem(422, "this is Parquet: import it with ./glad prompts import, or send CSV or JSONL")


def _import(state: State, file: Path, options: ImportOptions) -> ImportReport:
    from glad_pipeline.prompts.files.columns import KNOWN
    from glad_pipeline.prompts.files.reading import UnknownColumnsError
    from glad_pipeline.prompts.importing import ImportRefusedError, import_files

    _refuse_parquet(file)
    try:
        return import_files(state.database, [file], options)
    except ImportRefusedError as error:
        count = error.report.refused
        rows = [{"where": where, "reason": reason} for where, reason in error.report.reasons]
        detail = f"{count:,} rows are wrong, so nothing was imported: mend them, or leave them out with skip_bad"
        raise Problem(422, detail, rows=rows, columns=_texts(error.report.unknown)) from error
    except UnknownColumnsError as error:
        detail = f"The file has columns that are no fields: {error.fault}. Known columns: {', '.join(KNOWN)}"
        raise Problem(422, detail, rows=[], columns=_texts(error.columns)) from error
    except UsageError as error:
        raise Problem(422, str(error).replace(str(file), "the file")) from error


def _texts(names: Sequence[str]) -> list[str]:
    """Without half of a surrogate pair, which JSON may have escaped, and which is no UTF-8."""
    return [name.encode("utf-8", "replace").decode() for name in names]


def _told(report: ImportReport, *, dry_run: bool) -> dict[str, Any]:
    plain = {**values_of(NewPrompt(prompt="")), "prompt": None}
    first = [
        {
            "where": row.where,
            "prompt": {name: found for name, found in values_of(row.prompt).items() if found != plain[name]},
            "notices": row.notices,
        }
        for row in report.first
    ]
    return {
        "dry_run": dry_run,
        "added": report.added,
        "existing": report.existing,
        "differing": report.differing,
        "refused": report.refused,
        "reasons": [{"where": where, "reason": reason} for where, reason in report.reasons],
        "columns": _texts(report.unknown),
        "read": [line.partition(": ")[2] for line in report.read],
        "noticed": [f"{each.kind} in {each.rows:,} rows: {each.example}" for each in report.noticed],
        "first": first,
    }
