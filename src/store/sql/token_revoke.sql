-- token_revoke: revoke a token.
-- $1 id, $2 account; 0 = any, $3 now (ms)
UPDATE api_token SET revoked_ms = $3
WHERE id = $1 AND (account_id = $2 OR $2 = 0) AND revoked_ms IS NULL;
