-- The blocks of a group, oldest flush first. $1 group, $2 applied. Columns: id, flush_lsn, t_min, t_max, slice_count, row_count.
SELECT id, flush_lsn, t_min, t_max, slice_count, row_count FROM block WHERE grp = $1 AND flush_lsn <= $2
ORDER BY flush_lsn, t_min, id
