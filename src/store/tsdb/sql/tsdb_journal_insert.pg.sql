-- An acknowledged record. $1 node, $2 stream, $3 seq, $4 span, $5 hash, $6 reason, $7 slice_count, $8 sample_count,
-- $9 t_min, $10 t_max, $11 slices, $12 meta. Columns: lsn.
INSERT INTO ts_journal (node, stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max, slices, meta)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING lsn
