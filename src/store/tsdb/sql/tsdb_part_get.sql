-- A part of a block. $1 id. Columns: data.
SELECT data FROM part WHERE id = $1
