-- The whole row of a block. $1 id. Columns: grp, flush_lsn, t_min, t_max, every_ms, flags, reason, slice_count, row_count, head.
SELECT grp, flush_lsn, t_min, t_max, every_ms, flags, reason, slice_count, row_count, head FROM block WHERE id = $1
