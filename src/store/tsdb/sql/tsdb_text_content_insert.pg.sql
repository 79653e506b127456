-- A new text, unless another node just added it. $1 hash, $2 body. Columns: id.
INSERT INTO ts_text (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING id
