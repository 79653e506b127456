-- Names up to a day, those of one target together. $1 day, $2 how many. Columns: target, kind, key.
SELECT target, kind, key FROM text_key WHERE day <= $1 ORDER BY target LIMIT $2
