"""The settings of the database, and of what the blog in it is like."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from glad_pipeline import limits
from glad_pipeline.blog_names import (
    BlogNames,
    blog_names,
    problem_of_posts_columns,
    problem_of_posts_status,
    problem_of_posts_table,
)
from glad_pipeline.settings.kinds import DatabaseUrl, checked


class DatabaseSettings(BaseModel, defer_build=True):
    """Part of `Settings`."""

    database_url: DatabaseUrl | None = Field(
        None, alias="DATABASE_URL", description="PostgreSQL ≥ 14 with the blog's tables. Absent: an embedded server."
    )
    dagster_database_url: DatabaseUrl | None = Field(
        None,
        alias="DAGSTER_DATABASE_URL",
        description="Dagster's own database. Absent: `<database>_dagster` on the same server, created if missing.",
    )

    database_patience_seconds: Annotated[float, limits.DATABASE_PATIENCE_SECONDS] = Field(
        60.0,
        description="How long a run waits for a database that is unreachable before it fails; what was drawn is kept.",
    )

    posts_table: Annotated[str, checked(problem_of_posts_table)] | None = Field(
        None,
        description="The blog's table of posts where it is not called `posts`: `articles`, or `blog.articles` with its "
        "schema. Upper and lower case are as in the database.",
    )
    posts_columns: Annotated[str, checked(problem_of_posts_columns)] | None = Field(
        None,
        description="Columns of that table which have other names than ours, as `ours=theirs` separated by commas: "
        "`title=headline,content=body`.",
    )
    posts_status: Annotated[str, checked(problem_of_posts_status)] | None = Field(
        None,
        description="What the blog calls the states of a post where not `published` and `draft`: "
        "`published=live,draft=hidden`.",
    )

    @property
    def blog(self) -> BlogNames:
        """What the blog's posts are called."""
        return blog_names(self.posts_table, self.posts_columns, self.posts_status)
