-- What a stream has acknowledged. $1 id, $2 next_seq, $3 stored, $4 samples, $5 backlog, $6 closed, $7 now.
UPDATE ts_stream SET next_seq = $2, stored = $3, samples = $4, backlog = $5, closed = $6, pushed_ms = $7 WHERE id = $1
