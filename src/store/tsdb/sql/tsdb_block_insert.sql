-- A new block. $1 group, $2 flush_lsn, $3 t_min, $4 t_max, $5 every_ms, $6 flags, $7 reason, $8 slice_count, $9 row_count,
-- $10 head. Columns: id.
INSERT INTO block (grp, flush_lsn, t_min, t_max, every_ms, flags, reason, slice_count, row_count, head)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id
