-- A row of table text_key, as another store has it. Parameters are its columns.
INSERT INTO text_key (target, kind, key, content, collector, bytes, day) VALUES ($1, $2, $3, $4, $5, $6, $7)
