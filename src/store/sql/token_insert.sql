-- token_insert: add a token of a script; gives its id.
-- $1 account, $2 name, $3 scope, $4 hash, $5 expires (ms), $6 now (ms)
INSERT INTO api_token (account_id, name, scope, token_hash, expires_ms, last_address, created_ms)
VALUES ($1, $2, $3, $4, $5, '', $6)
RETURNING id;
