-- session_insert: begin a session.
-- $1 id, $2 account, $3 hash of the cookie, $4 hash of the refresh token, $5 address, $6 now (ms),
-- $7 what the client calls itself
INSERT INTO session (id, account_id, token_hash, refresh_hash, address, created_ms, used_ms, agent,
    verified_ms)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $6);
