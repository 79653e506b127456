-- A row of table setting, as another store has it. Parameters are its columns.
INSERT INTO setting (name, value) VALUES ($1, $2)
