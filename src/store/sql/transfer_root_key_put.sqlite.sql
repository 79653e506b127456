-- A row of table root_key, as another store has it. Parameters are its columns.
INSERT INTO root_key (name, sealed)
VALUES ($1, $2)
