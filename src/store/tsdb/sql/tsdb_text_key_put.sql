-- Name a text. $1 target, $2 kind, $3 key, $4 content id, $5 collector, $6 bytes that it takes, $7 day. The newest text
-- wins.
INSERT INTO text_key (target, kind, key, content, collector, bytes, day) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (target, kind, key) DO UPDATE
SET content = excluded.content, collector = excluded.collector, bytes = excluded.bytes, day = excluded.day
