-- What makes a picture reproducible and quick to show, and the parts of a recipe that came after the first pictures.

ALTER TABLE images
    ADD COLUMN pixels_sha256 text CHECK (pixels_sha256 ~ '^[0-9a-f]{64}$'),  -- NULL: drawn before this was recorded
    ADD COLUMN thumbnail_key text,                                           -- NULL: the picture is no larger, or older
    ADD COLUMN thumbnail_url text CHECK (length(thumbnail_url) <= 500 AND thumbnail_url ~ '^https?://');

ALTER TABLE prompts
    ADD COLUMN preset text,                            -- NULL means the pipeline's default
    ADD COLUMN lora   text;
