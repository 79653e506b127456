-- A text by its hash. $1 hash. Columns: id.
SELECT id FROM content WHERE hash = $1
