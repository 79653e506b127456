-- A stream. $1 collector, $2 uuid. Columns: id, next_seq, stored, samples, backlog, closed.
SELECT id, next_seq, stored, samples, backlog, closed FROM ts_stream WHERE collector = $1 AND uuid = $2
