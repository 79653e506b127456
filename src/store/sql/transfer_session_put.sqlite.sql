-- A row of table session, as another store has it. Parameters are its columns.
INSERT INTO session (id, account_id, token_hash, refresh_hash, address, created_ms, used_ms,
    ended_ms, agent, verified_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
