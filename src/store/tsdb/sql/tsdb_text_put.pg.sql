-- Keep a text and who names it. $1 hash, $2 body, $3 target, $4 kind, $5 key.
WITH made AS (
    INSERT INTO ts_text (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING id
)
INSERT INTO ts_text_key (target, kind, key, text) SELECT $3::bytea, $4::text, $5::text, id FROM made
ON CONFLICT (target, kind, key) DO UPDATE SET text = excluded.text WHERE ts_text_key.text <> excluded.text
