-- Lock streams in order of id, but those that somebody has locked. $1 their ids. Columns: id, next_seq.
SELECT id, next_seq FROM ts_stream WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED
