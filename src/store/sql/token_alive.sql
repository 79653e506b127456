-- token_alive: how many tokens of an account can still be used.
-- $1 account, $2 now (ms)
SELECT count(*) AS total
FROM api_token
WHERE account_id = $1 AND revoked_ms IS NULL AND expires_ms > $2;
