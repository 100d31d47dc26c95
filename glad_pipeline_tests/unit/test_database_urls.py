"""What a database's URL may look like, and what is made of it. No server."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from glad_pipeline.database.sessions import openings, settings_in
from glad_pipeline.settings import settings_of
from glad_pipeline.urls import libpq_url, problem_of_database_url
from glad_pipeline_tests.secret_texts import shows


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


FORMS = {
    "postgres://u:p@h/d": "postgres://u:p@h/d",
    "postgresql://u:p@h:5432/d?sslmode=require&channel_binding=require": None,
    "postgresql+psycopg2://u:p@h/d": "postgresql://u:p@h/d",
    "postgresql+psycopg://u:p%40@h/d?options=-csearch_path%3Dblog": "postgresql://u:p%40@h/d?options=-csearch_path%3Dblog",
    "postgresql+psycopg2://u:p@h/d?options=-c+search_path=blog": "postgresql://u:p@h/d?options=-c%20search_path%3Dblog",
    "postgresql+asyncpg://u:p@h/d?ssl=require": "postgresql://u:p@h/d?sslmode=require",
    "postgres://u:p@h/d?ssl=true": "postgresql://u:p@h/d?sslmode=require",
    "postgres://u:p@h/d?sslmode=no-verify": "postgresql://u:p@h/d?sslmode=require",
    "postgres://u:p@h/d?sslaccept=accept_invalid_certs": "postgresql://u:p@h/d",
    "postgres://u:p@h/d?sslaccept=strict": "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=system",
    "postgres://postgres.abc:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres?pgbouncer=true&connection_limit=1": (
        "postgresql://postgres.abc:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres"
    ),
    "postgresql://u:p?q@h/d?schema=blog&pool_timeout=3": "postgresql://u:p?q@h/d?options=-c%20search_path%3Dblog",
    "postgresql:///d?host=/run/postgresql&schema=blog": (
        "postgresql:///d?host=/run/postgresql&options=-c%20search_path%3Dblog"
    ),
    "host=h dbname=d": None,
}


@pytest.mark.parametrize(("url", "libpqs"), FORMS.items())
def test_a_url_as_others_write_it_becomes_one_that_libpq_takes(url, libpqs):
    assert problem_of_database_url(url) is None
    assert libpq_url(url) == (libpqs or url)
    assert libpq_url(libpq_url(url)) == libpq_url(url)
    conninfo_to_dict(libpq_url(url))
    assert settings_of({"DATABASE_URL": url}).database_url.get_secret_value() == (libpqs or url)
    assert settings_of({"DAGSTER_DATABASE_URL": url}).dagster_database_url.get_secret_value() == (libpqs or url)


@pytest.mark.parametrize(
    ("query", "search_path"),
    [
        ("schema=blog", "blog"),
        ("schema=Blog", '"Blog"'),
        ("schema=my%20blog", '"my blog"'),
        ("schema=a,b", '"a,b"'),
        ("search_path=a,%20b", "a, b"),
        ("schema=blog&options=-csearch_path%3Dglad,blog", "glad,blog"),
        ("options=endpoint%3Dep-sea&schema=blog", "blog"),
    ],
)
def test_the_schema_of_a_url_is_the_search_path_of_its_sessions(query, search_path):
    url = f"postgresql://me@h/blog?{query}&statement_timeout=5000"
    assert problem_of_database_url(url) is None
    parameters, settings = openings(url)
    assert (settings["search_path"], settings["statement_timeout"]) == (search_path, "5000")
    assert parameters["options"] == ("endpoint=ep-sea" if "endpoint" in query else "")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("jdbc:postgresql://h/d?user=u&password=hunter2secret", "leave out jdbc:"),
        ("prisma+postgres://accelerate.prisma-data.net/?api_key=hunter2secret", "Prisma's proxy"),
        ('"postgresql://u:hunter2secret@h/d"', "quotation marks"),
        ("postgresql://u:hunter2@secret@h/d", "the password seems to contain one, and there as anywhere else it is"),
        ("postgresql://me@hunter2:secret@h/d", "the user seems to contain one"),
        ("postgresql://u:hunter2/secret@h/d", "the password seems to contain it, and there it is written %2F"),
        ("postgresql://u:hunter2%secret@h/d", "the sign % itself is written %25"),
        ("postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres", "put the password there"),
        ("postgresql://u:hunter2secret@h/d?sslmod=require", "sslmod is none of libpq's"),
        ("postgresql://u:hunter2secret@h/d?sslidentity=x.p12", "sslidentity is none of libpq's"),
        ("postgresql://h/d?user=u&password=hunter2&secret=x", "parameters behind the ?"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(url, words):
    problem = problem_of_database_url(url)
    assert problem is not None
    assert words in problem
    assert not shows(problem, "hunter2secret")
    assert "secret" not in problem
