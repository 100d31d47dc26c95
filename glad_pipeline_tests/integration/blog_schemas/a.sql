-- The blog's tables as met in version A: narrow columns, times without zone, content_tasks a table.

CREATE TABLE categories (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    slug varchar(255) NOT NULL UNIQUE,
    description text,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);

CREATE TABLE authors (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    slug varchar(255) NOT NULL UNIQUE,
    email varchar(255),
    bio text,
    avatar_url varchar(500),
    created_at timestamp DEFAULT now()
);

CREATE TABLE posts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title varchar(255) NOT NULL,
    slug varchar(255) NOT NULL UNIQUE,
    content text NOT NULL,
    excerpt varchar(500),
    featured_image_url varchar(500),
    category_id uuid REFERENCES categories (id),
    status varchar(50) DEFAULT 'draft',
    seo_title varchar(255),
    seo_description varchar(500),
    seo_keywords varchar(255),
    published_at timestamp,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);

CREATE TABLE tags (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    slug varchar(255) NOT NULL UNIQUE,
    description text,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
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
    created_at timestamp DEFAULT now()
);

CREATE TABLE content_tasks (
    id serial PRIMARY KEY,
    task_id varchar(255) NOT NULL UNIQUE,
    status varchar(50) NOT NULL DEFAULT 'pending',
    stage varchar(100),
    featured_image_url varchar(500),
    featured_image_prompt text,
    task_metadata jsonb DEFAULT '{}',
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);

INSERT INTO categories (id, name, slug) VALUES
    ('00000000-0000-4000-8000-0000000000c1', 'Technology', 'technology'),
    ('00000000-0000-4000-8000-0000000000c2', 'Nature', 'nature');
INSERT INTO authors (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Ada Writer', 'ada-writer');
INSERT INTO posts (id, title, slug, content, category_id, status, published_at) VALUES
    ('00000000-0000-4000-8000-000000000001', 'A first post', 'a-first-post', '# One', '00000000-0000-4000-8000-0000000000c1',
     'published', '2025-12-01 10:00'),
    ('00000000-0000-4000-8000-000000000002', 'A draft', 'a-draft', '# Two', NULL, 'draft', NULL);
INSERT INTO tags (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000f1', 'AI', 'ai');
INSERT INTO post_tags VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000f1');
INSERT INTO media (url, post_id) VALUES ('https://example.com/old.png', '00000000-0000-4000-8000-000000000001');
INSERT INTO content_tasks (task_id, status) VALUES ('task-1', 'published'), ('task-2', 'in_progress');
