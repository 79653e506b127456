-- A text by its name. $1 target, $2 kind, $3 key. Columns: packed, size, data.
SELECT c.packed, c.size, c.data FROM text_key k JOIN content c ON c.id = k.content
WHERE k.target = $1 AND k.kind = $2 AND k.key = $3
