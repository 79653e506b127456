-- A row of table record, as another store has it. Parameters are its columns.
INSERT INTO record (stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
