-- A row of table dropped_target, as another store has it. Parameters are its columns.
INSERT INTO dropped_target (target, t) VALUES ($1, $2)
