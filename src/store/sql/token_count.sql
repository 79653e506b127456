-- token_count: number of tokens of an account.
-- $1 account
SELECT count(*) AS total FROM api_token WHERE account_id = $1 AND revoked_ms IS NULL;
