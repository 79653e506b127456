-- Whether hours are marked. $1 first, $2 last. Columns: found.
SELECT count(*) AS found FROM (SELECT 1 FROM ts_dirty WHERE hour BETWEEN $1 AND $2 LIMIT 1) d
