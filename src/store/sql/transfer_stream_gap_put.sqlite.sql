-- A row of table stream_gap, as another store has it. Parameters are its columns.
INSERT INTO stream_gap (stream, reason, records) VALUES ($1, $2, $3)
