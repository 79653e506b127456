-- A row of table recovery_code, as another store has it. Parameters are its columns.
INSERT INTO recovery_code (code_hash, account_id, used_ms)
VALUES ($1, $2, $3)
