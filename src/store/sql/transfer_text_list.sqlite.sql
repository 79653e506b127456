-- A page of table text. After $1 id; $2 how many at most.
SELECT id, hash, data, packed, size FROM content WHERE id > $1 ORDER BY id LIMIT $2
