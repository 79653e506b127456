-- A new stream. $1 id, $2 collector, $3 uuid.
INSERT INTO stream (id, collector, uuid, next_seq, stored, samples, backlog, closed) VALUES ($1, $2, $3, 1, 0, 0, 0, 0)
