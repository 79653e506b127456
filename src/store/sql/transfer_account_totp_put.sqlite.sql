-- A row of table account_totp, as another store has it. Parameters are its columns.
INSERT INTO account_totp (account_id, seed, last_step, enabled_ms, created_ms)
VALUES ($1, $2, $3, $4, $5)
