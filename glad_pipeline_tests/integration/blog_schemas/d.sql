-- The blog's tables as met in version D: wide columns, free-text author, media_assets, content_tasks a view.

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
    bio text,
    avatar_url varchar(500),
    created_at timestamptz DEFAULT now()
);

CREATE TABLE posts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL,
    slug varchar(500) NOT NULL UNIQUE,
    status varchar(50) DEFAULT 'draft',
    category_id uuid REFERENCES categories (id),
    view_count integer DEFAULT 0,
    published_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    site_id uuid,
    seo_description varchar(500),
    seo_keywords varchar(1000),
    cover_image_url varchar(1000),
    created_by varchar(255),
    updated_by varchar(255),
    content text,
    excerpt text,
    seo_title varchar(255),
    featured_image_url varchar(1000),
    featured_image_data jsonb,
    metadata jsonb DEFAULT '{}',
    author varchar(255),
    reading_time integer,
    word_count integer,
    author_id uuid REFERENCES authors (id),
    tag_ids uuid[],
    preview_token varchar(64),
    distributed_at timestamptz,
    awaiting_gate varchar(64),
    gate_artifact jsonb,
    gate_paused_at timestamptz,
    media_to_generate text[] DEFAULT '{}',
    cli_idempotency_key varchar(255),
    video_shot_list jsonb
);
CREATE INDEX idx_posts_status_published ON posts (status, published_at DESC);

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

CREATE TABLE media_assets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    type varchar(32) NOT NULL,
    source varchar(64),
    storage_provider varchar(64),
    url varchar(1000),
    storage_path text,
    thumbnail_url varchar(1000),
    title varchar(500),
    alt_text varchar(500),
    metadata jsonb DEFAULT '{}',
    ai_metadata jsonb,
    task_id varchar(255),
    post_id uuid REFERENCES posts (id) ON DELETE SET NULL,
    width integer,
    height integer,
    file_size_bytes bigint,
    mime_type varchar(64),
    cost_usd numeric(10, 6),
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE pipeline_tasks (
    id bigserial PRIMARY KEY,
    task_id varchar(255) NOT NULL UNIQUE,
    status varchar(50) NOT NULL DEFAULT 'pending',
    stage varchar(100),
    task_metadata jsonb DEFAULT '{}',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE VIEW content_tasks AS
    SELECT task_id, status, stage,
           (task_metadata ->> 'featured_image_url')::varchar(500) AS featured_image_url,
           task_metadata ->> 'featured_image_prompt' AS featured_image_prompt,
           task_metadata, created_at, updated_at
    FROM pipeline_tasks;

INSERT INTO categories (id, name, slug) VALUES
    ('00000000-0000-4000-8000-0000000000c1', 'Technology', 'technology'),
    ('00000000-0000-4000-8000-0000000000c2', 'Nature', 'nature');
INSERT INTO authors (id, name) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Ada Writer');
INSERT INTO posts (id, title, slug, content, category_id, author, status, published_at, metadata) VALUES
    ('00000000-0000-4000-8000-000000000001', 'A first post', 'a-first-post', '# One', '00000000-0000-4000-8000-0000000000c1',
     'Ada Writer', 'published', '2026-03-01 10:00+00', '{"pipeline_task_id": "task-1", "featured_image_alt": "A robot"}'),
    ('00000000-0000-4000-8000-000000000002', 'A draft', 'a-draft', '# Two', NULL, NULL, 'draft', NULL, '{}');
INSERT INTO tags (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000f1', 'AI', 'ai');
INSERT INTO post_tags VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000f1');
INSERT INTO media (url, post_id) VALUES ('https://example.com/old.png', '00000000-0000-4000-8000-000000000001');
INSERT INTO media_assets (type, url, post_id) VALUES ('image', 'https://example.com/old.png', '00000000-0000-4000-8000-000000000001');
INSERT INTO pipeline_tasks (task_id, status) VALUES ('task-1', 'published'), ('task-2', 'in_progress');
