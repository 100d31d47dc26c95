"""Files of prompts as the body of a request: tried, refused with reasons, taken whole, bounded."""

import pytest

from glad_pipeline.gateway import studio_import
from glad_pipeline_tests.gateway.studio_rows import sql

IMPORT = "/api/studio/prompts/import"
CSV = b"prompt,title\na hill,Hill\na (lake:1.3),Lake\n"
BAD = b"prompt,slug,source\na hill,,\na lake,Not A Slug,\na sea,,another\n"


@pytest.fixture
def submitter(client_with):
    return client_with("submit")


@pytest.fixture
def rows(database):
    return lambda: sql(database, "SELECT prompt, source, publish FROM prompts ORDER BY id")


def test_a_file_is_tried_then_taken_and_twice_is_once(submitter, rows):
    tried = submitter.post(IMPORT, content=CSV, params={"dry_run": True, "publish": "picture"}).json()["data"]
    assert (tried["added"], tried["dry_run"]) == (2, True)
    assert tried["first"][0]["where"] == "line 2"
    given = tried["first"][0]["prompt"]
    assert {**given, "seed": 0} == {
        "prompt": "a hill",
        "title": "Hill",
        "source": "key-0",
        "publish": "picture",
        "seed": 0,
    }
    assert "weight" in tried["noticed"][0]
    assert rows() == []
    for added, existing in ((2, 0), (0, 2)):
        done = submitter.post(IMPORT, content=CSV).json()["data"]
        assert (done["added"], done["existing"]) == (added, existing)
    assert rows() == [
        {"prompt": "a hill", "source": "key-0", "publish": "post"},
        {"prompt": "a (lake:1.3)", "source": "key-0", "publish": "post"},
    ]


def test_what_is_wrong_is_said_by_line_and_nothing_is_taken(submitter, rows):
    answer = submitter.post(IMPORT, content=BAD)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [each["where"] for each in answer.json()["rows"]] == ["line 3", "line 4"]
    assert "slug" in answer.json()["rows"][0]["reason"]
    assert "source 'another' may not be given" in answer.json()["rows"][1]["reason"]
    assert rows() == []
    done = submitter.post(IMPORT, content=BAD, params={"skip_bad": True}).json()["data"]
    assert (done["added"], done["refused"], len(done["reasons"])) == (1, 2, 2)
    assert [row["prompt"] for row in rows()] == ["a hill"]


def test_more_rows_than_may_be_are_refused_before_any_is_taken(submitter, rows, monkeypatch):
    monkeypatch.setattr(studio_import, "MOST_ROWS", 3)
    for content in (b"prompt\n" + b"x\n" * 4, b"prompt,slug\n" + b"x,Not A Slug\n" * 4):
        answer = submitter.post(IMPORT, content=content, params={"skip_bad": True})
        assert answer.status_code == 422
        assert answer.json()["detail"] == "these are over 3 rows: import them in several files"
    lines = b"prompt\n" + b"".join(b"x %d\n" % n for n in range(3))
    assert submitter.post(IMPORT, content=lines).json()["data"]["added"] == 3
    assert len(rows()) == 3


def test_an_admin_names_any_source(client_with, rows):
    lines = b'{"prompt": "one", "source": "team"}\n{"prompt": "two"}\n'
    assert client_with("admin").post(IMPORT, content=lines, params={"format": "jsonl"}).json()["data"]["added"] == 2
    assert [row["source"] for row in rows()] == ["team", "key-0"]


def test_columns_are_named_as_by_the_terminal(submitter, rows):
    table = b"Text;Note\na hill;x\n"
    assert submitter.post(IMPORT, content=table, params={"format": "csv"}).status_code == 422
    wanted = {"format": "csv", "map": "Text=prompt", "ignore": "Note", "separator": ";"}
    assert submitter.post(IMPORT, content=table, params=wanted).json()["data"]["added"] == 1
    assert submitter.post(IMPORT, content=table, params={**wanted, "map": "Text"}).status_code == 422
    assert [row["prompt"] for row in rows()] == ["a hill"]


def test_all_columns_that_are_no_fields_are_told_as_data_and_known_ones_stay_judged(submitter, rows):
    names = [f"note {n}" for n in range(40)]
    table = f"prompt,width,{','.join(names)}\na hill,17,{',x' * 39}\na lake,512,{',x' * 39}\n".encode()
    for tried in (True, False):
        answer = submitter.post(IMPORT, content=table, params={"format": "csv", "dry_run": tried})
        assert (answer.status_code, answer.json()["columns"], answer.json()["rows"]) == (422, names, [])
        assert "'note 0'" in answer.json()["detail"]
        assert "glad prompts" not in answer.json()["detail"]
    wanted = {"format": "csv", "ignore": "*"}
    tried = submitter.post(IMPORT, content=table, params={**wanted, "dry_run": True}).json()["data"]
    assert (tried["columns"], tried["refused"]) == ([], 1)
    assert "width" in tried["reasons"][0]["reason"]
    refused = submitter.post(IMPORT, content=table, params=wanted).json()
    assert (refused["columns"], [each["where"] for each in refused["rows"]]) == ([], ["line 2"])
    assert rows() == []


def test_what_records_name_that_is_no_field_is_told_all_at_once(submitter, rows):
    lines = b'{"prompt": "a hill", "mood": 1}\n{"prompt": "a lake"}\n{"prompt": "a sea", "by\\ud800": 2, "mood": 3}\n'
    wanted = {"format": "jsonl"}
    tried = submitter.post(IMPORT, content=lines, params={**wanted, "dry_run": True}).json()["data"]
    assert (tried["refused"], tried["columns"]) == (2, ["mood", "by?"])
    refused = submitter.post(IMPORT, content=lines, params=wanted)
    assert (refused.status_code, refused.json()["columns"]) == (422, ["mood", "by?"])
    assert [each["where"] for each in refused.json()["rows"]] == ["line 1", "line 3"]
    assert submitter.post(IMPORT, content=lines, params={**wanted, "ignore": "*"}).json()["data"]["added"] == 3
    assert [row["prompt"] for row in rows()] == ["a hill", "a lake", "a sea"]


def test_what_is_no_file_of_prompts_is_refused_without_the_name_of_ours(submitter, rows, monkeypatch):
    for content in (b"", b"\x1f\x8b\x08\x00rest", b"PAR1....PAR1", b"\x00\xff\xfe", b'[{"prompt": ' + b"[" * 50_000):
        answer = submitter.post(IMPORT, content=content)
        assert answer.status_code in (200, 422), answer.text
        assert "/tmp" not in answer.text
        assert "glad-import" not in answer.text
    assert rows() == []
    monkeypatch.setattr(studio_import, "MOST_BYTES", 1_000)
    assert submitter.post(IMPORT, content=CSV + b"x\n" * 1_000).status_code == 413

    def chunks():
        for _ in range(100):
            yield b"a line of prompts\n" * 10

    assert submitter.post(IMPORT, content=chunks()).status_code == 413
    assert rows() == []


def test_idempotency_keys_of_a_file_are_the_callers_own(client_with, database):
    first, second, admin = client_with("submit"), client_with("submit"), client_with("admin")
    lines = b'{"prompt": "one", "idempotency_key": "k"}\n{"prompt": "two", "idempotency_key": "key-0:l"}\n'
    for added in (2, 0):
        for client in (first, second):
            done = client.post(IMPORT, content=lines, params={"format": "jsonl"})
            assert done.json()["data"]["added"] == added, done.text
    other = b'{"prompt": "three", "idempotency_key": "key-0:raw"}\n'
    assert admin.post(IMPORT, content=other, params={"format": "jsonl"}).status_code == 200
    blank = b'{"prompt": "four", "idempotency_key": " "}\n'
    assert first.post(IMPORT, content=blank, params={"format": "jsonl"}).status_code == 422
    kept = [row["idempotency_key"] for row in sql(database, "SELECT idempotency_key FROM prompts ORDER BY id")]
    assert kept == ["key-0:k", "key-0:l", "key-1:k", "key-1:key-0:l", "key-0:raw"]
