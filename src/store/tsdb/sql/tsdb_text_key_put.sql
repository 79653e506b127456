-- Name a text. $1 target, $2 kind, $3 key, $4 content id. The newest text wins.
INSERT INTO text_key (target, kind, key, content) VALUES ($1, $2, $3, $4)
ON CONFLICT (target, kind, key) DO UPDATE SET content = excluded.content
