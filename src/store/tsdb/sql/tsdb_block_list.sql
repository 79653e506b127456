-- Every block, for a check. No parameters. Columns: id, grp, flush_lsn, t_min, t_max, slice_count, row_count, head.
SELECT id, grp, flush_lsn, t_min, t_max, slice_count, row_count, head FROM block ORDER BY id
