-- Posts in the order in which the blog's pages show them; made while others read and write. On the posts that 0002 has
-- made: a blog's own posts are indexed by the blog. One that was left half made is made anew.
DROP INDEX CONCURRENTLY IF EXISTS glad_posts_by_date;
CREATE INDEX CONCURRENTLY glad_posts_by_date ON posts ((coalesce(published_at, created_at)) DESC, id DESC)
    WHERE status = 'published';
