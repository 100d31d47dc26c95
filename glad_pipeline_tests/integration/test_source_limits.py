"""Limits of sources, their names and their table, on a real PostgreSQL."""

import json
import threading

import pytest

from glad_pipeline.errors import UsageError
from glad_pipeline.prompts import sources
from glad_pipeline.prompts.importing import ImportOptions, import_file, import_files
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline_tests.source_rows import a_database, add, claim, execute, glad, ids

__all__ = ["a_database"]


def test_what_goes_beyond_a_source_s_limits_is_refused_whoever_inserts_it(database, tmp_path):
    sources.limit(database, "bulk", {"queued_limit": 2})
    add(database, 2, "bulk")
    with pytest.raises(
        UsageError, match=r'the source "bulk" may have 2 prompts waiting.*nothing was added.*glad prompts limit'
    ):
        add_prompt(database, {"prompt": "one more", "source": "bulk"})
    file = tmp_path / "more.csv"
    file.write_text("prompt,source\na hill,news\na lake,bulk\n")
    with pytest.raises(UsageError, match="may have 2 prompts waiting"):
        import_file(database, file)
    with pytest.raises(UsageError, match="may have 2 prompts waiting"):
        import_files(database, [file], ImportOptions(dry_run=True))
    assert len(execute(database, "SELECT id FROM prompts")) == 2
    sources.limit(database, "bulk", {"queued_limit": 3, "daily_limit": 2})
    with pytest.raises(UsageError, match=r'the source "bulk" may add 2 prompts in 24 hours'):
        add_prompt(database, {"prompt": "one more", "source": "bulk"})
    execute(database, "UPDATE prompts SET created_at = now() - interval '25 hours'")
    assert add_prompt(database, {"prompt": "one more", "source": "bulk"})[1]
    sources.limit(database, "bulk", {"queued_limit": None, "daily_limit": None})
    add(database, 5, "bulk")


def test_the_limits_of_all_are_those_of_each_source_that_has_none_and_not_of_what_has_no_source(database):
    sources.limit(database, "*", {"queued_limit": 1})
    sources.limit(database, "bulk", {"queued_limit": 5})
    add(database, 5, "bulk")
    add(database, 1, "news")
    add(database, 10)
    with pytest.raises(UsageError, match=r'"news" may have 1 prompts'):
        add_prompt(database, {"prompt": "one more", "source": "news"})


def test_two_who_insert_at_once_do_not_pass_a_limit_together(database):
    sources.limit(database, "bulk", {"queued_limit": 3})
    refused, barrier = [], threading.Barrier(4)

    def work(name):
        barrier.wait()
        try:
            add_prompt(database, {"prompt": name, "source": "bulk"})
            add_prompt(database, {"prompt": f"{name} again", "source": "bulk"})
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=work, args=(f"hill {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(execute(database, "SELECT id FROM prompts")) == 3
    assert refused


@pytest.mark.parametrize("name", ["*", "x" * 65, "two\nlines", "a\0b", "bell\a"])
def test_what_is_no_name_of_a_source_is_refused(database, name, capsys):
    with pytest.raises(UsageError, match="source"):
        add_prompt(database, {"prompt": "a hill", "source": name})
    if name != "*" and "\0" not in name:
        assert glad(capsys, "pause", "--source", name)[0] == 2


@pytest.mark.parametrize("name", ["", "O'Brien; DROP TABLE prompts", "%s", "日本", "🦊", "'", "-x", "a b"])
def test_whatever_else_is_a_name_is_claimed_paused_limited_and_shown(database, name, capsys):
    [mine] = add(database, 1, name)
    other = add(database, 1, "another")
    assert glad(capsys, "pause", f"--source={name}")[0] == 0
    with claim(database) as held:
        assert ids(held.take(5)) == other
        assert glad(capsys, "resume", f"--source={name}")[0] == 0
        assert ids(held.more(5)) == [mine]
    found = json.loads(glad(capsys, "sources", "--json")[1])
    assert name in [each["source"] for each in found]
    assert glad(capsys, "limit", "--queued", "1", "--", name)[0] == (2 if name == "" else 0)
    listed = json.loads(glad(capsys, "list", "--json", f"--source={name}")[1])
    assert [each["id"] for each in listed] == [mine]


def test_sources_with_their_limits_and_pauses_are_a_table(database, capsys):
    add(database, 2, "bulk")
    add(database, 1)
    assert "at most 5 waiting, 9 added in 24 hours" in glad(capsys, "limit", "bulk", "--queued", "5", "--daily", "9")[1]
    glad(capsys, "pause", "--source", "bulk", "--reason", "too many hills")
    table = glad(capsys, "sources")[1]
    assert "5 waiting, 9 in 24 h" in table
    assert "too many hills" in table
    assert "(none)" in table
    assert "no limits of its own" in glad(capsys, "limit", "bulk", "--none")[1]
    assert glad(capsys, "limit", "bulk")[0] == 2
    assert glad(capsys, "limit", "bulk", "--none", "--daily", "3")[0] == 2
    assert glad(capsys, "limit", "bulk", "--daily", "-3")[0] == 2
