-- Every stream that acknowledged something. No parameters.
-- Columns: id, collector, uuid, next_seq, stored, samples, backlog, closed, pushed_ms.
SELECT id, collector, uuid, next_seq, stored, samples, backlog, closed, pushed_ms FROM ts_stream WHERE next_seq > 1 ORDER BY id
