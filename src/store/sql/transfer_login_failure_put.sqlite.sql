-- A row of table login_failure, as another store has it. Parameters are its columns.
INSERT INTO login_failure (name, failures, last_ms) VALUES ($1, $2, $3)
