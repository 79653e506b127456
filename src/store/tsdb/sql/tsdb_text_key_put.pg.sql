-- Name a text. $1 target, $2 kind, $3 key, $4 text id, $5 collector, $6 bytes that it takes. The newest text wins.
INSERT INTO ts_text_key (target, kind, key, text, collector, bytes) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (target, kind, key) DO UPDATE
SET text = excluded.text, collector = excluded.collector, bytes = excluded.bytes
