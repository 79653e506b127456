-- Keep something damaged, once. $1 file, $2 what, $3 key, $4 reason, $5 about, $6 data, $7 when found.
INSERT INTO damaged (file, what, key, reason, about, data, found_ms)
SELECT $1, $2, $3, $4, $5, $6, $7
WHERE NOT EXISTS (SELECT 1 FROM damaged WHERE file = $1 AND what = $2 AND key = $3 AND data = $6)
