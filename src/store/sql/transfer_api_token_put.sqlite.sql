-- A row of table api_token, as another store has it. Parameters are its columns.
INSERT INTO api_token (id, account_id, name, scope, token_hash, expires_ms, last_used_ms,
    last_address, created_ms, revoked_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
