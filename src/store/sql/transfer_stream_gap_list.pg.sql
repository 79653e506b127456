-- A page of table ts_stream_gap. After $1 stream, $2 reason; $3 how many at most.
SELECT stream, reason, records
FROM ts_stream_gap
WHERE (stream, reason) > ($1, $2)
ORDER BY stream, reason LIMIT $3
