"""What the blog's posts are called where not as ours: which settings are right, and what they mean."""

import re
from pathlib import Path

import pytest

import glad_pipeline
from glad_pipeline.blog_names import (
    COLUMNS,
    BlogNames,
    blog_names,
    problem_of_posts_columns,
    problem_of_posts_table,
)
from glad_pipeline.database.blog import read_as, regclass
from glad_pipeline.errors import UsageError
from glad_pipeline.publishing.columns import KINDS
from glad_pipeline.settings import settings_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("articles", ("articles",)),
        ("Post", ("Post",)),
        ("blog.articles", ("blog", "articles")),
        ('"my articles"', ("my articles",)),
        ('cms."a.b"', ("cms", "a.b")),
        ('"say ""hi"""', ('say "hi"',)),
    ],
)
def test_a_table_s_name_is_read_as_it_is_written(text, parts):
    assert problem_of_posts_table(text) is None
    assert blog_names(text, None).table == parts


@pytest.mark.parametrize("text", ["a.b.c", ".articles", "my articles", "posts,other", "a%", "x" * 64, "{posts}", '"a'])
def test_what_cannot_be_a_table_is_refused(text):
    with pytest.raises(UsageError, match=r"GLAD_POSTS_TABLE.*: (it has to be a table's name|.* cannot be a name)"):
        settings_of({"GLAD_POSTS_TABLE": text})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("headline", "pairs of ours=theirs"),
        ("title=", "pairs of ours=theirs"),
        ("titel=headline", "'titel' is no column that this pipeline writes. Is title meant"),
        ("title=headline,title=name", "title is in it twice"),
        ("title=headline,content=headline", "title and content would be the same column 'headline'"),
        ("title=slug", "title and slug would be the same column 'slug'"),
        ("title=a%b", "cannot be a name"),
    ],
)
def test_columns_that_cannot_be_are_refused_by_name(text, said):
    assert said in (problem_of_posts_columns(text) or "")
    with pytest.raises(UsageError, match="GLAD_POSTS_COLUMNS"):
        settings_of({"GLAD_POSTS_COLUMNS": text})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("live", "pairs of ours=theirs"),
        ("publish=live", "'publish' is no state that this pipeline gives a post"),
        ("published=live,published=on", "twice"),
        ("published=draft", "published and draft would be the same state 'draft'"),
    ],
)
def test_states_that_cannot_be_are_refused_by_name(text, said):
    with pytest.raises(UsageError, match=f"GLAD_POSTS_STATUS.*{said}"):
        settings_of({"GLAD_POSTS_STATUS": text})


def test_two_columns_may_have_each_other_s_names():
    names = settings_of({"GLAD_POSTS_COLUMNS": 'title=content, content=title,excerpt="lead, short"'}).blog
    assert [names.theirs(ours) for ours in ("title", "content", "excerpt", "slug")] == [
        *("content", "title", "lead, short", "slug")
    ]
    assert [names.ours(theirs) for theirs in ("content", "title", "excerpt", "views")] == [
        *("title", "content", None, "views")
    ]


def test_without_other_names_the_table_itself_is_read():
    assert read_as(BlogNames(), ()) == '"posts"'
    assert regclass(blog_names("blog.Post", None)) == '"blog"."Post"'


def test_every_column_that_is_written_may_have_another_name():
    assert set(COLUMNS) >= set(KINDS)


def test_no_statement_names_the_blog_s_table_itself():
    package = Path(glad_pipeline.__file__).parent
    files = [file for file in package.rglob("*.sql") if "migrations" not in file.parts and file.name != "roles.sql"]
    named = [
        f"{file.name}: {line.strip()}"
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.startswith("--") and re.search(r"(?i)(?<!DISTINCT )\b(FROM|JOIN|INTO|UPDATE) posts\b(?!\.)", line)
    ]
    assert len(files) > 10
    assert named == []
