-- Acknowledged records of a stream from a number on. $1 stream, $2 first seq, $3 limit. Columns: seq, span, hash, reason,
-- slice_count, sample_count, t_min, t_max.
SELECT seq, span, hash, reason, slice_count, sample_count, t_min, t_max FROM record WHERE stream = $1 AND seq >= $2
UNION ALL
SELECT seq, span, hash, reason, slice_count, sample_count, t_min, t_max FROM journal j
WHERE j.stream = $1 AND j.seq >= $2 AND NOT EXISTS (SELECT 1 FROM record r WHERE r.stream = $1 AND r.seq = j.seq)
ORDER BY seq LIMIT $3
