-- A row of table data_key, as another store has it. Parameters are its columns.
INSERT INTO data_key (generation, wrapped, sealed, created_ms, retired_ms)
VALUES ($1, $2, $3, $4, $5)
