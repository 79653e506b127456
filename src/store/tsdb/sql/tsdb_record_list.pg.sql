-- Acknowledged records of a stream from a number on. $1 stream, $2 first seq, $3 limit. Columns: seq, span, hash, reason,
-- slice_count, sample_count, t_min, t_max.
SELECT seq, span, hash, reason, slice_count, sample_count, t_min, t_max FROM ts_record WHERE stream = $1 AND seq >= $2
UNION ALL
SELECT seq, span, hash, reason, slice_count, sample_count, t_min, t_max FROM ts_journal WHERE stream = $1 AND seq >= $2
ORDER BY seq LIMIT $3
