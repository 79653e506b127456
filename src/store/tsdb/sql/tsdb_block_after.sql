-- The block after this one. $1 id. Columns: id.
SELECT id FROM block WHERE id > $1 ORDER BY id LIMIT 1
