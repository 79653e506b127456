-- Readings of a day. $1, $2 its first and last ms; after $3 group, $4 t; $5 how many at most.
-- Columns: grp, t_ms, data.
SELECT grp, t_ms, data
FROM ts_slice
WHERE t_ms BETWEEN $1 AND $2 AND (grp, t_ms) > ($3, $4)
ORDER BY grp, t_ms LIMIT $5
