-- A page of table record. After $1 stream, $2 seq; $3 how many at most.
SELECT stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max
FROM record
WHERE (stream, seq) > ($1, $2)
ORDER BY stream, seq LIMIT $3
