-- A page of table data_key. After $1 generation; $2 how many at most.
SELECT generation, wrapped, sealed, created_ms, retired_ms
FROM data_key
WHERE generation > $1
ORDER BY generation LIMIT $2
