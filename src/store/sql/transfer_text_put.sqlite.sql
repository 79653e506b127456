-- A row of table text, as another store has it. Parameters are its columns.
INSERT INTO content (id, hash, packed, size, data) VALUES ($1, $2, $3, $4, $5)
