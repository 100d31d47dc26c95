-- Smaller copies of pictures for browsers (WebP, AVIF) and for links in social networks (JPEG), as they are in the store.
-- They are made from the pictures, and can be made anew.

CREATE TABLE renditions (
    key        text PRIMARY KEY,
    image_id   bigint NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('webp', 'avif', 'social')),
    width      integer NOT NULL CHECK (width > 0),     -- pixels
    height     integer NOT NULL CHECK (height > 0),
    bytes      bigint NOT NULL CHECK (bytes > 0),
    sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX renditions_image ON renditions (image_id);

-- A data URI of 16 pixels, which a page shows while the picture loads.
ALTER TABLE images ADD COLUMN placeholder text CHECK (length(placeholder) <= 1000 AND placeholder LIKE 'data:image/webp;base64,%');

-- What a crop of the picture keeps: two numbers from 0 to 1, across and down, or words. The picture does not depend on it.
ALTER TABLE prompts ADD COLUMN focus text CONSTRAINT prompts_focus_is_a_point CHECK (length(focus) <= 40 AND focus ~* (
    '^\s*((0?\.[0-9]{1,9}|0|1(\.0{1,9})?)\s*,\s*(0?\.[0-9]{1,9}|0|1(\.0{1,9})?)'
    '|(top|bottom|centre|center|middle)([\s,_-]+(left|right|centre|center|middle))?'
    '|(left|right|centre|center|middle)([\s,_-]+(top|bottom|centre|center|middle))?)\s*$'));
