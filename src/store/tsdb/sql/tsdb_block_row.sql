-- One block, for a check. $1 id. Columns: id, grp, flush_lsn, t_min, t_max, slice_count, row_count, head.
SELECT id, grp, flush_lsn, t_min, t_max, slice_count, row_count, head FROM block WHERE id = $1
