-- A new text. $1 hash, $2 packed, $3 size, $4 data. Columns: id.
INSERT INTO content (hash, packed, size, data) VALUES ($1, $2, $3, $4) RETURNING id
