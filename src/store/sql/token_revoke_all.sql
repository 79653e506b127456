-- token_revoke_all: revoke the tokens of an account.
-- $1 account, $2 now (ms)
UPDATE api_token SET revoked_ms = $2 WHERE account_id = $1 AND revoked_ms IS NULL;
