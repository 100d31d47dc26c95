-- Which bucket belongs to this database: the bucket carries the same identity in an object that visitors cannot read.
CREATE TABLE deployments (
    id            uuid PRIMARY KEY,                    -- the bucket's for good, also when it changes hands
    bucket        text NOT NULL,
    place         text NOT NULL,                       -- the store's endpoint, or AWS and the region
    database      text NOT NULL,                       -- which database this is: a copy of it, or one moved, is another
    database_name text NOT NULL,                       -- host:port/name, for people
    current       boolean NOT NULL,                    -- false: a bucket that we had before, where old pictures lie
    marked        boolean NOT NULL DEFAULT false,      -- the bucket has its object; until then nothing is settled
    since         timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX deployments_current ON deployments (current) WHERE current;

-- In whose bucket a picture lies; NULL: catalogued before this was recorded.
ALTER TABLE images ADD COLUMN deployment_id uuid REFERENCES deployments (id);

-- What waits to be deleted has to know it too.
UPDATE outbox AS o SET payload = payload || jsonb_build_object('urls', to_jsonb(array_remove(ARRAY[i.url, i.thumbnail_url], NULL)))
FROM images AS i
WHERE o.kind = 'delete' AND o.status IN ('waiting', 'dead') AND o.subject = 'image:' || i.key;
