-- The blog's tables as met in version B: A with authors on posts, tag_ids, zoned times and five indexes.

CREATE TABLE categories (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    slug varchar(255) NOT NULL UNIQUE,
    description text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE authors (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    slug varchar(255) NOT NULL UNIQUE,
    email varchar(255),
    bio text,
    avatar_url varchar(500),
    created_at timestamptz DEFAULT now()
);

CREATE TABLE posts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title varchar(500) NOT NULL,
    slug varchar(255) NOT NULL UNIQUE,
    content text NOT NULL,
    excerpt text,
    featured_image_url varchar(500),
    cover_image_url varchar(500),
    author_id uuid REFERENCES authors (id),
    category_id uuid REFERENCES categories (id),
    tag_ids uuid[] DEFAULT '{}',
    status varchar(50) DEFAULT 'draft',
    seo_title varchar(255),
    seo_description varchar(500),
    seo_keywords text,
    published_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    created_by uuid,
    updated_by uuid
);
CREATE INDEX idx_posts_slug ON posts (slug);
CREATE INDEX idx_posts_status ON posts (status);
CREATE INDEX idx_posts_category_id ON posts (category_id);
CREATE INDEX idx_posts_created_at ON posts (created_at DESC);
CREATE INDEX idx_posts_published_at ON posts (published_at DESC);

CREATE TABLE tags (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    slug varchar(255) NOT NULL UNIQUE,
    description text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE post_tags (
    post_id uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    tag_id uuid NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, tag_id)
);

CREATE TABLE media (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    url varchar(500) NOT NULL,
    alt_text varchar(255),
    caption text,
    description text,
    post_id uuid REFERENCES posts (id) ON DELETE SET NULL,
    created_at timestamptz DEFAULT now()
);

CREATE TABLE content_tasks (
    id serial PRIMARY KEY,
    task_id varchar(255) NOT NULL UNIQUE,
    status varchar(50) NOT NULL DEFAULT 'pending',
    stage varchar(100),
    featured_image_url varchar(500),
    featured_image_prompt text,
    task_metadata jsonb DEFAULT '{}',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

INSERT INTO categories (id, name, slug) VALUES
    ('00000000-0000-4000-8000-0000000000c1', 'Technology', 'technology'),
    ('00000000-0000-4000-8000-0000000000c2', 'Nature', 'nature');
INSERT INTO authors (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Ada Writer', 'ada-writer');
INSERT INTO tags (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000f1', 'AI', 'ai');
INSERT INTO posts (id, title, slug, content, author_id, category_id, tag_ids, status, published_at) VALUES
    ('00000000-0000-4000-8000-000000000001', 'A first post', 'a-first-post', '# One', '00000000-0000-4000-8000-0000000000a1',
     '00000000-0000-4000-8000-0000000000c1', ARRAY['00000000-0000-4000-8000-0000000000f1'::uuid], 'published', '2026-01-05 10:00+00'),
    ('00000000-0000-4000-8000-000000000002', 'A draft', 'a-draft', '# Two', NULL, NULL, '{}', 'draft', NULL);
INSERT INTO post_tags VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000f1');
INSERT INTO media (url, post_id) VALUES ('https://example.com/old.png', '00000000-0000-4000-8000-000000000001');
INSERT INTO content_tasks (task_id, status) VALUES ('task-1', 'published'), ('task-2', 'in_progress');
