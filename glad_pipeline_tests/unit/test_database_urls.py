"""What a database's URL may look like, and what is made of it. No server."""

from __future__ import annotations

import pytest

from glad_pipeline.database.sessions import openings, settings_in


@pytest.mark.parametrize(
    ("options", "settings", "rest"),
    [
        ("", {}, ""),
        ("-csearch_path=blog", {"search_path": "blog"}, ""),
        ("-c search_path=blog,public", {"search_path": "blog,public"}, ""),
        ('-c search_path="Blog"', {"search_path": '"Blog"'}, ""),
        ("--statement-timeout=5s", {"statement_timeout": "5s"}, ""),
        (r"-c search_path=a,\ b -c work_mem=64MB", {"search_path": "a, b", "work_mem": "64MB"}, ""),
        ("endpoint=ep-quiet-sea -c geqo=off", {"geqo": "off"}, "endpoint=ep-quiet-sea"),
        ("reference=abc", {}, "reference=abc"),
        (r"a=b\ c", {}, r"a=b\ c"),
        ("-clog_connections=on -e", {}, "-clog_connections=on -e"),
        ("-c", {}, "-c"),
    ],
)
def test_settings_are_taken_out_of_the_options_and_the_rest_is_sent_as_it_is(options, settings, rest):
    assert settings_in(options) == (settings, rest)


def test_nothing_is_sent_at_the_start_of_a_connection_that_a_pooler_would_refuse():
    parameters, settings = openings("postgresql://me@h/blog?options=-csearch_path%3Dblog%20-cTimeZone%3DAsia/Tokyo")
    assert parameters["options"] == ""
    assert settings["search_path"] == "blog"
    assert settings["TimeZone"] == "UTC"


def test_the_environment_s_options_count_where_the_url_has_none(monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c search_path=blog")
    assert openings("postgresql://me@h/blog")[1]["search_path"] == "blog"
    assert openings("postgresql://me@h/blog?options=-cgeqo%3Doff")[1].get("search_path") is None
