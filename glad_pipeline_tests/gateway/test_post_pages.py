"""What the pages of a blog read beside the list and the post: neighbours, pictures, labels with counts, sitemaps."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.gateway import blog_reads, sitemap, taxonomies
from glad_pipeline.gateway.caching import PUBLIC
from glad_pipeline.gateway.post_models import (
    AboutAnswer,
    AroundAnswer,
    AuthorAnswer,
    LabelAnswer,
    PostsPage,
    Sitemap,
    SitemapChunk,
)
from glad_pipeline.operations.takedown import unpublish
from glad_pipeline.publishing import post_chunks
from glad_pipeline.settings import settings_of
from glad_pipeline_tests.foreign_blogs import blog, sql, version
from glad_pipeline_tests.gateway.test_posts import (
    BLOGS,
    CATALOGUED,
    MORE_POSTS,
    OURS,
    SAME_TIME,
    STEM,
    TWO,
    gateway_on,
    paged,
    slugs,
)


@pytest.mark.parametrize("name", BLOGS)
def test_each_post_has_its_neighbours_and_is_in_the_sitemap_whatever_the_blog_s_schema(database_url, name):
    schema, settings = BLOGS[name]
    if schema:
        sql(database_url, schema)
    migrate(database_url, blog=settings_of(settings).blog)
    sql(database_url, ("" if schema else TWO) + MORE_POSTS.get(name, SAME_TIME.format(**OURS)))
    with gateway_on(database_url, **settings) as client:
        page = client.get("/api/posts?fields=summary").json()
        PostsPage.model_validate(page)
        assert not any("content" in post for post in page["data"])
        posts = page["data"]
        for number, post in enumerate(posts):
            answer = client.get(f"/api/posts/{post['slug']}/around").json()
            AroundAnswer.model_validate(answer)
            newer = posts[number - 1] if number else None
            older = posts[number + 1] if number + 1 < len(posts) else None
            assert answer == {"data": {"newer": newer, "older": older}}
        chunks = client.get("/api/sitemap").json()
        Sitemap.model_validate(chunks)
        [chunk] = chunks["data"]
        assert chunk["posts"] == len(posts) == 6
        found = client.get(f"/api/sitemap/{chunk['chunk']}").json()
        SitemapChunk.model_validate(found)
        assert [each["slug"] for each in found["data"]] == [post["slug"] for post in reversed(posts)]
        assert client.get("/api/posts/a-draft/around").status_code == 404
        assert client.get("/api/posts/a-first-post/picture").status_code == 404


def test_a_slug_may_end_as_these_routes_do(client_with, migrated_url):
    for slug in ("a/around", "a/picture", "around", "sitemap"):
        with connect(migrated_url) as connection:
            connection.execute(
                "INSERT INTO posts (title, slug, content, status) VALUES ('t', %s, 'c', 'published')", [slug]
            )
        assert client_with().get(f"/api/posts/{slug}").json()["data"]["slug"] == slug
    with connect(migrated_url) as connection:
        connection.execute("ALTER TABLE posts ADD preview_token text")
        connection.execute("UPDATE posts SET status = 'draft', preview_token = 't' WHERE slug = 'a/picture'")
    with gateway_on(migrated_url) as client:
        assert client.get("/api/posts/a/picture").status_code == 404
        assert client.get("/api/posts/a/picture?preview=t").json()["data"]["slug"] == "a/picture"
    assert client_with().get("/api/posts/a/around/around").json()["data"].keys() == {"newer", "older"}


def test_what_was_taken_down_is_in_none_of_these_at_the_next_request(client_with, migrated_url, database):
    sql(migrated_url, TWO + SAME_TIME.format(**OURS))
    client = client_with()
    assert "more-3" in client.get("/api/sitemap/2026").text
    newest = client.get("/api/posts").json()["data"][0]["slug"]
    beside = client.get(f"/api/posts/{newest}/around").json()["data"]["older"]["slug"]
    etag = client.get("/api/sitemap/2026").headers["etag"]
    unpublish(database, beside, reason="a complaint")
    again = client.get("/api/sitemap/2026", headers={"If-None-Match": etag})
    assert (again.status_code, again.headers["cache-control"]) == (200, PUBLIC)
    assert f'"{beside}"' not in again.text
    assert client.get(f"/api/posts/{newest}/around").json()["data"]["older"]["slug"] != beside
    for part in ("around", "picture"):
        gone = client.get(f"/api/posts/{beside}/{part}")
        assert (gone.status_code, gone.headers["cache-control"]) == (410, "no-store")


@pytest.mark.parametrize("name", ["b", "c", "d"])
def test_a_post_tells_its_category_author_and_tags_by_name_and_they_tell_how_many_they_have(database_url, name):
    sql(database_url, version(name))
    migrate(database_url)
    with gateway_on(database_url) as client:
        post = client.get("/api/posts/a-first-post").json()["data"]
        assert (post["category"]["name"], post["category"]["slug"]) == ("Technology", "technology")
        assert post["author"]["name"] == "Ada Writer"
        assert [tag["slug"] for tag in post["tags"]] == ["ai"]
        for asked in ("author=Ada Writer", f"author={post['author']['id'] or 'Ada Writer'}"):
            assert slugs(client.get(f"/api/posts?{asked}")) == ["a-first-post"]
        assert slugs(client.get("/api/posts?author=nobody")) == []
        for kind, called, posts in (("categories", "technology", 1), ("categories", "nature", 0), ("tags", "AI", 1)):
            answer = client.get(f"/api/{kind}/{called}").json()
            LabelAnswer.model_validate(answer)
            assert answer["data"]["posts"] == posts
            assert answer["data"] in client.get(f"/api/{kind}").json()["data"]
            assert client.get(f"/api/{kind}/none").status_code == 404
        author = client.get("/api/authors/Ada Writer").json()
        AuthorAnswer.model_validate(author)
        assert author["data"]["posts"] == 1
        assert "email" not in author["data"]


def test_a_name_that_only_the_post_has_is_found_by_the_slug_of_who_is_called_so(database_url):
    with_names = blog("serial PRIMARY KEY", "category text", metadata="") + TWO
    with_names += """
        CREATE TABLE categories (id int PRIMARY KEY, name text, slug text);
        INSERT INTO categories VALUES (1, 'Sea Side', 'sea-side'), (2, 'Inland', 'inland');
        UPDATE posts SET category = 'Sea Side', author = 'Ada' WHERE slug = 'a-first-post';
    """
    sql(database_url, with_names)
    migrate(database_url)
    with gateway_on(database_url) as client:
        [post] = client.get("/api/posts?category=sea-side").json()["data"]
        assert post["category"] == {"id": None, "name": "Sea Side", "slug": None}
        assert post["author"] == {"id": None, "name": "Ada", "slug": None}
        assert slugs(client.get("/api/posts?author=Ada")) == ["a-first-post"]
        assert slugs(client.get("/api/posts?category=inland")) == []
        assert [each["posts"] for each in client.get("/api/categories").json()["data"]] == [0, 1]


def test_what_is_quickly_counted_is_counted_when_it_is_asked_for(database_url, monkeypatch):
    monkeypatch.setattr(blog_reads, "SHARE", 1.0)  # how long counting three posts takes may be seconds here
    sql(database_url, version("c"))
    migrate(database_url)
    with gateway_on(database_url) as client:
        assert client.get("/api/tags").json()["data"][0]["posts"] == 1
        sql(database_url, "UPDATE posts SET status = 'draft'")
        until = time.monotonic() + 20
        while client.get("/api/tags").json()["data"][0]["posts"] != 0:
            assert time.monotonic() < until
        monkeypatch.setattr(sitemap, "SECONDS", 0.2)
        before = client.get("/api/sitemap").json()
        with connect(database_url) as somebody, somebody.transaction():
            somebody.execute("LOCK TABLE posts")
            assert client.get("/api/sitemap").json() == before  # which is what there was, since it fails


def test_what_takes_long_to_count_is_not_counted_and_the_labels_are_there(database_url, monkeypatch):
    monkeypatch.setattr(taxonomies, "COUNT_SECONDS", 0.2)
    monkeypatch.setattr(sitemap, "SECONDS", 0.2)
    sql(database_url, version("c"))
    migrate(database_url)
    with gateway_on(database_url) as client:
        assert client.get("/api/tags").json()["data"][0]["posts"] == 1
        with connect(database_url) as somebody, somebody.transaction():
            somebody.execute("LOCK TABLE posts")
            assert [each["posts"] for each in client.get("/api/categories").json()["data"]] == [None, None]
            late = client.get("/api/sitemap")
            assert (late.status_code, late.headers["retry-after"]) == (503, "5")
        assert client.get("/api/sitemap").status_code == 503  # it is not read again at once
        monkeypatch.setattr(blog_reads, "KEPT_SECONDS", 0.0)
        assert client.get("/api/sitemap").status_code == 200


def test_a_chunk_is_read_in_a_turn_and_time_of_its_own(database_url, monkeypatch):
    monkeypatch.setattr(blog_reads, "SEARCH_SECONDS", 0.2)
    monkeypatch.setattr(blog_reads, "MANY_WAIT", 0.2)
    sql(database_url, version("c"))
    migrate(database_url)
    with gateway_on(database_url) as client, ThreadPoolExecutor(2) as pool:
        assert client.get("/api/sitemap/2026").status_code == 200
        with connect(database_url) as somebody, somebody.transaction():
            somebody.execute("LOCK TABLE posts")
            slow = pool.submit(client.get, "/api/sitemap/2026")
            assert client.get("/api/posts?search=first").status_code == 503
            second = client.get("/api/sitemap/2025")
            assert (second.status_code, "chunks are being read" in second.json()["detail"]) == (503, True)
        assert slow.result().status_code == 200


def test_many_posts_are_in_chunks_and_each_is_in_one(client_with, migrated_url, monkeypatch):
    monkeypatch.setattr(post_chunks, "MOST", 10)
    sql(
        migrated_url,
        """INSERT INTO posts (title, slug, content, status, published_at)
           SELECT 'Post', 'post-' || n, 'c', CASE WHEN n % 5 = 0 THEN 'draft' ELSE 'published' END,
                  '2023-12-30'::timestamptz + (n / 3) * interval '7 hours' FROM generate_series(1, 60) AS n;
           INSERT INTO posts (title, slug, content, status, published_at)
           SELECT 'Post', 'old-' || n, 'c', 'published', '2001-01-01'::timestamptz FROM generate_series(1, 25) AS n;
           INSERT INTO posts (title, slug, content, status, published_at)
           VALUES ('Rome', 'rome', 'c', 'published', '0044-03-15 BC'), ('Later', 'later', 'c', 'published', now() + '1 day')""",
    )
    client = client_with()
    chunks = client.get("/api/sitemap").json()["data"]
    found = {each["chunk"]: client.get(f"/api/sitemap/{each['chunk']}").json()["data"] for each in chunks}
    assert {each["chunk"]: each["posts"] for each in chunks} == {name: len(posts) for name, posts in found.items()}
    assert [*found][:4] == ["undated", "2001-01-01.1", "2001-01-01.2", "2001-01-01.3"]
    assert len(found) > 6
    all_of_them = [post["slug"] for posts in found.values() for post in posts]
    assert sorted(all_of_them) == sorted(paged(client))
    for odd in ("2024-13", "x", "%00", "2024/01", "9" * 300):
        assert client.get(f"/api/sitemap/{odd}").status_code == 404
    assert client.get("/api/sitemap/1999").json() == {"data": []}
    assert client.get("/api/sitemap/2001-01-01.4").json() == {"data": []}  # it may have come since the list was made
    for beyond in ("2001-01-01.5", "undated.999999", "1999.3"):
        assert client.get(f"/api/sitemap/{beyond}").status_code == 404


def of_picture(**more):
    return {
        "url": f"{STEM}.png",
        "width": 1024,
        "height": 768,
        "alt": "A first post",
        "model": {"name": "m", "license": None},
        "is_generated": True,
        "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "credit": None,
        "license": None,
        "license_name": None,
        "prompt": None,
        **more,
    }


def test_a_picture_of_ours_says_how_it_was_made_and_its_prompt_only_where_the_settings_allow_it(migrated_url):
    ours = CATALOGUED[: CATALOGUED.index("INSERT INTO media")]
    sql(migrated_url, TWO + ours + """UPDATE images SET recipe = '{"prompt": "a harbour"}'""")
    path = "/api/posts/a-first-post/picture"
    with gateway_on(migrated_url) as client:
        answer = client.get(path)
        AboutAnswer.model_validate(answer.json())
        about = answer.json()["data"]
        assert about.pop("drawn_at")
        assert about == of_picture()
        assert "harbour" not in answer.text
        assert client.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        sql(migrated_url, "UPDATE images SET model = 'demo'")
        assert client.get(path).json()["data"]["model"] == {"name": "demo", "license": "Apache-2.0"}
        sql(migrated_url, "UPDATE images SET removed_at = now(), removed_reason = 'a complaint'")
        gone = client.get(path)
        assert gone.status_code == 410
        assert "complaint" not in gone.text
        sql(
            migrated_url,
            "UPDATE images SET removed_at = NULL; UPDATE posts SET featured_image_url = 'https://x.example/a.png'",
        )
        assert client.get(path).status_code == 404
        sql(migrated_url, f"UPDATE posts SET featured_image_url = '{STEM}-w800.webp'")
        assert client.get(path).json()["data"]["width"] == 1024
    terms = {
        "GLAD_PICTURE_CREDIT": "The Blog",
        "GLAD_PICTURE_LICENSE": "https://creativecommons.org/licenses/by/4.0/",
        "GLAD_PICTURE_LICENSE_NAME": "CC BY 4.0",
        "GLAD_SHOW_PROMPTS": "on",
    }
    with gateway_on(migrated_url, **terms) as client:
        about = client.get(path).json()["data"]
        assert [about[name] for name in ("credit", "license", "license_name", "prompt")] == [
            "The Blog",
            "https://creativecommons.org/licenses/by/4.0/",
            "CC BY 4.0",
            "a harbour",
        ]


def test_these_are_answered_to_head_too(client_with, migrated_url):
    sql(migrated_url, TWO)
    with psycopg.connect(migrated_url) as connection:
        connection.execute("INSERT INTO categories (name, slug) VALUES ('Nature', 'nature')")
    client = client_with()
    for path in ("/api/posts/a-first-post/around", "/api/sitemap", "/api/sitemap/2026", "/api/categories/nature"):
        got, told = client.get(path), client.head(path)
        assert (told.status_code, told.content, told.headers["etag"]) == (200, b"", got.headers["etag"])
