-- Every stream. No parameters. Columns: id, collector, uuid, next_seq, stored, samples, backlog, closed.
SELECT id, collector, uuid, next_seq, stored, samples, backlog, closed FROM stream ORDER BY id
