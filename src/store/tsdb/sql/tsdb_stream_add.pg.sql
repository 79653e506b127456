-- A stream that may be new. $1 collector, $2 uuid.
INSERT INTO ts_stream (collector, uuid, next_seq, stored, samples, backlog, closed, pushed_ms)
VALUES ($1, $2, 1, 0, 0, 0, 0, 0) ON CONFLICT (collector, uuid) DO NOTHING
