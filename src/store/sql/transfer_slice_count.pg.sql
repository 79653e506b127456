-- Readings of a day. $1, $2 its first and last ms. Columns: count.
SELECT count(*) FROM ts_slice WHERE t_ms BETWEEN $1 AND $2
