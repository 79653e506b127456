-- A page of table ts_stream. After $1 id; $2 how many at most.
SELECT id, collector, uuid, next_seq, stored, samples, backlog, closed, pushed_ms
FROM ts_stream
WHERE id > $1 AND next_seq > 1
ORDER BY id LIMIT $2
