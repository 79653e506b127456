-- A row of table stream, as another store has it. Parameters are its columns.
INSERT INTO stream (id, collector, uuid, next_seq, stored, samples, backlog, closed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
