-- The next readings of a group. $1 group, $2 after, $3 to (inclusive), $4 limit. Columns: t_ms, data.
SELECT t_ms, data FROM ts_slice WHERE grp = $1 AND t_ms > $2 AND t_ms <= $3 ORDER BY t_ms LIMIT $4
