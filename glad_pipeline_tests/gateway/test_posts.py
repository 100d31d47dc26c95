"""What the blog's front end reads of posts, field by field, on our own tables and on those of other blogs."""

from glad_pipeline_tests.foreign_blogs import sql


def test_try(client_with, migrated_url):
    sql(migrated_url, "INSERT INTO posts (title, slug, content, status, published_at) SELECT 'T'||n, 's'||n, 'c', 'published', now() - n * interval '1 h' FROM generate_series(1, 30) n")
    c = client_with()
    for path in ("/api/posts?limit=3", "/api/posts/s1", "/api/posts/none", "/api/categories", "/api/tags", "/api/authors", "/api/posts?search=T2&category=x&tag=y", "/api/posts?status=draft", "/images/x"):
        a = c.get(path)
        print(a.status_code, a.headers, a.text[:600])
    assert 0
